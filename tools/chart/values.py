"""The values of charts/robustcert: the one place where they are named, typed, described and given defaults.

values.yaml, values.schema.json and the chart's README are made from it by `make generate`.
"""

from __future__ import annotations

from pydantic import Field

from tools.chart.part import Annotations, Labels, Name, Object, Part, ShortName
from tools.chart.programs import AdmissionGate, Controller, Drift, Exporter, Pipelines, Recertification
from tools.chart.shared import ExternalSecrets, Images, Kubeflow, Store, TrustedKeys
from tools.chart.watching import Monitoring, NetworkPolicy


class PodSecurity(Part):
    """User and group of all pods. The rest of Pod Security's level `restricted` is not to be chosen."""

    run_as_user: int | None = Field(
        default=65532, ge=1, description="null where the cluster chooses, as OpenShift does."
    )
    run_as_group: int | None = Field(default=65532, ge=1, description="As above.")
    fs_group: int | None = Field(default=65532, ge=1, description="As above; volumes and mounted keys belong to it.")


class Values(Part):
    """Everything that can be chosen at installation."""

    name_override: Name = Field(default="", description="Replaces the chart's name in names of objects.")
    fullname_override: ShortName = Field(
        default="", description="Replaces release and chart in names of objects; 40 characters at most."
    )
    common_labels: Labels = Field(default={}, description="Labels of every object.")
    common_annotations: Annotations = Field(default={}, description="Annotations of every object.")
    enabled: bool = Field(
        default=True, description="A condition for charts that have this one as a subchart; otherwise true."
    )
    global_: Object = Field(default={}, alias="global", description="Helm's own; not used.")
    images: Images = Field(default=Images(), description="Where images come from.")
    store: Store = Field(default=Store(), description="Where certificates are.")
    trusted_keys: TrustedKeys = Field(default=TrustedKeys(), description="Whose signatures count. Required.")
    external_secrets: ExternalSecrets = Field(default=ExternalSecrets(), description="Where Secrets come from.")
    pod_security: PodSecurity = Field(default=PodSecurity(), description="User and group of all pods.")
    kubeflow: Kubeflow = Field(default=Kubeflow(), description="Kubeflow Pipelines.")
    exporter: Exporter = Field(default=Exporter(), description="Metrics of certificates.")
    controller: Controller = Field(default=Controller(), description="The recertification controller.")
    admission_gate: AdmissionGate = Field(default=AdmissionGate(), description="The admission gate.")
    drift: Drift = Field(default=Drift(), description="Drift jobs.")
    recertification: Recertification = Field(default=Recertification(), description="Schedules.")
    pipelines: Pipelines = Field(default=Pipelines(), description="Compiled pipelines.")
    monitoring: Monitoring = Field(default=Monitoring(), description="Prometheus, Grafana, Alertmanager.")
    network_policy: NetworkPolicy = Field(default=NetworkPolicy(), description="Who may connect to whom.")
    extra_objects: list[Object] = Field(default=[], description="Further objects, installed with the release.")
