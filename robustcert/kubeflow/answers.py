"""What the server answers, read or refused: JSON as a value, everything else as one line that says what to do.

Sources: grpc-gateway answers `{error, code, message, details}`, the upload endpoints `{error_message, error_details}`
(kubeflow/pipelines, backend/src/apiserver/server), a login proxy in front of them a redirect or a page of HTML.
"""

from __future__ import annotations

import json
import time
from typing import Any
from urllib.parse import urlsplit

import httpx

from robustcert.errors import WorldError, expected

# Refusals that a later try may not meet. A proxy answers all but 429 also when the server did what was asked.
TRANSIENT = frozenset({429, 502, 503, 504})
NOT_DONE = 429
MOST_OF_A_MESSAGE = 300
MOST_BYTES = 64 * 2**20  # of one answer; ten versions of the largest pipelines are less

_LOGIN = (
    "send a token (--token-file), or pass by the login: kubectl port-forward -n kubeflow svc/ml-pipeline 8888:8888 "
    "and --host http://localhost:8888"
)
_REMEDIES = {
    400: "see the message; `--dry-run` prints the request",
    401: (
        "give a fresh token: kubectl create token default-editor --audience pipelines.kubeflow.org > FILE, "
        "then --token-file FILE"
    ),
    403: "name your own --namespace, or have the token's service account bound to kubeflow-edit there",
    404: "check the name and --namespace",
    413: "store the specification: name an s3:// --store that this machine can write",
}
_OTHERWISE = "try again later; the log of ml-pipeline has the cause"


class AnswerError(WorldError):
    """The server refused a request, or gave no answer that can be read.

    `status` is the HTTP status, 0 without an answer; `transient` tells that a later try may succeed, `perhaps_done`
    that the server may have done what was asked all the same.
    """

    def __init__(self, message: str, *, status: int = 0, transient: bool = False, perhaps_done: bool = False) -> None:
        super().__init__(message)
        self.status = status
        self.transient = transient
        self.perhaps_done = perhaps_done


def whole(response: httpx.Response, *, seconds: float) -> bytes:
    """All bytes of an answer that is being read; AnswerError where they are too many or don't end in time."""
    content, end = bytearray(), time.monotonic() + seconds
    for chunk in response.iter_bytes():
        content += chunk
        if len(content) > MOST_BYTES or time.monotonic() > end:
            got = f"{len(content)} bytes and no end"
            what = f"at most {MOST_BYTES} bytes within {seconds:g} s from {response.request.url.host}"
            raise AnswerError(expected(what, got=got, remedy="check that --host is Kubeflow Pipelines 2"))
    return bytes(content)


def read_answer(response: httpx.Response, content: bytes, *, secret: str) -> dict[str, Any]:
    """The JSON object in an answer's bytes; AnswerError on any other answer, without `secret` in its text."""
    kind = response.headers.get("content-type", "").partition(";")[0]
    if response.is_redirect or (response.is_success and kind == "text/html"):
        raise _login_page(response)
    if not response.is_success:
        raise _refusal(response, content, secret=secret)
    try:
        value = json.loads(content or b"{}")
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        got = f"{kind or 'bytes'} of another form from {response.request.url.host}"
        raise AnswerError(expected("a JSON object", got=got, remedy="check that --host is Kubeflow Pipelines"))
    return value


def no_answer(error: httpx.RequestError, *, host: str) -> AnswerError:
    """The error about a request that no answer came to."""
    cause = " ".join(str(error).split()) or type(error).__name__
    remedy = "check --host and the network"
    if "CERTIFICATE_VERIFY_FAILED" in cause:
        remedy = "name the authority that signed the server's certificate: --ca-file FILE"
    return AnswerError(
        expected(f"an answer from {host}", got=cause, remedy=remedy),
        transient="CERTIFICATE" not in cause,
        perhaps_done=not isinstance(error, httpx.ConnectError | httpx.ConnectTimeout),
    )


def _login_page(response: httpx.Response) -> AnswerError:
    target = urlsplit(response.headers.get("location", ""))
    got = f"a redirect to {target.netloc}{target.path}" if response.is_redirect else "a page of HTML"
    what = f"Kubeflow Pipelines' interface at {response.request.url.host}"
    return AnswerError(expected(what, got=f"{got}, a login", remedy=_LOGIN), status=response.status_code)


def _refusal(response: httpx.Response, content: bytes, *, secret: str) -> AnswerError:
    status = response.status_code
    message = _message(response, content)
    if secret:
        message = message.replace(secret, "***")
    what = f"{response.request.url.host} to accept {response.request.method} {response.request.url.path}"
    remedy = _REMEDIES.get(status, _OTHERWISE)
    return AnswerError(
        expected(what, got=f"{status} {message[:MOST_OF_A_MESSAGE]!r}", remedy=remedy),
        status=status,
        transient=status in TRANSIENT,
        perhaps_done=status in TRANSIENT and status != NOT_DONE,
    )


def _message(response: httpx.Response, content: bytes) -> str:
    try:
        value: object = json.loads(content)
    except (ValueError, RecursionError):
        value = content.decode(errors="replace")
    if isinstance(value, dict):
        value = value.get("message") or value.get("error_message") or value.get("error") or ""
    return " ".join(str(value).split()) or response.reason_phrase
