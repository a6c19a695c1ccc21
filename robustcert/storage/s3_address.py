"""What an s3:// URI says: bucket, key, and where S3 answers. No credentials: those never enter a URI.

TLS is the default. Plain HTTP is spoken only where an endpoint says `http://` in so many words; nothing falls back to
it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Self
from urllib.parse import parse_qsl, urlencode

from robustcert.errors import InputError, expected

AWS_ENDPOINT = "https://s3.amazonaws.com"

# The variables that other S3 tools read too, the more specific first.
ENDPOINT_VARIABLES = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
REGION_VARIABLES = ("AWS_REGION", "AWS_DEFAULT_REGION")

_URI = re.compile(
    r"s3://(?P<bucket>[a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(/(?P<key>[^?#\x00-\x1f]*))?(\?(?P<query>[^#\s]*))?"
)
_ENDPOINT = re.compile(r"https?://([A-Za-z0-9.-]+|\[[0-9A-Fa-f:]+\])(:(?P<port>[0-9]{1,5}))?/?")
_REGION = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_-]{0,61}[A-Za-z0-9])?")
_QUERY = {"endpoint", "region", "ca"}


@dataclass(frozen=True, kw_only=True)
class S3Settings:
    """Where S3 answers; InputError unless `endpoint` is http(s)://host[:port].

    `region` None means: ask the server. `ca` is a PEM file of the authorities to trust; None means the system's, or
    the file that SSL_CERT_FILE names.
    """

    endpoint: str = AWS_ENDPOINT
    region: str | None = None
    ca: str | None = None

    def __post_init__(self) -> None:
        parts = _ENDPOINT.fullmatch(self.endpoint)
        if parts is None or not 0 < int(parts["port"] or 1) < 1 << 16:
            remedy = "credentials belong into the environment, buckets into the s3:// URI"
            got = _without_secrets(self.endpoint)
            raise InputError(expected("an S3 endpoint http(s)://host[:port]", got=got, remedy=remedy))
        if self.region is not None and not _REGION.fullmatch(self.region):
            got, remedy = repr(self.region[:40]), "name a region such as eu-central-1, or none"
            raise InputError(expected("the name of a region", got=got, remedy=remedy))

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self:
        """Endpoint and region that the variables of other S3 tools name; AWS where they name none."""
        endpoint = _first(environment, ENDPOINT_VARIABLES)
        return cls(endpoint=endpoint or AWS_ENDPOINT, region=_first(environment, REGION_VARIABLES))


@dataclass(frozen=True, kw_only=True)
class S3Address:
    """What an s3:// URI says: bucket, key (or prefix; no slash at either end) and where S3 answers."""

    bucket: str
    key: str
    settings: S3Settings
    query: str

    def uri(self, key: str) -> str:
        """The URI of another key in the same bucket at the same endpoint."""
        return f"s3://{self.bucket}/{key}" + (f"?{self.query}" if self.query else "")


def parse_uri(uri: str, *, settings: S3Settings | None) -> S3Address:
    """Takes s3://bucket/key?endpoint=...&region=...&ca=... apart; what it leaves out comes from `settings`."""
    parts = _URI.fullmatch(uri)
    if parts is None:
        remedy = "name a bucket (3 to 63 of a-z, 0-9, - and .); credentials belong into the environment"
        raise InputError(expected("s3://bucket/prefix", got=_without_secrets(uri), remedy=remedy))
    chosen = _known_query(parts["query"] or "")
    return S3Address(
        bucket=parts["bucket"],
        key=(parts["key"] or "").strip("/"),
        settings=replace(settings or S3Settings(), **chosen),
        query=urlencode(sorted(chosen.items()), safe=":/[]"),
    )


def _known_query(query: str) -> dict[str, str]:
    chosen = dict(parse_qsl(query, keep_blank_values=True))
    if unknown := sorted(set(chosen) - _QUERY):
        remedy = "remove the rest; credentials belong into the environment"
        got = f"the key {unknown[0]!r}"
        raise InputError(expected("endpoint, region and ca in an s3:// URI", got=got, remedy=remedy))
    return chosen


def _first(environment: Mapping[str, str], names: tuple[str, ...]) -> str | None:
    return next((environment[name] for name in names if environment.get(name)), None)


def _without_secrets(text: str) -> str:
    return "credentials in it" if "@" in text else repr(text.partition("?")[0])
