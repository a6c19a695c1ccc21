"""A server whose certificate is replaced while it runs; Python's own client sees which one it shows."""

from __future__ import annotations

import logging
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from socket import create_connection, create_server, socket

import httpx
import pytest

from monitoring.recertification_webhook.settings import TlsSettings
from monitoring.recertification_webhook.tls_files import follow_files
from tests.monitoring.recertification_webhook.http_server import MemoryController, running
from tests.monitoring.recertification_webhook.test_server import Authority

Shown = Callable[[], str]


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """One authority; the files that a server reads are beside it, a pair in a folder of its own behind a link."""
    authority = Authority(tmp_path, "authority")
    mount(authority, "first")
    return authority


def mount(authority: Authority, name: str) -> None:
    """Puts a new pair in place in one step, as the kubelet does."""
    folder = authority.folder / f"..{name}"
    folder.mkdir()
    for path in authority.issue(name):
        path.rename(folder / f"tls{path.suffix}")
    (authority.folder / "..new").symlink_to(folder.name)
    (authority.folder / "..new").rename(authority.folder / "..data")


def files(folder: Path) -> TlsSettings:
    return TlsSettings(certificate=folder / "..data/tls.crt", key=folder / "..data/tls.key")


@pytest.fixture
def shown(authority: Authority) -> Iterator[Shown]:
    """Whose certificate a new client is shown, by its common name."""
    tls = files(authority.folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tls.certificate, tls.key)
    follow_files(context, tls)
    with closing(create_server(("127.0.0.1", 0))) as listening:
        threading.Thread(target=_serve, args=(listening, context), daemon=True).start()
        yield lambda: common_name(listening.getsockname()[1], authority)


def _serve(listening: socket, context: ssl.SSLContext) -> None:
    while True:
        try:
            connection, _ = listening.accept()
            with context.wrap_socket(connection, server_side=True) as secure:
                secure.recv(1)
        except OSError:
            return


def common_name(port: int, authority: Authority) -> str:
    client = ssl.create_default_context(cafile=str(authority.path))
    with (
        create_connection(("127.0.0.1", port), timeout=30) as plain,
        client.wrap_socket(plain, server_hostname="127.0.0.1") as secure,
    ):
        certificate = secure.getpeercert()
    assert certificate is not None
    return str(dict(part for (part,) in certificate["subject"])["commonName"])


def test_the_second_client_after_a_change_is_shown_the_new_certificate(
    authority: Authority, shown: Shown, caplog: pytest.LogCaptureFixture
) -> None:
    assert [shown(), shown()] == ["first", "first"]
    mount(authority, "second")
    with caplog.at_level(logging.INFO):
        assert [shown(), shown(), shown()] == ["first", "second", "second"]
    assert caplog.messages == ["certificate-replaced"]


def test_halves_that_do_not_belong_together_change_nothing_until_they_do(
    authority: Authority, shown: Shown, caplog: pytest.LogCaptureFixture
) -> None:
    old = (authority.folder / "..data/tls.key").read_bytes()
    mount(authority, "second")
    key = authority.folder / "..data/tls.key"
    new = key.read_bytes()
    key.write_bytes(old)
    assert [shown(), shown()] == ["first", "first"]
    assert caplog.messages == ["certificate-refused"]
    key.write_bytes(new)
    assert [shown(), shown()] == ["first", "second"]


def test_a_file_that_is_gone_changes_nothing(authority: Authority, shown: Shown) -> None:
    (authority.folder / "..data/tls.crt").unlink()
    assert [shown(), shown()] == ["first", "first"]
    mount(authority, "second")
    assert [shown(), shown()] == ["first", "second"]


def test_the_controller_s_interface_follows_its_files(authority: Authority) -> None:
    with running(MemoryController(), tls=files(authority.folder)) as interface:
        port = httpx.URL(interface.url).port
        assert port is not None
        mount(authority, "second")
        assert [common_name(port, authority), common_name(port, authority)] == ["first", "second"]
