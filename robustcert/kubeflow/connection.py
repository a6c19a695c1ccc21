"""Where Kubeflow Pipelines is, who asks, and how long to wait; checked when it is made."""

from __future__ import annotations

import ipaddress
import ssl
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from robustcert.errors import InputError, expected
from robustcert.kubeflow.tokens import TokenFile


@dataclass(frozen=True, kw_only=True)
class Connection:
    """Where the server is and who asks. Times in seconds; `retry_pauses` are the waits between tries of a GET."""

    host: str
    namespace: str = ""
    token: TokenFile | None = None
    ca_file: Path | None = None
    connect_seconds: float = 10.0
    answer_seconds: float = 60.0
    retry_pauses: tuple[float, ...] = (0.5, 1.0, 2.0, 4.0, 8.0)

    def __post_init__(self) -> None:
        parts = urlsplit(self.host)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.username:
            remedy = "write it as https://kubeflow.example.org/pipeline"
            raise InputError(expected("a URL as --host", got=repr(self.host[:200]), remedy=remedy))
        if self.token is not None and parts.scheme == "http" and not _stays_near(parts.hostname):
            remedy = "use https://, or a port-forward and --host http://localhost:8888"
            raise InputError(expected("https:// to send a token", got=f"http://{parts.hostname}", remedy=remedy))


def verification(ca_file: Path | None) -> ssl.SSLContext | bool:
    """How httpx verifies the server: with the authorities of `ca_file`, or with those that it brings."""
    if ca_file is None:
        return True
    try:
        return ssl.create_default_context(cafile=str(ca_file))
    except (OSError, ssl.SSLError) as error:
        got = f"'{ca_file}' ({getattr(error, 'strerror', None) or error})"
        raise InputError(expected("certificates in PEM as --ca-file", got=got, remedy="name another file")) from error


def _stays_near(host: str) -> bool:
    """Whether plain HTTP to `host` stays on this machine or inside the cluster."""
    if host == "localhost" or host.endswith((".svc", ".svc.cluster.local")):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return "." not in host
