"""Addresses, certificates of both sides, and who may be let in by which settings."""

from __future__ import annotations

import datetime
import ipaddress
import socket
import ssl
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from monitoring.recertification_webhook.server import Address, address, check, listening, make_desk
from robustcert.errors import InputError, WorldError
from tests.monitoring.recertification_webhook.deliveries_example import alert, alertmanager
from tests.monitoring.recertification_webhook.http_server import MemoryController, running, settings

TOKEN = "0123456789abcdef0123456789abcdef"


class Authority:
    """Signs certificates into files of a folder."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder, self.key = folder, ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.certificate = self._sign(self.name, self.key.public_key(), authority=True)
        self.path = folder / f"{name}.pem"
        self.path.write_bytes(self.certificate.public_bytes(serialization.Encoding.PEM))

    def issue(self, name: str) -> tuple[Path, Path]:
        """Files of a certificate for 127.0.0.1, for servers and clients, and of its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        certificate = self._sign(subject, key.public_key(), authority=False)
        files = self.folder / f"{name}.crt", self.folder / f"{name}.key"
        files[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        files[1].write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return files

    def _sign(self, subject: x509.Name, key: Any, *, authority: bool) -> x509.Certificate:
        now, day = datetime.datetime.now(datetime.UTC), datetime.timedelta(days=1)
        builder = x509.CertificateBuilder().subject_name(subject).issuer_name(self.name).public_key(key)
        builder = (
            builder.serial_number(x509.random_serial_number()).not_valid_before(now - day).not_valid_after(now + day)
        )
        builder = builder.add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        if not authority:
            place = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
            uses = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
            builder = builder.add_extension(place, critical=False)
            builder = builder.add_extension(x509.ExtendedKeyUsage(uses), critical=False)
        return builder.sign(self.key, hashes.SHA256())


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [("127.0.0.1:8090", "127.0.0.1", 8090), ("[::1]:0", "::1", 0), ("example.org:443", "example.org", 443)],
)
def test_an_address_is_a_host_and_a_port(text: str, host: str, port: int) -> None:
    assert address(text, key="listen") == Address(host=host, port=port)


@pytest.mark.parametrize("text", ["8090", "host:", ":8090", "host:65536", "host:-1", "host:x"])
def test_anything_else_is_refused_by_its_key(text: str) -> None:
    with pytest.raises(InputError, match="expected host:port as metrics, got '"):
        address(text, key="metrics")


def test_a_socket_knows_that_it_is_tcp() -> None:
    """Else asyncio leaves out TCP_NODELAY, and an answer in two pieces waits 40 ms for an acknowledgement."""
    with listening(Address(host="127.0.0.1", port=0), key="listen") as bound:
        assert bound.proto == socket.IPPROTO_TCP


def test_a_port_that_is_taken_is_one_line() -> None:
    with listening(Address(host="127.0.0.1", port=0), key="listen") as bound:
        taken = Address(host="127.0.0.1", port=bound.getsockname()[1])
        with pytest.raises(WorldError, match="expected listen to be an address to listen on, got an error"):
            listening(taken, key="listen").__enter__()


@pytest.mark.parametrize("listen", ["0.0.0.0:8090", "[::]:8090", "10.1.2.3:8090", "controller.example.org:8090"])
def test_an_address_that_others_reach_needs_tokens_or_client_certificates(listen: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"expected bearerTokenFile or tls.clientCa, got neither, and listen"):
        make_desk(settings(listen=listen), MemoryController())
    tokens = tmp_path / "tokens"
    tokens.write_text(TOKEN)
    assert make_desk(settings(listen=listen, bearer_token_file=tokens), MemoryController()).signatures is None


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"bearer_token_file": "none"}, "expected a file with a secret, got '.*none', which can't be read"),
        ({"bearer_token_file": "short"}, "expected TOKEN or NAME SCOPE"),
        ({"grafana_secret_file": "short"}, "expected one secret of 16 characters or more"),
        (
            {"tls": {"certificate": "short", "key": "short"}},
            "expected certificates and a key in PEM as tls, got SSLError",
        ),
        ({"tls": {"certificate": "none", "key": "none"}}, r"got FileNotFoundError \(No such file or directory\)"),
        ({"metrics": "x"}, "expected host:port as metrics"),
    ],
)
def test_settings_that_can_t_be_are_one_line_before_anything_starts(
    given: dict[str, Any], message: str, tmp_path: Path
) -> None:
    (tmp_path / "short").write_text("secret")

    def placed(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: placed(one) for name, one in value.items()}
        return tmp_path / value if value in ("none", "short") else value

    with pytest.raises(InputError, match=message) as raised:
        check(settings(**placed(given)), MemoryController())
    assert "\n" not in str(raised.value)


def test_with_an_authority_for_clients_only_its_certificates_get_through(tmp_path: Path) -> None:
    ours, other = Authority(tmp_path, "ours"), Authority(tmp_path, "other")
    certificate, key = ours.issue("server")
    tls = {"certificate": certificate, "key": key, "client_ca": ours.path}
    with running(MemoryController(), tls=tls) as server:
        for files, reached in ((ours.issue("client"), True), (other.issue("stranger"), False), (None, False)):
            context = ssl.create_default_context(cafile=str(ours.path))
            if files:
                context.load_cert_chain(*files)
            with httpx.Client(base_url=server.url, verify=context, trust_env=False) as client:
                if reached:
                    assert client.post("/v1/alertmanager", json=alertmanager(alert())).status_code == 202
                else:
                    with pytest.raises((httpx.ReadError, httpx.ConnectError, httpx.RemoteProtocolError)):
                        client.get("/healthz")
        assert len(server.controller.offered) == 1
