"""The client of the controller: which servers it speaks to, what it tries again, and how it names what failed."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from robustcert.commands import controller_client
from robustcert.commands.controller_client import ControllerClient
from robustcert.commands.requests import Connection
from robustcert.errors import InputError, WorldError
from tests.monitoring.recertification_webhook.http_server import MemoryController, running
from tests.monitoring.recertification_webhook.test_server import Authority

OK = (200, "application/json", b'{"requests": [], "next": null}')


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(controller_client, "PAUSES", (0.0, 0.0))


def connection(url: str, **given: Path | None) -> Connection:
    fixed: dict[str, Path | None] = dict.fromkeys(("token_file", "ca_file", "client_certificate", "client_key"))
    return Connection(url=url, **{**fixed, **given})


@contextmanager
def answering(*answers: tuple[int, str, bytes]) -> Iterator[tuple[str, list[str]]]:
    """A server that gives these answers in turn, the last for ever; its URL and what was asked."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(f"{self.command} {self.path}")
            self.rfile.read(int(self.headers.get("content-length", 0)))
            status, kind, body = answers[min(len(asked), len(answers)) - 1]
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Location", "http://127.0.0.1:1/login")
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET

        def log_message(self, *_: Any) -> None:
            """Says nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", asked
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize(
    "url",
    ["", "127.0.0.1:8090", "ftp://x", "http://", "http://ann:word@x", "http://x:99999", "http://x?a=b", "http://[::1"],
)
def test_what_is_no_url_is_refused_without_its_credentials(url: str) -> None:
    with pytest.raises(InputError, match="expected the controller's URL as --url") as raised:
        ControllerClient(connection(url))
    assert "word" not in str(raised.value)


@pytest.mark.parametrize(
    ("url", "near"),
    [
        ("http://127.0.0.1:8090", True),
        ("http://localhost:8090", True),
        ("http://controller.robustcert.svc:8090", True),
        ("http://controller.example.org", False),
        ("https://controller.example.org", True),
    ],
)
def test_a_token_travels_in_the_clear_only_on_this_machine_or_in_the_cluster(
    url: str, near: bool, tmp_path: Path
) -> None:
    (tmp_path / "token").write_text("a-token-of-some-length")
    made = connection(url, token_file=tmp_path / "token")
    if near:
        ControllerClient(made).__exit__(None, None, None)
    else:
        with pytest.raises(InputError, match=r"expected https:// to send a token, got http://controller\.example\.org"):
            ControllerClient(made)


def test_looking_and_creating_are_tried_again_and_acting_is_not() -> None:
    busy = (503, "application/json", b'{"error": "expected a commit, got none; send it again"}')
    with answering(busy, busy, OK) as (url, asked), ControllerClient(connection(url)) as client:
        assert client.requests(limit=5) == []
        assert len(asked) == 3
    with answering(busy, (202, "application/json", b"{}")) as (url, asked), ControllerClient(connection(url)) as client:
        assert client.create({"model": "digits"}, key="one") == {}
        assert asked == ["POST /v1/requests"] * 2
    with answering(busy) as (url, asked), ControllerClient(connection(url)) as client:
        with pytest.raises(WorldError, match="got 503 'expected a commit, got none; send it again'"):
            client.act("r1", "cancel")
        assert len(asked) == 1


@pytest.mark.parametrize(
    "answer",
    [
        (200, "text/html", b"<html>login</html>"),
        (302, "text/html", b""),
        (200, "application/json", b"[1]"),
        (502, "text/html", b"bad gateway"),
        (200, "application/json", b"[" * 100_000),
    ],
)
def test_what_no_controller_answers_is_one_line(answer: tuple[int, str, bytes]) -> None:
    message = rf"got {answer[0]} and no word of the controller; check --url"
    with (
        answering(answer) as (url, _),
        ControllerClient(connection(url)) as client,
        pytest.raises(WorldError, match=message) as raised,
    ):
        client.request("r1")
    assert "\n" not in str(raised.value)


def test_an_unreachable_controller_is_one_line() -> None:
    message = r"expected an answer from 127\.0\.0\.1:1, got .*refused"
    with ControllerClient(connection("http://127.0.0.1:1")) as client, pytest.raises(WorldError, match=message):
        client.requests(limit=1)


def test_a_client_certificate_opens_a_controller_that_wants_one(tmp_path: Path) -> None:
    authority = Authority(tmp_path, "ours")
    certificate, key = authority.issue("server")
    shown, shown_key = authority.issue("client")
    tls = {"certificate": certificate, "key": key, "client_ca": authority.path}
    with running(MemoryController(), tls=tls) as server:
        with_it = connection(server.url, ca_file=authority.path, client_certificate=shown, client_key=shown_key)
        with ControllerClient(with_it) as client:
            assert client.requests(limit=1) == []
        with (
            ControllerClient(connection(server.url, ca_file=authority.path)) as client,
            pytest.raises(WorldError, match="expected"),
        ):
            client.requests(limit=1)
        blind = connection(server.url, client_certificate=shown, client_key=shown_key)
        message = r"CERTIFICATE_VERIFY_FAILED.*; check --ca-file"
        with ControllerClient(blind) as client, pytest.raises(WorldError, match=message):
            client.requests(limit=1)


def test_a_client_certificate_that_is_none_is_named(tmp_path: Path) -> None:
    (tmp_path / "none.pem").write_text("none")
    with pytest.raises(InputError, match="expected a certificate and its unencrypted key in PEM as --client-cert"):
        ControllerClient(connection("https://127.0.0.1", client_certificate=tmp_path / "none.pem"))
