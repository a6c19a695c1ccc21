"""Bodies that are too large, too slow, too deep, of another type or garbage: one line each, counted, memory bounded."""

from __future__ import annotations

import asyncio
import json
import socket
import tracemalloc
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from starlette.requests import Request

from monitoring.recertification_webhook.alertmanager import AlertmanagerDelivery
from monitoring.recertification_webhook.limits import MOST_BYTES, parse, read_body
from monitoring.recertification_webhook.refusal import RefusalError
from tests.monitoring.recertification_webhook.deliveries_example import alert, alertmanager
from tests.monitoring.recertification_webhook.http_server import MemoryController, Running, running

JSON = {"Content-Type": "application/json"}
PATHS = ("/v1/alertmanager", "/v1/grafana", "/v1/cloudevents", "/v1/requests")
SMALL = json.dumps(alertmanager(alert())).encode()


@pytest.fixture(scope="module")
def server() -> Iterator[Running]:
    with running(MemoryController()) as server:
        yield server


def refused(server: Running, path: str, content: Any, **headers: str) -> tuple[int, str]:
    """Status and line of a refusal, which was counted once."""
    before = sum(server.desk.counts.read().values())
    answer = server.client.post(path, content=content, headers={**JSON, "Idempotency-Key": "1", **headers})
    assert sum(server.desk.counts.read().values()) == before + 1
    assert set(answer.json()) == {"error"}
    assert "\n" not in answer.json()["error"]
    return answer.status_code, answer.json()["error"]


def chunks(size: int) -> Iterator[bytes]:
    for _ in range(size // 65_536):
        yield b" " * 65_536


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("body", [b"", b"\x00\xff\xfe garbage", b"{", b'"text"', b"[]", b"null", b'{"version":"4"}'])
def test_garbage_is_refused(server: Running, path: str, body: bytes) -> None:
    assert refused(server, path, body)[0] == 400


@pytest.mark.parametrize("path", PATHS)
def test_ten_megabytes_are_refused_with_and_without_a_length(server: Running, path: str) -> None:
    for content in (b" " * 10 * 2**20, chunks(10 * 2**20)):
        status, error = refused(server, path, content)
        assert (status, error.partition(";")[0]) == (413, "expected at most 1048576 bytes, got more")


def test_the_limit_is_exact(server: Running) -> None:
    full = SMALL + b" " * (MOST_BYTES - len(SMALL))
    assert server.client.post("/v1/alertmanager", content=full, headers=JSON).status_code == 202
    assert refused(server, "/v1/alertmanager", full + b" ")[0] == 413


def test_a_body_beyond_the_limit_is_not_kept(server: Running) -> None:
    """All memory of this process, which is also the sender, while 16 MiB pass through in pieces."""
    refused(server, "/v1/alertmanager", chunks(16 * 2**20))
    tracemalloc.start()
    refused(server, "/v1/alertmanager", chunks(16 * 2**20))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 3 * 2**20


def test_a_length_that_would_take_long_to_read_is_refused_at_once(server: Running) -> None:
    with socket.create_connection(("127.0.0.1", httpx.URL(server.url).port)) as sender:
        head = f"POST /v1/alertmanager HTTP/1.1\r\nHost: 127.0.0.1\r\n{'Content-Type'}: application/json\r\n"
        sender.sendall(f"{head}Content-Length: {10**12}\r\n\r\n".encode())
        answer = sender.makefile("rb").read()
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"connection: close" in answer.lower()


@pytest.mark.parametrize(("levels", "status"), [(150, 202), (201, 400), (500_000, 400)])
def test_depth_is_bounded(server: Running, levels: int, status: int) -> None:
    body = SMALL[:-1] + b', "x": ' + b"[" * levels + b"]" * levels + b"}"
    answer = server.client.post("/v1/alertmanager", content=body, headers=JSON)
    assert answer.status_code == status
    if status == 400:
        assert "expected JSON of at most 200 levels, got more" in answer.json()["error"]


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "", "application/jsonx"])
def test_a_body_of_another_type_is_refused(server: Running, kind: str) -> None:
    status, error = refused(server, "/v1/alertmanager", SMALL, **{"Content-Type": kind})
    assert status == 415
    assert "expected a body of type application/json" in error


def test_a_body_that_does_not_arrive_is_given_up() -> None:
    async def nothing() -> Any:
        await asyncio.Event().wait()

    request = Request({"type": "http", "headers": []}, nothing)
    with pytest.raises(RefusalError, match=r"expected the whole body within 0\.05 s, got a part of it") as raised:
        asyncio.run(read_body(request, seconds=0.05))
    assert (raised.value.status, raised.value.headers) == (408, {"Connection": "close"})


def test_a_sender_that_goes_away_harms_nobody(server: Running) -> None:
    with socket.create_connection(("127.0.0.1", httpx.URL(server.url).port)) as sender:
        head = b"POST /v1/alertmanager HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        sender.sendall(head + b"Content-Length: 100\r\n\r\n{")
    assert server.client.post("/v1/alertmanager", content=SMALL, headers=JSON).status_code == 202


def test_what_is_wrong_is_told_by_place_and_kind_never_by_what_the_sender_wrote() -> None:
    body = alertmanager({**alert(), "labels": {"pass-word": 7}, "startsAt": "pass-word", "fingerprint": "pass-word"})
    with pytest.raises(RefusalError, match=r"3 error\(s\)") as raised:
        parse(AlertmanagerDelivery, json.dumps(body).encode())
    assert "pass-word" not in str(raised.value)
