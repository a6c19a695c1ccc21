"""A connection that would send a token in the open, or that is no URL, is refused when it is made."""

from __future__ import annotations

import datetime
import ssl
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from robustcert.errors import InputError
from robustcert.kubeflow.answers import AnswerError
from robustcert.kubeflow.client import KubeflowClient
from robustcert.kubeflow.connection import Connection
from robustcert.kubeflow.tokens import TokenFile

TOKEN = TokenFile(Path("token"))


NO_URLS = [
    *("", "kubeflow.example.org", "ftp://x", "https://", "https://x?y=1", "https://x:99999", "https://[x"),
    *("https://x/#/pipelines", "http://x:y", "http://x:0", "http://x\n:1", "http://\udcff", "https://..x"),
    *("https://xn--.x", f"https://{'x' * 64}.org"),
]
SECRET = ["https://u:hunter2@x", "https://:hunter2@x", "https://x/?token=hunter2", "https://x/#token=hunter2"]


@pytest.mark.parametrize("host", [*NO_URLS, *SECRET])
def test_what_is_no_url_is_refused_and_its_secrets_are_not_repeated(host: str) -> None:
    with pytest.raises(InputError, match=r"expected a URL as --host, got .*; write it as https://") as error:
        Connection(host=host)
    assert "hunter2" not in str(error.value)


@pytest.mark.parametrize(
    "host",
    [
        *("http://kubeflow.example.org", "http://10.0.0.1:8888", "http://evil.svc.example.org"),
        *("http://167772161:8888", "http://0xa000001:8888", "http://[fd00::1]:8888"),
    ],
)
def test_a_token_is_not_sent_in_the_open(host: str) -> None:
    assert Connection(host=host).token is None
    with pytest.raises(InputError, match="expected https:// to send a token, got http://"):
        Connection(host=host, token=TOKEN)


@pytest.mark.parametrize(
    "host",
    [
        "https://kubeflow.example.org/pipeline",
        "http://localhost:8888",
        "http://127.0.0.1:8888",
        "http://[::1]:8888",
        "http://ml-pipeline:8888",
        "http://ml-pipeline.kubeflow.svc:8888",
        "http://ml-pipeline.kubeflow.svc.cluster.local:8888",
    ],
)
def test_a_token_goes_by_tls_orstays_near(host: str) -> None:
    assert Connection(host=host, token=TOKEN).host == host


class _Hello(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(b'{"run_id": "r"}')

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the name in http.server
        pass


def self_signed(folder: Path) -> Path:
    """A certificate for localhost and its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path = folder / "localhost.pem"
    path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM) + private)
    return path


def test_tls_is_verified_with_the_authorities_that_were_named(tmp_path: Path) -> None:
    pem = self_signed(tmp_path)
    server = HTTPServer(("127.0.0.1", 0), _Hello)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    host = f"https://localhost:{server.server_address[1]}"
    with KubeflowClient(Connection(host=host)) as stranger, pytest.raises(AnswerError, match="--ca-file FILE"):
        stranger.run("r")
    with KubeflowClient(Connection(host=host, ca_file=pem)) as friend:
        assert friend.run("r").run_id == "r"
    server.shutdown()
    server.server_close()


def test_a_file_without_certificates_is_refused(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("nothing")
    for path in (tmp_path / "ca.pem", tmp_path / "none.pem"):
        with pytest.raises(InputError, match=r"expected certificates in PEM as --ca-file, got '.*\.pem' \("):
            KubeflowClient(Connection(host="https://x", ca_file=path))
