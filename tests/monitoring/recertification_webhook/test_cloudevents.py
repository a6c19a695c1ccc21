"""CloudEvents 1.0 over HTTP in both modes; the bodies are those of the specification's examples with our types."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.monitoring.recertification_webhook.http_server import VERSION, MemoryController, Running, running

DATA = {"model": "digits", "version": VERSION, "text": "registered by ann"}
EVENT = {
    "specversion": "1.0",
    "type": "io.robustcert.model.registered",
    "source": "/registry/one",
    "id": "A234-1234-1234",
    "time": "2026-11-21T13:05:11Z",
    "comexampleextension1": "value",
    "datacontenttype": "application/json",
    "data": DATA,
}
STRUCTURED = {"Content-Type": "application/cloudevents+json; charset=utf-8"}


@pytest.fixture
def server() -> Iterator[Running]:
    with running(MemoryController()) as server:
        yield server


def structured(server: Running, event: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    answer = server.client.post("/v1/cloudevents", json=event, headers=STRUCTURED)
    return answer.status_code, answer.json()


def binary(server: Running, event: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    headers = {f"ce-{name}": str(value) for name, value in event.items() if name not in ("data", "datacontenttype")}
    answer = server.client.post("/v1/cloudevents", json=event["data"], headers=headers)
    return answer.status_code, answer.json()


MODES = pytest.mark.parametrize("send", [structured, binary])


@MODES
def test_a_registered_model_becomes_a_trigger(server: Running, send: Any) -> None:
    status, body = send(server, EVENT)
    (trigger,) = server.controller.offered
    assert (status, body["alerts"][0]["result"]) == (202, "queued")
    assert (trigger.source, trigger.model, trigger.version) == ("new-version", "digits", VERSION)
    assert (trigger.reason, trigger.text, trigger.suspend) == ("new-version", "registered by ann", False)


def test_one_event_is_one_episode_in_either_mode(server: Running) -> None:
    structured(server, EVENT)
    status, body = binary(server, {**EVENT, "source": "%2Fregistry%2Fone"})
    assert (status, body["alerts"][0]["result"]) == (202, "duplicate")
    assert structured(server, {**EVENT, "source": "/registry/two"})[1]["alerts"][0]["result"] == "merged"


@MODES
def test_drift_and_incidents_carry_their_reason(server: Running, send: Any) -> None:
    send(server, {**EVENT, "id": "1", "type": "io.robustcert.drift.detected", "data": {"model": "digits"}})
    incident = {"model": "digits", "reason": "accuracy", "suspend": True}
    send(server, {**EVENT, "id": "2", "type": "io.robustcert.incident.reported", "data": incident})
    found = [(one.source, one.version, one.reason, one.suspend) for one in server.controller.offered]
    assert found == [("cloudevent", "", "input-drift", False), ("cloudevent", "", "accuracy", True)]
    assert server.controller.offered[0].text == "io.robustcert.drift.detected from /registry/one"


@MODES
def test_an_event_of_another_type_is_acknowledged_and_ignored(server: Running, send: Any) -> None:
    status, body = send(server, {**EVENT, "type": "com.example.someevent", "data": {"anything": [1]}})
    assert (status, body["alerts"][0]["result"]) == (202, "ignored")
    assert server.controller.offered == []


@MODES
@pytest.mark.parametrize(
    "change",
    [
        {"specversion": "0.3"},
        {"id": ""},
        {"data": {}},
        {"data": {"model": "Not A Name"}},
        {"data": {"model": "digits", "reason": "no-such-code"}},
        {"data": {"model": "digits", "version": "12"}},
        {"data": [DATA]},
        {"data": {"model": "digits", "suspend": "yes"}},
    ],
)
def test_an_event_of_another_form_is_refused(server: Running, send: Any, change: dict[str, Any]) -> None:
    status, body = send(server, {**EVENT, **change})
    assert status == 400
    assert body["error"].startswith("expected a body as ")
    assert server.controller.offered == []


@pytest.mark.parametrize("name", ["specversion", "id", "source", "type"])
def test_an_attribute_that_is_missing_is_named(server: Running, name: str) -> None:
    event = {key: value for key, value in EVENT.items() if key != name}
    assert structured(server, event)[0] == 400
    status, body = binary(server, event)
    assert status == 400
    assert f"expected the header ce-{name}, got none" in body["error"]


@pytest.mark.parametrize("kind", ["application/cloudevents-batch+json", "text/plain", "application/xml", ""])
def test_a_body_of_another_type_is_refused(server: Running, kind: str) -> None:
    answer = server.client.post("/v1/cloudevents", content=b"[]", headers={"Content-Type": kind} if kind else {})
    assert answer.status_code == 415
    assert "application/cloudevents+json" in answer.json()["error"]


def test_data_that_is_missing_is_said_of_the_documented_form(server: Running) -> None:
    event = {"specversion": "1.0", "id": "1", "source": "s", "type": "io.robustcert.incident.reported"}
    answer = server.client.post("/v1/cloudevents", json=event, headers={"Content-Type": "application/cloudevents+json"})
    assert answer.status_code == 400
    assert answer.json()["error"].startswith("expected a body as CloudEvent in /openapi.json, got missing at data")
