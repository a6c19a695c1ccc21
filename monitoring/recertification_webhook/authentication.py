"""Who may ask for what: bearer tokens from a file, or client certificates, or anybody on the loopback interface.

The file holds a token a line, alone (it may do everything) or as `NAME SCOPE[,SCOPE] TOKEN`:

    deliver   POST /v1/alertmanager, /v1/grafana, /v1/cloudevents
    read      GET /v1/requests..., GET /
    operate   POST /v1/requests, .../cancel, .../retry

Tokens are compared in constant time, by their SHA-256, all of them each time. HTTP Basic with any user name and a token
for the password is the same, so that a browser can show the status page and an old sender can deliver. With
client certificates the TLS layer has refused everybody else before a byte is read here.

A browser adds credentials, and reaches loopback, on behalf of any page: what changes something is refused where it says
that it comes from another origin, and an anonymous request where it names a host other than this machine.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from urllib.parse import urlsplit

from monitoring.recertification_webhook.refusal import RefusalError, unavailable
from monitoring.recertification_webhook.watched_file import SHORTEST, WatchedFile
from robustcert.errors import KeyFileError, expected

CHALLENGE = {"WWW-Authenticate": 'Bearer realm="robustcert", Basic realm="robustcert"'}
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9@._-]{0,63}")
TOKEN = re.compile(rf"[!-~]{{{SHORTEST},4096}}")
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


class Scope(StrEnum):
    """What a caller may do."""

    DELIVER = "deliver"
    READ = "read"
    OPERATE = "operate"


@dataclass(frozen=True, kw_only=True)
class Caller:
    """Who asks, by the name that the audit log shows."""

    name: str
    scopes: frozenset[Scope] = frozenset(Scope)


def parse_tokens(text: str, path: Path) -> dict[bytes, Caller]:
    """SHA-256 of each token -> whose it is; KeyFileError that names the line and shows nothing of it."""
    lines = {number: line.split() for number, line in enumerate(text.splitlines(), 1)}
    wanted = {number: words for number, words in lines.items() if words and not words[0].startswith("#")}
    if not wanted:
        got = f"'{path}', which holds none"
        raise KeyFileError(expected("a file of bearer tokens", got=got, remedy="write one: openssl rand -hex 32"))
    return dict(_token(words, f"'{path}' line {number}") for number, words in wanted.items())


def _token(words: list[str], place: str) -> tuple[bytes, Caller]:
    name, scopes, token = words if len(words) == 3 else ("token", "deliver,read,operate", words[-1])
    parts = scopes.split(",")
    if (
        len(words) not in (1, 3)
        or not NAME.fullmatch(name)
        or not TOKEN.fullmatch(token)
        or not {*parts} <= {scope.value for scope in Scope}
    ):
        what = f"TOKEN or NAME SCOPE[,SCOPE] TOKEN, the token of {SHORTEST} characters or more"
        raise KeyFileError(expected(what, got=f"something else in {place}", remedy="scopes: deliver, read, operate"))
    return hashlib.sha256(token.encode()).digest(), Caller(name=name, scopes=frozenset(map(Scope, parts)))


class Gate:
    """Lets a request in or not. `tokens` is None with client certificates alone, or on loopback without any."""

    def __init__(self, *, token_file: Path | None, client_certificates: bool) -> None:
        self._tokens = None if token_file is None else WatchedFile(token_file, parse=parse_tokens)
        self._anyone = Caller(name="client-certificate" if client_certificates else "loopback")
        self._loopback_only = self._tokens is None and not client_certificates

    def check(self) -> None:
        """KeyFileError where the tokens can't be read."""
        if self._tokens is not None:
            self._tokens.value()

    def admit(self, headers: Mapping[str, str], scope: Scope, *, method: str) -> Caller:
        """Who asks; RefusalError where nobody known does (401), or one who may not (403)."""
        self.refuse_foreign_pages(headers, method=method)
        caller = self._anyone if self._tokens is None else self._by_token(self._tokens, headers)
        if scope not in caller.scopes:
            remedy = "use one that has it"
            raise RefusalError(403, expected(f"a token with scope {scope}", got="one without it", remedy=remedy))
        return caller

    def refuse_foreign_pages(self, headers: Mapping[str, str], *, method: str) -> None:
        """RefusalError (403) of what a page from elsewhere made a browser send."""
        host = headers.get("host", "")
        if self._loopback_only and not is_loopback(_host_name(host)):
            remedy = "use 127.0.0.1, or configure bearer_token_file"
            raise RefusalError(403, expected("a loopback name in the header Host", got="another", remedy=remedy))
        origin = headers.get("origin")
        elsewhere = origin is not None and origin.partition("://")[2] != host
        if method not in SAFE_METHODS and (elsewhere or headers.get("sec-fetch-site") in ("cross-site", "same-site")):
            raise RefusalError(
                403, expected("a request of this origin", got="one of another", remedy="send it directly")
            )

    def _by_token(self, tokens: WatchedFile[dict[bytes, Caller]], headers: Mapping[str, str]) -> Caller:
        try:
            known = tokens.value()
        except KeyFileError as error:  # for instance while it is being replaced
            raise unavailable("the token file can't be read at the moment; try again") from error
        presented = hashlib.sha256(presented_token(headers.get("authorization", ""))).digest()
        found = [caller for digest, caller in known.items() if hmac.compare_digest(digest, presented)]
        if not found:
            got = "another or none"
            remedy = "send the header Authorization: Bearer TOKEN"
            raise RefusalError(401, expected("a known token", got=got, remedy=remedy), headers=CHALLENGE)
        return found[0]


def presented_token(header: str) -> bytes:
    """The token in an Authorization header, as Bearer or as the password of Basic; empty where there is none."""
    scheme, _, rest = header.strip().partition(" ")
    if scheme.lower() == "bearer":
        return rest.strip().encode("utf-8", "surrogateescape")
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(rest.strip(), validate=True).partition(b":")[2]
        except (binascii.Error, ValueError):
            return b""
    return b""


def is_loopback(host: str) -> bool:
    """Whether a host name or address is this machine alone.

    >>> [is_loopback(host) for host in ("127.0.0.1", "::1", "localhost", "0.0.0.0", "example.org")]
    [True, True, True, False, False]
    """
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _host_name(host: str) -> str:
    """The name in a Host header, without port and brackets."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""
