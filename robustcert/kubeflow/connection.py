"""Where Kubeflow Pipelines is, who asks, and how long to wait; checked when it is made."""

from __future__ import annotations

import ipaddress
import re
import ssl
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

import httpx

from robustcert.errors import InputError, expected
from robustcert.kubeflow.tokens import TokenFile

SERVICE = re.compile(r"[a-z]([a-z0-9-]*[a-z0-9])?")  # in the same namespace; digits alone are an address


@dataclass(frozen=True, kw_only=True)
class Connection:
    """Where the server is and who asks. Times in seconds; `retry_pauses` are the waits between tries of a GET.

    `answer_seconds` is for each piece of an answer, `whole_answer_seconds` for all of it.
    """

    host: str
    namespace: str = ""
    token: TokenFile | None = None
    ca_file: Path | None = None
    connect_seconds: float = 10.0
    answer_seconds: float = 60.0
    whole_answer_seconds: float = 300.0
    retry_pauses: tuple[float, ...] = (0.5, 1.0, 2.0, 4.0, 8.0)

    def __post_init__(self) -> None:
        parts = _parts(self.host)
        if parts is None or parts.scheme not in ("http", "https") or parts.query or parts.fragment:
            remedy = "write it as https://kubeflow.example.org/pipeline"
            place, *more = re.split("[?#]", self.host)
            got = repr(place[:200]) + (" and more" if more else "")  # which may be a secret
            raise InputError(expected("a URL as --host", got=got, remedy=remedy))
        if self.token is not None and parts.scheme == "http" and not stays_near(parts.hostname or ""):
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


def _parts(host: str) -> SplitResult | None:
    """The parts of a URL with a host and without credentials, None for anything else."""
    try:
        parts = urlsplit(host)
        name = httpx.URL(host).host.encode("idna")
        return None if "@" in parts.netloc or parts.port == 0 or not name else parts
    except (ValueError, httpx.InvalidURL):  # a name, a port or an IPv6 address that is none
        return None


def stays_near(host: str) -> bool:
    """Whether plain HTTP to `host` stays on this machine or inside the cluster."""
    if host == "localhost" or host.endswith((".svc", ".svc.cluster.local")):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return SERVICE.fullmatch(host) is not None
