"""Health, refusals in one line, and what a failing controller is answered by."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Iterator
from typing import Any

import pytest

from monitoring.recertification_webhook.requests import Readiness
from robustcert.errors import StorageError
from tests.monitoring.recertification_webhook.deliveries_example import alert, alertmanager
from tests.monitoring.recertification_webhook.http_server import MemoryController, Running, disk_full, running


@pytest.fixture
def server() -> Iterator[Running]:
    with running(MemoryController()) as server:
        yield server


@pytest.mark.parametrize(
    ("readiness", "status", "age"),
    [
        (Readiness(database_writable=True, loop_age_seconds=0.5), 200, 0.5),
        (Readiness(database_writable=True, loop_age_seconds=301), 503, 301),
        (Readiness(database_writable=True, loop_age_seconds=math.inf), 503, None),
        (Readiness(database_writable=False, loop_age_seconds=0.5, error="disk full"), 503, 0.5),
    ],
)
def test_it_is_ready_where_the_database_is_writable_and_the_loop_goes_round(
    server: Running, readiness: Readiness, status: int, age: float | None
) -> None:
    server.controller.ready = readiness
    answer = server.client.get("/readyz")
    assert answer.status_code == status
    assert answer.json() == {
        "ready": status == 200,
        "databaseWritable": readiness.database_writable,
        "loopAgeSeconds": age,
    }
    assert server.client.get("/healthz").json() == {"status": "ok"}


@pytest.mark.parametrize("error", [disk_full(), OSError(28, "No space left on device"), StorageError("no commit")])
def test_a_database_that_fails_is_answered_by_503_and_what_is_sent_again_is_taken(
    server: Running, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    """Alertmanager sends again after a 5xx, and not after a 4xx."""
    body = alertmanager(alert())
    server.controller.broken = error
    answer = server.client.post("/v1/alertmanager", json=body)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert "can't be read or written at the moment; send it again" in answer.json()["error"]
    assert "the database failed" in caplog.messages
    server.controller.broken = None
    assert server.client.post("/v1/alertmanager", json=body).json()["alerts"][0]["result"] == "queued"


def test_a_fault_of_ours_is_one_line_without_its_text(server: Running, caplog: pytest.LogCaptureFixture) -> None:
    server.controller.broken = ValueError("planted-secret")
    with caplog.at_level(logging.CRITICAL, logger="uvicorn.error"):
        answer = server.client.post("/v1/alertmanager", json=alertmanager(alert()))
    assert answer.status_code == 500
    assert answer.json() == {"error": "an error on our side; the controller's log has it under the same time"}
    assert server.desk.counts.read() == {("alert", "refused"): 1}


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nothing", 404),
        ("GET", "/v1/requests/", 404),
        ("GET", "/docs", 404),
        ("GET", "/metrics", 404),
        ("GET", "/v1/alertmanager", 405),
        ("PUT", "/v1/requests", 405),
        ("DELETE", "/v1/requests/r0001", 405),
    ],
)
def test_another_path_or_method_is_refused_in_a_line(server: Running, method: str, path: str, status: int) -> None:
    answer = server.client.request(method, path)
    assert answer.status_code == status
    assert answer.json()["error"].startswith("expected a documented path and method")
    assert ("allow" in answer.headers) == (status == 405)
    assert server.desk.counts.read() == {("api", "refused"): 1}


def test_a_refusal_is_logged_with_who_and_why_and_nothing_of_what_was_sent(
    server: Running, caplog: pytest.LogCaptureFixture
) -> None:
    headers = {"Content-Type": "application/json", "Authorization": "Bearer planted-secret", "X-Any": "planted-secret"}
    server.client.post("/v1/alertmanager?planted-secret", content=b'{"planted-secret": 1', headers=headers)
    (record,) = (one for one in caplog.records if one.message == "refused")
    fields: dict[str, Any] = record.__dict__["fields"]
    assert {name: fields[name] for name in ("source", "status", "method", "client")} == {
        "source": "alert",
        "status": 400,
        "method": "POST",
        "client": "127.0.0.1",
    }
    assert fields["why"].startswith("expected JSON, got bytes that are none")
    assert "planted-secret" not in json.dumps([str(one.__dict__) for one in caplog.records])


def test_answers_are_not_guessed_at_kept_or_signed(server: Running) -> None:
    headers = server.client.get("/healthz").headers
    assert (headers["x-content-type-options"], headers["cache-control"]) == ("nosniff", "no-store")
    assert "server" not in headers
