"""What Grafana is provisioned with: closed forms, known to the SDK, and fit for the controller that is told."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from grafana_foundation_sdk.models.alerting import ContactPoint, NotificationPolicy
from grafana_foundation_sdk.models.dashboard import Dashboard

from monitoring.recertification_webhook.grafana import SIGNATURE_HEADER, TIMESTAMP_HEADER
from monitoring.recertification_webhook.limits import MOST_ALERTS
from tests.monitoring.metric_table import ROOT
from tools.chart.render import ci_values, render

FOLDER = ROOT / "monitoring/grafana"
POINTS = yaml.safe_load((FOLDER / "contact-points.yaml").read_text())
POLICIES = yaml.safe_load((FOLDER / "notification-policies.yaml").read_text())
PROVIDER = yaml.safe_load((FOLDER / "dashboard-provider.yaml").read_text())
DURATION = {"type": "string", "pattern": r"^\d+[smhd]$"}


def closed(required: dict[str, Any], **optional: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {**required, **optional},
        "required": sorted(required),
        "additionalProperties": False,
    }


TEXT = {"type": "string", "minLength": 1}
HMAC = closed({"secret": TEXT, "header": TEXT, "timestampHeader": TEXT})
SETTINGS = {
    "webhook": closed(
        {"url": TEXT},
        httpMethod={"enum": ["POST", "PUT"]},
        maxAlerts={"type": "integer", "minimum": 0},
        hmacConfig=HMAC,
    ),
    "email": closed({"addresses": TEXT}, singleEmail={"type": "boolean"}),
}
RECEIVER = closed(
    {"uid": {"type": "string", "pattern": "^[a-zA-Z0-9_-]{1,40}$"}, "type": {"enum": sorted(SETTINGS)}, "settings": {}},
    disableResolveMessage={"type": "boolean"},
)
POINT = closed({"orgId": {"const": 1}, "name": TEXT, "receivers": {"type": "array", "items": RECEIVER, "minItems": 1}})
MATCHER = {
    "type": "array",
    "prefixItems": [TEXT, {"enum": ["=", "!=", "=~", "!~"]}, TEXT],
    "items": False,
    "minItems": 3,
}
ROUTE_FIELDS = {
    "group_by": {"type": "array", "items": TEXT},
    "group_wait": DURATION,
    "group_interval": DURATION,
    "repeat_interval": DURATION,
    "continue": {"type": "boolean"},
}
ROUTE = closed({"receiver": TEXT, "object_matchers": {"type": "array", "items": MATCHER}}, **ROUTE_FIELDS)
# Source: Grafana's documentation of provisioning, section Dashboards. Ten seconds or less would need file events.
OPTIONS = closed({"path": {"type": "string", "pattern": "^/"}}, foldersFromFilesStructure={"type": "boolean"})
DASHBOARDS = closed(
    {"name": TEXT, "type": {"const": "file"}, "options": OPTIONS},
    orgId={"const": 1},
    folder=TEXT,
    folderUid={"type": "string", "pattern": "^[a-zA-Z0-9_-]{1,40}$"},
    disableDeletion={"type": "boolean"},
    allowUiUpdates={"type": "boolean"},
    updateIntervalSeconds={"type": "integer", "exclusiveMinimum": 10},
)
POLICY = closed({"orgId": {"const": 1}, "receiver": TEXT, "routes": {"type": "array", "items": ROUTE}}, **ROUTE_FIELDS)


def check(document: Any, schema: dict[str, Any]) -> None:
    jsonschema.validate(document, schema, cls=jsonschema.Draft202012Validator)


def test_the_contact_points_have_grafanas_form_and_nothing_else() -> None:
    check(POINTS, closed({"apiVersion": {"const": 1}, "contactPoints": {"type": "array", "items": POINT}}))
    for point in POINTS["contactPoints"]:
        for receiver in point["receivers"]:
            check(receiver["settings"], SETTINGS[receiver["type"]])
            known = ContactPoint.from_json({**receiver, "name": point["name"]}).to_json()
            assert known == {**receiver, "name": point["name"]}


def test_the_policies_have_grafanas_form_and_nothing_else() -> None:
    check(POLICIES, closed({"apiVersion": {"const": 1}, "policies": {"type": "array", "items": POLICY}}))
    for policy in POLICIES["policies"]:
        fields = {name: value for name, value in policy.items() if name != "orgId"}
        assert set(NotificationPolicy.from_json(fields).to_json()) == set(fields)


@pytest.mark.parametrize("planted", [{"receivr": "x"}, {"group_wait": "soon"}, {"object_matchers": [["a", "~", "b"]]}])
def test_a_planted_mistake_is_refused(planted: dict[str, Any]) -> None:
    with pytest.raises(jsonschema.ValidationError):
        check({"receiver": "x", "object_matchers": [], **planted}, ROUTE)


def test_every_receiver_of_a_policy_exists() -> None:
    names = {point["name"] for point in POINTS["contactPoints"]}
    (policy,) = POLICIES["policies"]
    assert {policy["receiver"], *(route["receiver"] for route in policy["routes"])} == names


def test_the_signature_is_in_the_headers_that_the_controller_reads_and_its_secret_in_a_file() -> None:
    (receiver,) = POINTS["contactPoints"][0]["receivers"]
    signed = receiver["settings"]["hmacConfig"]
    assert (signed["header"], signed["timestampHeader"]) == (SIGNATURE_HEADER, TIMESTAMP_HEADER)
    assert re.fullmatch(r"\$__file\{/[\w/-]+\}", signed["secret"])
    assert receiver["settings"]["url"].endswith("/v1/grafana")
    assert receiver["settings"]["maxAlerts"] == MOST_ALERTS
    assert receiver["disableResolveMessage"] is False


def test_only_what_asks_for_an_action_goes_to_the_controller_and_people_see_all_of_it() -> None:
    controller, people = POLICIES["policies"][0]["routes"]
    assert ["action", "=~", "recertify|suspend"] in controller["object_matchers"]
    assert controller["continue"] is True
    assert people["object_matchers"] == [["alertname", "=~", "Robustcert.+"]]


def test_the_contact_point_is_a_release_of_the_chart_with_tls() -> None:
    """Release and namespace robustcert, as in all examples."""
    tls = {"controller": {"tls": {"enabled": True, "issuer": {"name": "platform"}}}}
    (found,) = (one for one in render({**ci_values()["minimal"], **tls}) if one["kind"] == "AlertmanagerConfig")
    alertmanager = found["spec"]["receivers"][0]["webhookConfigs"][0]["url"]
    (receiver,) = POINTS["contactPoints"][0]["receivers"]
    assert receiver["settings"]["url"] == alertmanager.replace("/v1/alertmanager", "/v1/grafana")


def test_the_provider_has_grafanas_form_and_nothing_else() -> None:
    check(PROVIDER, closed({"apiVersion": {"const": 1}, "providers": {"type": "array", "items": DASHBOARDS}}))
    (provider,) = PROVIDER["providers"]
    assert provider["allowUiUpdates"] is False


@pytest.mark.parametrize("planted", [{"editable": True}, {"updateIntervalSeconds": 5}, {"options": {"path": "here"}}])
def test_a_planted_mistake_in_a_provider_is_refused(planted: dict[str, Any]) -> None:
    with pytest.raises(jsonschema.ValidationError):
        check({**PROVIDER["providers"][0], **planted}, DASHBOARDS)


def test_what_the_provider_loads_from_its_folder_grafana_can_tell_apart(tmp_path: Path) -> None:
    """Reads the folder as the provider does: every *.json in it, each a dashboard with uid and title of its own."""
    place = tmp_path / PROVIDER["providers"][0]["options"]["path"].lstrip("/")
    shutil.copytree(
        ROOT / "monitoring/dashboards", place, ignore=lambda _, names: [n for n in names if n[-5:] != ".json"]
    )
    loaded = [json.loads(path.read_text()) for path in sorted(place.glob("*.json"))]
    assert len(loaded) == 3
    assert len({one["uid"] for one in loaded}) == len({one["title"] for one in loaded}) == len(loaded)
    for dashboard in loaded:
        assert Dashboard.from_json(dashboard).to_json()["uid"] == dashboard["uid"]
