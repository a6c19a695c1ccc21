"""How the minio client reaches a server: TLS, time limits, and repeated attempts.

Every request that the store makes may be repeated: objects are named by their bytes, a condition decides who writes a
document first, and an upload that was begun twice leaves parts that nobody sees and `sweep` removes.
"""

from __future__ import annotations

import ssl
from typing import Any
from urllib.parse import urlsplit

from minio import Minio
from minio.error import InvalidResponseError
from urllib3 import BaseHTTPResponse, PoolManager, Retry, Timeout

from robustcert.errors import InputError, expected
from robustcert.storage.s3_address import S3Settings
from robustcert.storage.s3_credentials import FreshCredentials

CONNECT_SECONDS = 5.0
READ_SECONDS = 60.0

# Repetitions, and what lies between them: nothing, 0.5, 1, 2 and 4 seconds, each up to a quarter second more.
RETRIES = 5
RETRIES_OF_UNANSWERED = 3
BACKOFF_SECONDS = 0.25
JITTER_SECONDS = 0.25
BUSY = (429, 500, 502, 503, 504)


def connect(settings: S3Settings) -> Minio:
    """A client of the server at `settings.endpoint`; InputError when `settings.ca` can't be read."""
    return _client(settings, _Pool(**_options(settings)))


def connect_if_absent(settings: S3Settings) -> Minio:
    """A client each of whose writes is refused where the key holds something already (If-None-Match: *)."""
    return _client(settings, _IfAbsentPool(**_options(settings)))


class _Pool(PoolManager):
    """Refuses the page of a web server where an answer of S3 was expected."""

    def urlopen(self, method: str, url: str, redirect: bool = True, **kw: Any) -> BaseHTTPResponse:  # type: ignore[override]
        answer = super().urlopen(method, url, redirect, **kw)
        kind = answer.headers.get("content-type", "")
        page = method == "GET" and kind.startswith("text/html")
        if page and not any(name.lower().startswith("x-amz-") for name in answer.headers):
            answer.close()
            raise InvalidResponseError(answer.status, kind, None)
        return answer


class _IfAbsentPool(_Pool):
    """minio has no argument for the condition, and Amazon's signature leaves room for headers that it does not sign."""

    def urlopen(self, method: str, url: str, redirect: bool = True, **kw: Any) -> BaseHTTPResponse:  # type: ignore[override]
        if method == "PUT":
            kw["headers"]["If-None-Match"] = "*"
        return super().urlopen(method, url, redirect, **kw)


def _client(settings: S3Settings, http: PoolManager) -> Minio:
    parts, credentials = urlsplit(settings.endpoint), FreshCredentials()
    credentials.retrieve()  # where there are none, it is told now
    secure = parts.scheme == "https"
    return Minio(parts.netloc, secure=secure, region=settings.region, http_client=http, credentials=credentials)


def _options(settings: S3Settings) -> dict[str, Any]:
    time_limit = Timeout(connect=CONNECT_SECONDS, read=READ_SECONDS)
    return {"timeout": time_limit, "retries": _retries(), "ssl_context": _trust(settings.ca)}


def _retries() -> Retry:
    """Of connections, lost answers and busy servers; not of certificates (`other`), nor to where a server redirects."""
    return Retry(
        total=RETRIES,
        read=RETRIES_OF_UNANSWERED,
        other=0,
        redirect=False,
        status_forcelist=BUSY,
        allowed_methods=None,
        backoff_factor=BACKOFF_SECONDS,
        backoff_jitter=JITTER_SECONDS,
        raise_on_status=False,
        respect_retry_after_header=False,
    )


def _trust(ca: str | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca)
    except OSError as error:  # ssl.SSLError is one
        got = f"{ca!r}: {error.strerror or type(error).__name__}"
        raise InputError(expected("a PEM file of authorities as ca=", got=got, remedy="name such a file")) from None
