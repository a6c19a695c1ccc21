"""The recertification controller over HTTP, as `robustcert requests` asks it; what goes wrong is one line.

Looking and creating are tried again where no answer came: the key makes it the same request. Ending and retrying are
not, since whoever asks should see what came of the first.
TLS is always verified; proxy, netrc and certificate settings of the environment are not used.
"""

from __future__ import annotations

import json
import ssl
import time
from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

import httpx

from robustcert.errors import InputError, WorldError, expected
from robustcert.kubeflow.connection import stays_near, verification
from robustcert.kubeflow.tokens import TokenAuth, TokenFile, token_in

if TYPE_CHECKING:
    from robustcert.commands.requests import Connection

ANSWER_SECONDS = 30.0
PAUSES = (0.5, 1.0, 2.0)  # seconds before another try where there was no answer, or 503
MOST = 500  # requests a page
MOST_BYTES = 16 * 2**20
MOST_OF_A_MESSAGE = 300
_REMEDIES = {
    401: "give --token-file, or another",
    403: "use a token with the scope that this needs",
    404: "check --url and the id: robustcert requests list",
    409: "look at it: robustcert requests show",
}


class ControllerClient:
    """Speaks to one controller; use as a context. InputError where it says no, WorldError where it can't be asked."""

    def __init__(self, connection: Connection) -> None:
        token = None if connection.token_file is None else TokenFile(connection.token_file)
        self._http = httpx.Client(
            base_url=_checked(connection.url, with_token=token is not None),
            auth=TokenAuth(token),
            verify=_context(connection),
            timeout=ANSWER_SECONDS,
            trust_env=False,
            follow_redirects=False,
        )

    def __enter__(self) -> ControllerClient:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def requests(self, *, limit: int, **conditions: str) -> list[dict[str, Any]]:
        """The newest `limit` requests, page by page."""
        found: list[dict[str, Any]] = []
        after: str | None = ""
        while after is not None and len(found) < limit:
            query = {**conditions, "limit": min(limit - len(found), MOST), **({"after": after} if after else {})}
            page = self._ask("GET", "/v1/requests", params=query)
            found += page["requests"]
            after = page["next"]
        return found

    def request(self, request_id: str) -> dict[str, Any]:
        """One request."""
        return self._ask("GET", _path(request_id))

    def history(self, request_id: str) -> list[dict[str, Any]]:
        """Its audit entries."""
        return list(self._ask("GET", _path(request_id) + "/history")["entries"])

    def act(self, request_id: str, action: str) -> dict[str, Any]:
        """The request after `cancel` or `retry`."""
        return self._send("POST", f"{_path(request_id)}/{action}")

    def create(self, body: Mapping[str, Any], *, key: str) -> dict[str, Any]:
        """What was done with the wish."""
        return self._ask("POST", "/v1/requests", json=body, headers={"Idempotency-Key": key})

    def _ask(self, method: str, path: str, **request: Any) -> dict[str, Any]:
        for pause in PAUSES:
            try:
                return self._send(method, path, **request)
            except _NotNowError:
                time.sleep(pause)
        return self._send(method, path, **request)

    def _send(self, method: str, path: str, **request: Any) -> dict[str, Any]:
        try:
            response = self._http.request(method, path, **request)
        except (httpx.RequestError, ValueError) as error:
            raise _no_answer(error, self._http.base_url) from error
        return _read(response)


class _NotNowError(WorldError):
    """No answer, or 503: a later try may have one."""


def _read(response: httpx.Response) -> dict[str, Any]:
    try:
        value = json.loads(response.content[:MOST_BYTES])
    except (ValueError, RecursionError):
        value = None
    if response.is_success and isinstance(value, dict):
        return value
    secret = token_in(response.request)
    said = str(value.get("error", "")) if isinstance(value, dict) else ""
    message = " ".join((said.replace(secret, "***") if secret else said).split())[:MOST_OF_A_MESSAGE]
    what = f"{response.request.url.host} to accept {response.request.method} {response.request.url.path}"
    got = f"{response.status_code} {message!r}" if message else f"{response.status_code} and no word of the controller"
    remedy = _REMEDIES.get(response.status_code, "check --url, and the controller's log")
    kind = _NotNowError if response.status_code == 503 else InputError if response.is_client_error else WorldError
    raise kind(expected(what, got=got, remedy=remedy))


def _no_answer(error: Exception, url: httpx.URL) -> WorldError:
    cause = " ".join(str(error).split()) or type(error).__name__
    failed = "CERTIFICATE" in cause or "SSL" in cause
    remedy = "check --ca-file and --client-certificate" if failed else "check --url and the network"
    kind = WorldError if failed else _NotNowError
    return kind(expected(f"an answer from {url.host}:{url.port or url.scheme}", got=cause, remedy=remedy))


def _checked(url: str, *, with_token: bool) -> str:
    """The URL; InputError where it is none, holds credentials, or would carry a token in the clear."""
    try:
        parts = urlsplit(url)
        known = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        known = False
    if not known or "@" in parts.netloc or parts.query or parts.fragment:
        got = repr(url.partition("?")[0][:200])
        raise InputError(expected("the controller's URL as --url", got=got, remedy="such as http://127.0.0.1:8090"))
    if with_token and parts.scheme == "http" and not stays_near(parts.hostname or ""):
        remedy = "use https://, or a port-forward and http://127.0.0.1:8090"
        raise InputError(expected("https:// to send a token", got=f"http://{parts.hostname}", remedy=remedy))
    return url.rstrip("/")


def _context(connection: Connection) -> ssl.SSLContext | bool:
    """How the server is verified, and the certificate that is shown to it."""
    known = verification(connection.ca_file)
    if connection.client_certificate is None:
        return known
    context = httpx.create_ssl_context(trust_env=False) if isinstance(known, bool) else known
    try:
        context.load_cert_chain(connection.client_certificate, connection.client_key, password=lambda: b"")
    except (OSError, ssl.SSLError) as error:
        got = f"'{connection.client_certificate}' ({error.strerror or type(error).__name__})"
        what = "a certificate and its unencrypted key in PEM as --client-certificate"
        raise InputError(expected(what, got=got, remedy="name others, also --client-key")) from error
    return context


def _path(request_id: str) -> str:
    return "/v1/requests/" + quote(request_id, safe="")
