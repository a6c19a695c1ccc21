"""Values of what watches and what fences in: Prometheus, Grafana, Alertmanager, network policies."""

from __future__ import annotations

from pydantic import Field

from tools.chart.part import Annotations, Labels, Name, Object, ObjectName, Part, Port, PrometheusDuration

STACK = {"release": "kube-prometheus-stack"}


class Monitors(Part):
    """ServiceMonitors of exporter and controller, and a PodMonitor of served models."""

    enabled: bool = Field(default=True, description="Make them; needs the Prometheus operator.")
    labels: Labels = Field(default=STACK, description="What the operator selects by.")
    interval: PrometheusDuration = Field(default="30s", description="Between two scrapes.")
    served_models: bool = Field(
        default=True, description='Scrape pods marked robustcert.io/scrape: "true", in all namespaces.'
    )


class Rules(Part):
    """Alerts and recording rules."""

    enabled: bool = Field(default=True, description="A PrometheusRule for each file; needs the Prometheus operator.")
    config_map: bool = Field(
        default=False, description="The files as a ConfigMap, for a Prometheus without the operator."
    )
    labels: Labels = Field(default=STACK, description="What the operator selects by.")
    disabled: list[str] = Field(
        default=[], description="Alerts that are left out, by name, such as RobustcertPayloadsDropped."
    )
    runbooks: str = Field(default="", description="Where the runbooks are; the repository's where empty.")


class Dashboards(Part):
    """Dashboards as ConfigMaps, for Grafana's sidecar."""

    enabled: bool = Field(default=True, description="Make them.")
    namespace: Name = Field(default="", description="Grafana's namespace; the release's where empty.")
    labels: Labels = Field(default={"grafana_dashboard": "1"}, description="What the sidecar selects by.")
    annotations: Annotations = Field(
        default={"grafana_folder": "Robustcert"}, description="The folder that they are shown in."
    )


class AlertmanagerConfig(Part):
    """The route from Alertmanager to the controller; needs the Prometheus operator."""

    enabled: bool = Field(
        default=True, description="Make it. The Alertmanager needs alertmanagerConfigMatcherStrategy.type None."
    )
    labels: Labels = Field(default=STACK, description="What the operator selects by.")
    token_secret_name: ObjectName = Field(
        default="robustcert-alertmanager-token",
        description="Secret with the token that Alertmanager shows, under `token`.",
    )
    client_secret_name: ObjectName = Field(
        default="",
        description="Secret with tls.crt and tls.key that Alertmanager shows, where the controller has a clientCa.",
    )


class Monitoring(Part):
    """Prometheus, Grafana and Alertmanager."""

    scrape_annotations: bool = Field(
        default=False, description="prometheus.io annotations on Services, without the operator."
    )
    monitors: Monitors = Field(default=Monitors(), description="What is scraped.")
    rules: Rules = Field(default=Rules(), description="Alerts.")
    dashboards: Dashboards = Field(default=Dashboards(), description="Dashboards.")
    alertmanager_config: AlertmanagerConfig = Field(default=AlertmanagerConfig(), description="Who is told.")


class Destination(Part):
    """Where pods of ours may connect to."""

    to: list[Object] = Field(default=[], description="Peers, as in a NetworkPolicy; empty for anywhere.")
    ports: list[Port] = Field(
        default=[],
        description="TCP ports of the pods, behind their Service; those of the addresses in the values where empty.",
    )


class NetworkPolicy(Part):
    """Nothing may connect to our pods, nor they to anything, but what is named here."""

    enabled: bool = Field(default=True, description="Make the policies.")
    prometheus_namespaces: list[Name] = Field(default=["monitoring"], description="Namespaces whose pods may scrape.")
    alertmanager_namespaces: list[Name] = Field(
        default=["monitoring"], description="Namespaces whose pods may deliver alerts."
    )
    client_namespaces: list[Name] = Field(default=[], description="Namespaces whose pods may ask the controller.")
    store: Destination = Field(default=Destination(), description="The S3 server.")
    kubeflow: Destination = Field(default=Destination(), description="Kubeflow Pipelines.")
    kubernetes: Destination = Field(
        default=Destination(ports=[443, 6443]), description="Kubernetes' API, for the exporter alone."
    )
    dns: Destination = Field(default=Destination(ports=[53]), description="Name servers, by UDP too.")
    extra: list[Object] = Field(default=[], description="Further egress rules of all our pods, as in a NetworkPolicy.")
