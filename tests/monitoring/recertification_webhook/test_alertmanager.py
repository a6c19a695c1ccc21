"""Deliveries of Alertmanager over HTTP: each alert's own labels, nothing refused that is only not for us."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.monitoring.recertification_webhook.deliveries_example import alert, alertmanager
from tests.monitoring.recertification_webhook.http_server import NOW, VERSION, MemoryController, Running, running


@pytest.fixture(scope="module")
def module_server() -> Iterator[Running]:
    with running(MemoryController()) as server:
        yield server


@pytest.fixture
def server(module_server: Running) -> Running:
    module_server.controller.__init__()
    return module_server


def deliver(server: Running, *alerts: dict[str, Any], **fields: Any) -> list[dict[str, Any]]:
    answer = server.client.post("/v1/alertmanager", json=alertmanager(*alerts, **fields))
    assert answer.status_code == 202, answer.text
    return list(answer.json()["alerts"])


def test_an_alert_becomes_a_trigger_with_its_own_labels(server: Running) -> None:
    (outcome,) = deliver(server, alert())
    (trigger,) = server.controller.offered
    assert (trigger.source, trigger.model, trigger.version, trigger.reason) == (
        "alert",
        "digits",
        VERSION,
        "input-drift",
    )
    assert trigger.text == "RobustcertInputsDrifted: margins drifted: PSI 0.412"
    assert (trigger.suspend, trigger.resolved, trigger.received_at) == (False, False, NOW)
    assert outcome == {
        "episode": "0000000000000000:2026-11-21T13:05:11.123456Z",
        "result": "queued",
        "model": "digits",
        "version": VERSION,
        "requestId": "r0000",
        "state": "queued",
        "detail": "",
    }


def test_an_episode_is_the_fingerprint_with_the_moment_at_which_it_began(server: Running) -> None:
    again = {**alert(), "startsAt": "2026-11-21T13:05:11.123456999Z"}  # Go counts nanoseconds
    elsewhere = {**alert(), "startsAt": "2026-11-21T14:05:11.123456789+01:00"}
    later, other = {**alert(), "startsAt": "2026-11-21T13:06:11Z"}, alert(1)
    deliver(server, alert(), again, elsewhere, later, other)
    episodes = [trigger.episode for trigger in server.controller.offered]
    assert len(set(episodes[:3])) == 1
    assert len(set(episodes)) == 3
    assert {trigger.condition for trigger in server.controller.offered} == {"0" * 16, "0" * 15 + "1"}


def test_the_outcomes_stand_in_the_order_of_the_alerts(server: Running) -> None:
    outcomes = deliver(
        server, alert(0, action=""), alert(1), alert(2, model="A b"), alert(1), alert(3, status="resolved")
    )
    assert [one["result"] for one in outcomes] == ["ignored", "queued", "refused", "duplicate", "resolved"]
    assert [bool(one["detail"]) for one in outcomes] == [True, False, True, False, False]
    assert [trigger.resolved for trigger in server.controller.offered] == [False, False, True]


@pytest.mark.parametrize("action", ["", "page", "Recertify", "delete"])
def test_what_is_not_for_us_is_acknowledged_and_ignored(server: Running, action: str) -> None:
    assert deliver(server, alert(action=action))[0]["result"] == "ignored"
    assert deliver(server) == []
    assert server.controller.offered == []


@pytest.mark.parametrize(
    ("label", "value"),
    [
        ("model", ""),
        ("model", "Digits"),
        ("model", "a" * 64),
        ("model", "digits/../x"),
        ("model", "digits\n"),
        ("version", "0123"),
        ("version", "0123456789AB"),
        ("version", VERSION + "\n"),
        ("reason", "no-such-code"),
    ],
)
def test_a_label_of_a_wrong_form_is_refused_for_its_alert_alone(server: Running, label: str, value: str) -> None:
    before = server.desk.counts.read().get(("alert", "refused"), 0)
    wrong, right = deliver(server, alert(0, **{label: value}), alert(1))
    assert (wrong["result"], right["result"]) == ("refused", "queued")
    assert label in wrong["detail"]
    assert value not in wrong["detail"].split() or not value
    assert server.desk.counts.read()["alert", "refused"] == before + 1


def test_no_version_means_the_one_in_force_and_no_reason_an_incident(server: Running) -> None:
    deliver(server, alert(version="", reason=""))
    assert [(one.version, one.reason) for one in server.controller.offered] == [("", "incident")]


def test_the_action_suspend_asks_for_both(server: Running) -> None:
    deliver(server, alert(action="suspend"))
    assert [one.suspend for one in server.controller.offered] == [True]


def test_a_text_is_one_line_of_400_characters_without_credentials(server: Running) -> None:
    summary = "drift\nsee https://ann:pass-word@example.org\x1b[31m " + "x" * 1000
    deliver(server, {**alert(), "annotations": {"summary": summary}})
    (text,) = (one.text for one in server.controller.offered)
    assert len(text) == 400
    assert text.isprintable()
    assert "pass-word" not in text


def test_fields_of_newer_versions_are_ignored(server: Running) -> None:
    newer = {**alert(), "severityScore": {"a": [1, 2]}}
    assert deliver(server, newer, notificationReason="first", newField=[{}])[0]["result"] == "queued"


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"version": "5"}, "literal_error at version"),
        ({"version": 4}, "literal_error at version"),
        ({"alerts": "none"}, "list_type at alerts"),
        ({"alerts": [{**alert(), "labels": {"pass-word": 7}}]}, r"string_type at alerts\.0\.labels\.\*"),
        ({"alerts": [{**alert(), "startsAt": 1700000000}]}, r"at alerts\.0\.startsAt"),
        ({"alerts": [{**alert(), "startsAt": "2026-11-21T13:05:11"}]}, r"timezone_aware at alerts\.0\.startsAt"),
        ({"alerts": [{**alert(), "fingerprint": "x y"}]}, r"string_pattern_mismatch at alerts\.0\.fingerprint"),
        ({"alerts": [{**alert(), "status": "pending"}]}, r"literal_error at alerts\.0\.status"),
        ({"alerts": [alert()] * 1001}, "too_long at alerts"),
    ],
)
def test_a_delivery_of_another_form_is_refused_by_place_and_kind(
    server: Running, change: dict[str, Any], place: str
) -> None:
    answer = server.client.post("/v1/alertmanager", json=alertmanager(**change))
    assert answer.status_code == 400
    message = answer.json()["error"]
    assert re.search(place, message), message
    assert "\n" not in message
    assert "pass-word" not in message
    assert server.controller.offered == []


def test_a_thousand_alerts_are_taken(server: Running) -> None:
    small = {**alert(), "annotations": {}}
    outcomes = deliver(server, *({**small, "fingerprint": f"{number:x}"} for number in range(1000)))
    assert [one["result"] for one in outcomes] == ["queued"] + ["merged"] * 999


def test_alerts_that_alertmanager_cut_off_are_warned_of(server: Running, caplog: pytest.LogCaptureFixture) -> None:
    deliver(server, alert())
    deliver(server, alert(), truncatedAlerts=3)
    found = [one.__dict__["fields"]["truncated"] for one in caplog.records if one.levelname == "WARNING"]
    assert found == [3]


def test_an_alert_s_start_is_read_as_python_reads_it(server: Running) -> None:
    deliver(server, alert())
    (episode,) = (one.episode for one in server.controller.offered)
    read = datetime.fromisoformat(episode.partition(":")[2])
    assert read == datetime(2026, 11, 21, 13, 5, 11, 123456, tzinfo=UTC)
