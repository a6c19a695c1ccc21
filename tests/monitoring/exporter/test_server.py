"""The HTTP side on a real socket."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import httpx
import pytest

from monitoring.exporter import server as server_module
from monitoring.exporter.loop import LONGEST_TURN, Exporter
from monitoring.exporter.scan import Scanner
from monitoring.exporter.series import Limits
from monitoring.exporter.server import Server
from robustcert.errors import InputError
from tests.monitoring.exporter.fleet import NOW, Fleet
from tests.monitoring.exporter.test_series import parsed


class Passed:
    """How much time passed, moved by hand."""

    seconds = 0.0


@pytest.fixture
def passed() -> Passed:
    return Passed()


@pytest.fixture
def exporter(scanner: Scanner, passed: Passed) -> Exporter:
    return Exporter(
        scanner, limits=Limits(), staleness=60.0, wall=lambda: NOW.timestamp(), steady=lambda: passed.seconds
    )


@pytest.fixture
def url(exporter: Exporter) -> Iterator[str]:
    server = Server(exporter, address="127.0.0.1", port=0)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def status(url: str) -> tuple[int, str]:
    answer = httpx.get(url, timeout=10, trust_env=False)
    return answer.status_code, answer.text


def test_a_scrape_is_prometheus_text_plain_or_compressed(exporter: Exporter, fleet: Fleet, url: str) -> None:
    fleet.add(0)
    exporter.scan()
    answers = {
        coding: httpx.get(f"{url}/metrics?x=1", headers={"Accept-Encoding": coding}, timeout=10, trust_env=False)
        for coding in ("identity", "gzip, deflate")
    }
    assert [answer.headers.get("Content-Encoding") for answer in answers.values()] == [None, "gzip"]
    for answer in answers.values():
        assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    plain, packed = (parsed(answer.text) for answer in answers.values())
    assert plain.keys() == packed.keys()
    assert "robustcert_certificate_status" in {name for name, _ in plain}
    assert not [name for name, _ in plain if name.endswith("_created")]


def test_ready_and_alive_are_what_the_exporter_is(exporter: Exporter, url: str, passed: Passed) -> None:
    assert status(f"{url}/healthz") == (200, "ok\n")
    assert status(f"{url}/readyz") == (503, "no scan succeeded lately\n")
    exporter.scan()
    assert status(f"{url}/readyz") == (200, "ok\n")
    passed.seconds = LONGEST_TURN
    assert status(f"{url}/healthz") == (503, "the loop hangs\n")


def test_other_paths_and_methods_are_refused(url: str) -> None:
    assert status(f"{url}/") == (404, "expected /metrics, /healthz or /readyz\n")
    assert httpx.post(f"{url}/metrics", content=b"x", timeout=10, trust_env=False).status_code == 501


def test_clients_that_say_nothing_keep_no_other_out_for_long(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """All places are taken by silent clients; when they are left for their silence, others are answered."""
    monkeypatch.setattr(server_module._Handler, "timeout", 0.2)
    address = ("127.0.0.1", int(url.rpartition(":")[2]))
    silent = [socket.create_connection(address) for _ in range(server_module.MOST_CLIENTS + 5)]
    try:
        for client in silent:
            client.settimeout(10)
            assert client.recv(1) == b""
        assert status(f"{url}/healthz") == (200, "ok\n")
    finally:
        for client in silent:
            client.close()


def test_a_client_that_leaves_in_the_middle_is_no_error(
    exporter: Exporter, fleet: Fleet, url: str, capfd: pytest.CaptureFixture[str]
) -> None:
    for number in range(50):
        fleet.add(number)
    exporter.scan()
    for _ in range(3):
        with socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2]))) as client:
            client.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
            client.recv(10)
    assert status(f"{url}/healthz") == (200, "ok\n")
    assert capfd.readouterr().err == ""


def test_a_port_that_is_taken_is_said(exporter: Exporter, url: str) -> None:
    port = int(url.rpartition(":")[2])
    with pytest.raises(InputError, match=f"expected a free address and port, got 127.0.0.1:{port}: Address already"):
        Server(exporter, address="127.0.0.1", port=port)
