"""Oracle: what the scripted server was asked, and certificates that `cryptography` signs."""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest
from urllib3 import HTTPResponse

from robustcert.errors import InputError, StorageError
from robustcert.storage import s3_connection
from robustcert.storage.s3 import S3Store
from tests.storage.scripted_server import Answer, refusal, scripted_server
from tests.storage.tls import CertificateFiles, issue

DOCUMENT = Answer(body=b"{}", kind="application/octet-stream")
OFFLINE = Answer(status=0)


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_busy_server_is_asked_again(credentials: None, status: int) -> None:
    busy = refusal("SlowDown", status=status)
    with scripted_server(busy, busy, busy, DOCUMENT) as server:
        assert S3Store(f"s3://models?endpoint={server.endpoint}&region=r").read_document("x") == b"{}"
    assert len(server.asked) == 4


def test_a_connection_that_breaks_is_made_again_for_reads_and_for_writes(credentials: None) -> None:
    with scripted_server(OFFLINE, OFFLINE, DOCUMENT) as server:
        store = S3Store(f"s3://models?endpoint={server.endpoint}&region=r")
        assert store.read_document("x") == b"{}"
        server.answers[:] = [OFFLINE, DOCUMENT]
        store.write_document("x", b"{}")
    assert [method for method, _, _ in server.asked] == ["GET"] * 3 + ["PUT"] * 2


def test_attempts_are_bounded(credentials: None) -> None:
    for answer, attempts in ((refusal("SlowDown", status=503), 6), (OFFLINE, 4)):
        with scripted_server(answer) as server, pytest.raises(StorageError, match=r"error SlowDown|got no answer"):
            S3Store(f"s3://models?endpoint={server.endpoint}&region=r").read_document("x")
        assert len(server.asked) == attempts


@pytest.mark.parametrize("code", ["AccessDenied", "InvalidAccessKeyId", "QuotaExceeded", "NoSuchBucket"])
def test_what_will_not_change_is_asked_once(credentials: None, code: str) -> None:
    with scripted_server(refusal(code, status=403)) as server, pytest.raises(StorageError):
        S3Store(f"s3://models?endpoint={server.endpoint}&region=r").read_document("x")
    assert len(server.asked) == 1


def test_the_waits_grow_and_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()  # the conftest's haste
    retries, waits = s3_connection._retries(), []
    for _ in range(s3_connection.RETRIES):
        retries = retries.increment("GET", "/", response=HTTPResponse(status=503))
        waits.append(retries.get_backoff_time())
    assert all(wanted <= wait <= wanted + 0.25 for wait, wanted in zip(waits, [0, 0.5, 1, 2, 4], strict=True))


def test_a_redirection_is_told_and_not_followed(credentials: None) -> None:
    with (
        scripted_server(DOCUMENT) as elsewhere,
        scripted_server(
            Answer(status=307, body=b"<Error><Code>TemporaryRedirect</Code></Error>", headers={"Location": "PLACE"})
        ) as server,
    ):
        server.answers[0].headers["Location"] = elsewhere.endpoint  # type: ignore[index]
        with pytest.raises(StorageError, match="got another region than the bucket's; name the bucket's region"):
            S3Store(f"s3://models?endpoint={server.endpoint}&region=r").read_document("x")
    assert elsewhere.asked == []


def test_a_condition_goes_with_the_write_alone(credentials: None) -> None:
    location = Answer(body=b"<LocationConstraint>r</LocationConstraint>")
    missing = refusal("NoSuchKey", status=404)
    with scripted_server(location, missing, location, DOCUMENT, DOCUMENT) as server:
        S3Store(f"s3://models?endpoint={server.endpoint}").write_document_once("x", b"{}")
    asked = [(method, headers.get("if-none-match")) for method, _, headers in server.asked]
    assert asked == [("GET", None), ("GET", None), ("GET", None), ("PUT", "*"), ("GET", None)]


def test_no_secret_is_sent(credentials: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "aSecretThatIsNeverSent")
    with scripted_server(DOCUMENT) as server:
        S3Store(f"s3://models?endpoint={server.endpoint}&region=r").write_document("x", b"{}")
    assert "aSecretThatIsNeverSent" not in repr(server.asked)


@contextmanager
def tls_server(files: CertificateFiles) -> Iterator[int]:
    """Port of a server that answers every GET over TLS with `{}`."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_: object) -> None:
            pass

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.certificate, files.key)
    server = HTTPServer(("127.0.0.1", 0), Handler)
    server.handle_error = lambda *_: None  # type: ignore[method-assign]
    with server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        Thread(target=server.serve_forever, args=(0.01,)).start()
        yield server.server_port
        server.shutdown()


@pytest.mark.parametrize("way", ["ca=", "SSL_CERT_FILE"])
def test_an_authority_of_ones_own_is_named_in_the_uri_or_in_the_environment(
    credentials: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    files = issue(tmp_path)
    with tls_server(files) as port:
        uri = f"s3://models?endpoint=https://127.0.0.1:{port}&region=r"
        if way == "ca=":
            uri += f"&ca={files.authority}"
        else:
            monkeypatch.setenv("SSL_CERT_FILE", str(files.authority))
        assert S3Store(uri).read_document("x") == b"{}"


@pytest.mark.parametrize(
    ("host", "valid_for_days", "trusted", "message"),
    [
        ("127.0.0.1", (-9, -1), True, "got an expired TLS certificate; renew the server's certificate"),
        ("127.0.0.1", (1, 9), True, "got a TLS certificate that is not valid yet; set this machine's clock"),
        ("127.0.0.2", (-1, 9), True, "got a TLS certificate for another host; use the host name that"),
        ("127.0.0.1", (-1, 9), False, "got a TLS certificate of an unknown authority; name the file of its authority"),
    ],
)
def test_a_certificate_that_proves_nothing_is_refused_at_once(
    credentials: None, tmp_path: Path, host: str, valid_for_days: tuple[int, int], trusted: bool, message: str
) -> None:
    files = issue(tmp_path, host=host, valid_for_days=valid_for_days)
    ca = f"&ca={files.authority}" if trusted else ""
    with tls_server(files) as port, pytest.raises(StorageError, match=message):
        S3Store(f"s3://models?endpoint=https://127.0.0.1:{port}&region=r{ca}").read_document("x")


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_a_file_of_authorities_that_can_not_be_read_is_told(
    credentials: None, tmp_path: Path, content: str | None
) -> None:
    if content is not None:
        (tmp_path / "ca.pem").write_text(content)
    with pytest.raises(InputError, match=r"expected a PEM file of authorities as ca=, got '.*/ca.pem': .*; name such"):
        S3Store(f"s3://models?ca={tmp_path}/ca.pem")
