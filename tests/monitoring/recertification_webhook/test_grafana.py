"""Deliveries of Grafana over HTTP: its signature, each taken once, and its alerts that observe nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.monitoring.recertification_webhook.deliveries_example import SECRET, alert, grafana, signed
from tests.monitoring.recertification_webhook.http_server import (
    NOW,
    MemoryController,
    Running,
    disk_full,
    running,
)

AT = NOW.timestamp()
BODY = json.dumps(grafana(alert())).encode()


@pytest.fixture
def secret_file(tmp_path: Path) -> Path:
    path = tmp_path / "grafana-secret"
    path.write_text(SECRET + "\n")
    return path


@pytest.fixture
def time() -> list[float]:
    """The clock's time, to be turned."""
    return [AT]


@pytest.fixture
def server(secret_file: Path, time: list[float]) -> Iterator[Running]:
    """Tokens are needed everywhere; Grafana's signature stands for one."""
    tokens = secret_file.with_name("tokens")
    tokens.write_text("0123456789abcdef0123456789abcdef")
    given = {"grafana_secret_file": secret_file, "bearer_token_file": tokens}
    with running(MemoryController(), **given, signature_clock=lambda: time[0]) as server:
        yield server


def post(server: Running, body: bytes = BODY, **headers: str) -> tuple[int, str]:
    answer = server.client.post("/v1/grafana", content=body, headers=headers)
    return answer.status_code, str(answer.json().get("error", ""))


def test_a_signed_delivery_is_taken_without_a_token(server: Running) -> None:
    assert post(server, **signed(BODY)) == (202, "")
    (trigger,) = server.controller.offered
    assert (trigger.source, trigger.model, trigger.condition) == ("grafana", "digits", "0" * 16)


def test_the_signature_is_the_one_that_openssl_makes(server: Running) -> None:
    """printf '1700000000:{}' | openssl dgst -sha256 -hmac SECRET, recorded."""
    assert signed(b"{}", at=1_700_000_000)["X-Grafana-Alerting-Signature"] == (
        "394d30bfcb98470afcdc63d35d64fcd273bd0f9b313c38d4557ae103e7fa0884"
    )


def test_a_replayed_signature_is_refused_and_counted(server: Running) -> None:
    headers = signed(BODY)
    assert post(server, **headers)[0] == 202
    status, error = post(server, **headers)
    assert status == 401
    assert "got one that came before" in error
    assert len(server.controller.offered) == 1
    assert server.desk.counts.read() == {("grafana", "refused"): 1}
    assert post(server, **signed(BODY, at=AT + 1))[0] == 202


def test_a_signature_whose_delivery_was_not_committed_may_come_again(server: Running) -> None:
    headers = signed(BODY)
    server.controller.broken = disk_full()
    assert post(server, **headers)[0] == 503
    server.controller.broken = None
    assert post(server, **headers)[0] == 202


@pytest.mark.parametrize("seconds", [-301, 301, -86400])
def test_a_signature_is_good_for_five_minutes(server: Running, seconds: int) -> None:
    status, error = post(server, **signed(BODY, at=AT + seconds))
    assert status == 401
    assert "more than 300 s off" in error


def test_a_replay_is_still_known_at_the_end_of_the_five_minutes_and_forgotten_after_them(
    server: Running, time: list[float]
) -> None:
    headers = signed(BODY)
    assert post(server, **headers)[0] == 202
    time[0] = AT + 300
    assert "came before" in post(server, **headers)[1]
    time[0] = AT + 400
    assert post(server, **signed(BODY, at=time[0]))[0] == 202
    assert server.desk.signatures is not None
    assert len(server.desk.signatures._taken) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"X-Grafana-Alerting-Signature": "0" * 64},
        {"X-Grafana-Alerting-Signature": ""},
        {"X-Grafana-Alerting-Timestamp": ""},
        {"X-Grafana-Alerting-Timestamp": "9" * 40},
        {"X-Grafana-Alerting-Timestamp": "-1"},
        {"X-Grafana-Alerting-Timestamp": str(int(AT) + 1)},
        signed(BODY, secret="another-secret-0123456789"),
        signed(BODY + b" "),
    ],
)
def test_a_wrong_signature_is_refused(server: Running, change: dict[str, str]) -> None:
    assert post(server, **{**signed(BODY), **change})[0] == 401
    assert server.controller.offered == []


def test_the_right_token_does_not_stand_for_the_signature(server: Running) -> None:
    bearer = {"Authorization": "Bearer 0123456789abcdef0123456789abcdef", "Content-Type": "application/json"}
    assert post(server, **bearer)[0] == 401


def test_the_secret_is_read_again_when_its_file_is_replaced(server: Running, secret_file: Path) -> None:
    new = secret_file.with_name("new")
    new.write_text("another-secret-0123456789")
    new.replace(secret_file)
    assert post(server, **signed(BODY))[0] == 401
    assert post(server, **signed(BODY, secret="another-secret-0123456789"))[0] == 202
    secret_file.unlink()
    assert post(server, **signed(BODY, at=AT + 1))[0] == 503


@pytest.mark.parametrize("name", ["DatasourceNoData", "DatasourceError"])
def test_an_alert_that_grafana_could_not_look_is_ignored(name: str) -> None:
    with running(MemoryController()) as server:
        body = grafana(alert(alertname=name), alert(1))
        results = [one["result"] for one in server.client.post("/v1/grafana", json=body).json()["alerts"]]
        assert results == ["ignored", "queued"]
