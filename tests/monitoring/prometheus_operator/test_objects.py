"""Objects for the Prometheus operator against closed forms: fields of its custom resource definitions, and no others.

Written by hand from the definitions of release 0.82 (PrometheusRule, ServiceMonitor and PodMonitor of
monitoring.coreos.com/v1, AlertmanagerConfig of v1alpha1), for the fields that are used here.
"""

from typing import Any

import jsonschema
import pytest
import yaml

from tests.monitoring.metric_table import ROOT

FOLDER = ROOT / "monitoring/prometheus_operator"
MONITORS = list(yaml.safe_load_all((FOLDER / "monitors.yaml").read_text()))
(CONFIG,) = yaml.safe_load_all((FOLDER / "alertmanager-config.yaml").read_text())


def closed(required: dict[str, Any], **optional: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {**required, **optional},
        "required": sorted(required),
        "additionalProperties": False,
    }


TEXT = {"type": "string", "minLength": 1}
TEXTS = {"type": "object", "additionalProperties": TEXT, "minProperties": 1}
DURATION = {
    "type": "string",
    "pattern": r"^(0|(([0-9]+)y)?(([0-9]+)w)?(([0-9]+)d)?(([0-9]+)h)?(([0-9]+)m)?(([0-9]+)s)?(([0-9]+)ms)?)$",
    "minLength": 1,
}
NAME = {"type": "string", "pattern": r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$"}
METADATA = closed({"name": NAME, "namespace": NAME}, labels=TEXTS)
RULE = {
    "oneOf": [
        closed({"record": TEXT, "expr": TEXT}),
        closed(
            {"alert": TEXT, "expr": TEXT, "labels": TEXTS, "annotations": TEXTS, "for": DURATION},
            keep_firing_for=DURATION,
        ),
    ]
}
GROUP = closed({"name": TEXT, "rules": {"type": "array", "items": RULE, "minItems": 1}}, interval=DURATION)
ENDPOINT = closed(
    {"port": TEXT, "path": TEXT, "interval": DURATION, "scrapeTimeout": DURATION}, honorLabels={"type": "boolean"}
)
SELECTOR = closed({"matchLabels": TEXTS})
KEY = closed({"name": NAME, "key": TEXT})
MATCHER = closed({"name": TEXT, "value": TEXT, "matchType": {"enum": ["!=", "=", "=~", "!~"]}})
ROUTE = closed(
    {"receiver": TEXT, "matchers": {"type": "array", "items": MATCHER}},
    groupBy={"type": "array", "items": TEXT},
    groupWait=DURATION,
    groupInterval=DURATION,
    repeatInterval=DURATION,
    **{"continue": {"type": "boolean"}},
)
WEBHOOK = closed(
    {"url": TEXT},
    sendResolved={"type": "boolean"},
    maxAlerts={"type": "integer"},
    httpConfig=closed({"authorization": closed({"type": TEXT, "credentials": KEY})}),
)
RECEIVER = closed({"name": TEXT, "webhookConfigs": {"type": "array", "items": WEBHOOK}})


def kind(name: str, spec: dict[str, Any], *, version: str = "v1") -> dict[str, Any]:
    return closed(
        {
            "apiVersion": {"const": f"monitoring.coreos.com/{version}"},
            "kind": {"const": name},
            "metadata": METADATA,
            "spec": spec,
        }
    )


def listed(items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": items, "minItems": 1}


PROMETHEUS_RULE = kind("PrometheusRule", closed({"groups": listed(GROUP)}))
SERVICE_MONITOR = kind("ServiceMonitor", closed({"selector": SELECTOR, "endpoints": listed(ENDPOINT)}))
POD_MONITOR = kind(
    "PodMonitor",
    closed(
        {"selector": SELECTOR, "podMetricsEndpoints": listed(ENDPOINT)},
        namespaceSelector=closed({"any": {"type": "boolean"}}),
    ),
)
ALERTMANAGER_CONFIG = kind(
    "AlertmanagerConfig", closed({"route": ROUTE, "receivers": listed(RECEIVER)}), version="v1alpha1"
)
FORMS = {"ServiceMonitor": SERVICE_MONITOR, "PodMonitor": POD_MONITOR}


@pytest.mark.parametrize("monitor", MONITORS, ids=lambda one: one["metadata"]["name"])
def test_a_monitor_has_its_form(monitor: dict[str, Any]) -> None:
    jsonschema.validate(monitor, FORMS[monitor["kind"]])


def test_the_exporters_labels_survive_and_every_program_is_scraped() -> None:
    """Its label `namespace` is the workload's; without honorLabels it would become `exported_namespace`."""
    exporter, controller, served = MONITORS
    assert exporter["spec"]["endpoints"][0]["honorLabels"] is True
    names = [one["metadata"]["name"] for one in (exporter, controller, served)]
    assert names == ["robustcert-exporter", "robustcert-recertification-webhook", "robustcert-served-models"]


def test_the_route_has_its_form_and_sends_only_what_asks_for_an_action() -> None:
    jsonschema.validate(CONFIG, ALERTMANAGER_CONFIG)
    assert {"name": "action", "matchType": "=~", "value": "recertify|suspend"} in CONFIG["spec"]["route"]["matchers"]
    assert CONFIG["spec"]["route"]["receiver"] == CONFIG["spec"]["receivers"][0]["name"]


def test_both_places_tell_of_the_namespace_that_the_operator_adds() -> None:
    for path in (FOLDER / "alertmanager-config.yaml", ROOT / "docs/monitoring.md"):
        assert "alertmanagerConfigMatcherStrategy: {type: None}" in path.read_text()


@pytest.mark.parametrize(
    ("planted", "wrong"),
    [({"intervall": "30s"}, "intervall"), ({"interval": "30 seconds"}, "30 seconds"), ({"port": ""}, "non-empty")],
)
def test_a_planted_mistake_is_refused(planted: dict[str, str], wrong: str) -> None:
    endpoint = {"port": "metrics", "path": "/metrics", "interval": "30s", "scrapeTimeout": "10s"}
    jsonschema.validate(endpoint, ENDPOINT)
    with pytest.raises(jsonschema.ValidationError, match=wrong):
        jsonschema.validate({**endpoint, **planted}, ENDPOINT)
