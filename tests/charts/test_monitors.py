"""What Prometheus is told to scrape leads to a port that a program opens, with the operator and without."""

from typing import Any

import pytest

from tools.chart.render import ci_values, render

BASE: dict[str, Any] = ci_values()["minimal"]
WITH_MONITORS = [name for name, values in ci_values().items() if "no-prometheus" not in name]


def of_kind(objects: list[dict[str, Any]], *kinds: str) -> list[dict[str, Any]]:
    return [one for one in objects if one["kind"] in kinds]


def selects(selector: dict[str, Any], labels: dict[str, str]) -> bool:
    assert set(selector) == {"matchLabels"}
    assert selector["matchLabels"]
    return selector["matchLabels"].items() <= labels.items()


def opened(service: dict[str, Any], port: str, objects: list[dict[str, Any]]) -> list[int]:
    """Numbers of the container ports that a Service's named port leads to."""
    (found,) = (one for one in service["spec"]["ports"] if one["name"] == port)
    target = found.get("targetPort", found["port"])
    templates = [one["spec"]["template"] for one in of_kind(objects, "Deployment", "StatefulSet")]
    pods = [one for one in templates if service["spec"]["selector"].items() <= one["metadata"]["labels"].items()]
    ports = [port for pod in pods for container in pod["spec"]["containers"] for port in container.get("ports", ())]
    return [one["containerPort"] for one in ports if target in (one.get("name"), one["containerPort"])]


@pytest.mark.parametrize("name", WITH_MONITORS)
def test_a_service_monitor_leads_to_one_port_of_one_service(name: str) -> None:
    objects = render(ci_values()[name])
    monitors = of_kind(objects, "ServiceMonitor")
    assert len(monitors) == 2
    for monitor in monitors:
        services = [
            one
            for one in of_kind(objects, "Service")
            if selects(monitor["spec"]["selector"], one["metadata"]["labels"])
        ]
        (endpoint,) = monitor["spec"]["endpoints"]
        named = [one for one in services if endpoint["port"] in [port["name"] for port in one["spec"]["ports"]]]
        assert len(named) == 1
        assert len(opened(named[0], endpoint["port"], objects)) == 1
        assert monitor["metadata"]["namespace"] == named[0]["metadata"]["namespace"]


def test_the_exporters_labels_survive_and_nobody_elses_do() -> None:
    """Its label `namespace` is the workload's; without honorLabels it would become `exported_namespace`."""
    monitors = {one["metadata"]["name"]: one for one in of_kind(render(BASE), "ServiceMonitor", "PodMonitor")}
    assert set(monitors) == {"robustcert-exporter", "robustcert-controller", "robustcert-served-models"}
    spec = {name: one["spec"] for name, one in monitors.items()}
    assert spec["robustcert-exporter"]["endpoints"][0]["honorLabels"] is True
    assert "honorLabels" not in spec["robustcert-controller"]["endpoints"][0]
    assert "honorLabels" not in spec["robustcert-served-models"]["podMetricsEndpoints"][0]


def test_metrics_are_plain_http_even_where_the_interface_has_tls() -> None:
    tls = {"controller": {"tls": {"enabled": True, "secretName": "controller-tls"}}}
    for monitor in of_kind(render({**BASE, **tls}), "ServiceMonitor"):
        (endpoint,) = monitor["spec"]["endpoints"]
        assert endpoint["port"] == "metrics"
        assert endpoint.get("scheme", "http") == "http"


def test_served_models_are_found_in_every_namespace_by_their_mark() -> None:
    (monitor,) = of_kind(render(BASE), "PodMonitor")
    assert monitor["spec"]["namespaceSelector"] == {"any": True}
    assert monitor["spec"]["selector"] == {"matchLabels": {"robustcert.io/scrape": "true"}}


def test_labels_and_interval_are_to_be_chosen() -> None:
    chosen = {"monitors": {"labels": {"prometheus": "main", "release": None}, "interval": "1m30s"}}
    monitors = of_kind(render({**BASE, "monitoring": chosen}), "ServiceMonitor", "PodMonitor")
    assert len(monitors) == 3
    for monitor in monitors:
        labels, spec = monitor["metadata"]["labels"], monitor["spec"]
        assert (labels["prometheus"], labels.get("release")) == ("main", None)
        assert [one["interval"] for one in spec.get("endpoints") or spec["podMetricsEndpoints"]] == ["1m30s"]


@pytest.mark.parametrize(
    ("values", "left"),
    [
        ({"monitoring": {"monitors": {"enabled": False}}}, set()),
        ({"monitoring": {"monitors": {"servedModels": False}}}, {"robustcert-exporter", "robustcert-controller"}),
        ({"exporter": {"enabled": False}}, {"robustcert-controller", "robustcert-served-models"}),
        (
            {"controller": {"enabled": False}, "monitoring": {"alertmanagerConfig": {"enabled": False}}},
            {"robustcert-exporter", "robustcert-served-models"},
        ),
    ],
)
def test_what_is_off_is_not_scraped(values: dict[str, Any], left: set[str]) -> None:
    monitors = of_kind(render({**BASE, **values}), "ServiceMonitor", "PodMonitor")
    assert {one["metadata"]["name"] for one in monitors} == left


def scraped(values: dict[str, Any]) -> dict[str, tuple[str, ...]]:
    """Name of a Service -> what its prometheus.io annotations say, where it has any."""
    services = of_kind(render(values), "Service")
    noted = {one["metadata"]["name"]: one["metadata"].get("annotations", {}) for one in services}
    keys = [f"prometheus.io/{key}" for key in ("scrape", "port", "path")]
    return {name: tuple(one[key] for key in keys) for name, one in noted.items() if "prometheus.io/scrape" in one}


def test_without_the_operator_annotations_say_what_to_scrape() -> None:
    ports = {"exporter": {"service": {"port": 9465}}, "controller": {"metricsPort": 8092}}
    assert scraped({**BASE, **ports}) == {}
    assert scraped({**BASE, **ports, "monitoring": {"scrapeAnnotations": True}}) == {
        "robustcert-exporter": ("true", "9465", "/metrics"),
        "robustcert-controller": ("true", "8092", "/metrics"),
    }
