"""Kubeflow's model registry over REST: a certified model becomes a version, its certificate one of the artifacts.

Source: api/openapi/model-registry.yaml of kubeflow/model-registry, API version v1alpha3, as of April 2026 (after its
release 0.3.8). Its server refuses unknown fields (400) and a second resource of one name (409), answers 404 where it
finds nothing, and replaces all custom properties when one is changed.

    registered model   <name of the certificate>
      version          <SHA-256 of the model>      custom properties: what the certificate in force says
        model-artifact model-<SHA-256>             uri: the model in the store
        doc-artifact   certificate-<SHA-256>       uri: the certificate in the store, one for each ever published

Everything is looked up by name first, and again when the answer to a creation was lost, so that publishing twice
changes nothing. No state and no alias is touched: a version is registered, never promoted.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, urlsplit

from robustcert.errors import InputError, WorldError, expected
from robustcert.extras import missing

if TYPE_CHECKING:
    import httpx

API = "/api/model_registry/v1alpha3"
PREFIX = "robustcert."
CONNECT_SECONDS = 5.0
READ_SECONDS = 30.0
CONFLICT = 409
NOT_FOUND = 404
MOST_BYTES = 4096

Found = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class RegistryAddress:
    """Where a registry answers; InputError unless https://host[:port][/path], or http:// without a token.

    `token` and `authorities` are files (empty for none): a bearer token, and PEM certificates to trust instead of the
    system's. A token goes over plain HTTP only to a service of the same cluster (*.svc), whose mesh encrypts.
    """

    url: str
    token: str = ""
    authorities: str = ""

    def __post_init__(self) -> None:
        parts = _parts(self.url)
        secretive = "@" in parts.netloc or parts.query or parts.fragment
        if secretive or parts.scheme not in ("http", "https") or not parts.hostname:
            got = "credentials or a query in it" if secretive else repr(self.url[:60])
            remedy = "a token belongs into a mounted file"
            raise InputError(expected("a model registry at https://host[:port]", got=got, remedy=remedy))
        if self.token and parts.scheme == "http" and not _inside(parts.hostname or ""):
            remedy = "use https://, so that the token stays secret"
            raise InputError(expected("https:// where a token is sent", got="http://", remedy=remedy))


@dataclass(frozen=True, kw_only=True)
class CertifiedModel:
    """What is registered: a model and the certificate that is in force for it, each with its place in the store."""

    name: str
    model_sha256: str
    model_uri: str
    model_format: str
    certificate_sha256: str
    certificate_uri: str
    properties: Mapping[str, str]


def register(model: CertifiedModel, *, address: RegistryAddress) -> str:
    """Registers what the registry does not know yet, and returns the version's id; WorldError where it fails."""
    with _connection(address) as client:
        registry = _Registry(client, address.url)
        parent = registry.ensure(
            "registered_model", {"name": model.name}, create="registered_models", fields=_described(model)
        )
        version = registry.ensure(
            "model_version",
            {"name": model.model_sha256, "parentResourceId": parent["id"]},
            create="model_versions",
            fields={"registeredModelId": parent["id"], "customProperties": _own_properties(model)},
        )
        for kind, fields in _artifacts(model).items():
            path = f"model_versions/{version['id']}/artifacts"
            find = {"name": fields["name"], "parentResourceId": version["id"]}
            registry.ensure("artifact", find, create=path, fields={"artifactType": kind, **fields})
        registry.update(version, _own_properties(model))  # last: whoever reads them finds the certificate there
        return str(version["id"])


class _Registry:
    """Calls of one connection; `place` stands for the registry in messages."""

    def __init__(self, client: httpx.Client, place: str) -> None:
        self._client, self._place = client, place

    def ensure(self, find: str, query: Mapping[str, str], *, create: str, fields: Mapping[str, object]) -> Found:
        """The resource that `query` names, created where there is none; a lost answer is found again."""

        def found() -> Found | None:
            return self._call("GET", find, query=query)

        def created() -> Found | None:
            return self._call("POST", create, body={"name": query["name"], **fields})

        return found() or self._sent(created, found)

    def update(self, version: Found, own: Mapping[str, object]) -> None:
        """Sets our custom properties and keeps everybody else's, unless they are so already."""
        present = version.get("customProperties") or {}
        if {name: _text_of(present.get(name)) for name in own} != {name: _text_of(own[name]) for name in own}:
            self._call("PATCH", f"model_versions/{version['id']}", body={"customProperties": {**present, **own}})

    def _sent(self, create: Callable[[], Found | None], find: Callable[[], Found | None]) -> Found:
        """What `create` made; where that failed or its answer was lost, what `find` sees afterwards."""
        try:
            made = create()
        except WorldError:
            with suppress(WorldError):
                if (found := find()) is not None:
                    return found
            raise
        if made is None:
            raise self._failure(f"HTTP status {NOT_FOUND}", remedy="check the address and the registry's version")
        return made

    def _call(
        self, method: str, path: str, *, query: Mapping[str, str] | None = None, body: Found | None = None
    ) -> Found | None:
        """The resource in the answer, None for 404."""
        import httpx

        try:
            answer = self._client.request(method, f"{API}/{path}", params=query, json=body)
        except httpx.HTTPError as error:
            remedy = "check the address, the network and the registry's certificate"
            raise self._failure(f"no answer ({type(error).__name__})", remedy=remedy) from error
        if answer.status_code == NOT_FOUND:
            return None
        if not answer.is_success:
            got = f"HTTP status {answer.status_code}{_told(answer)}"
            raise self._failure(got, remedy=_remedy(answer))
        return self._resource(answer)

    def _resource(self, answer: httpx.Response) -> Found:
        with suppress(ValueError, RecursionError):
            found = answer.json()
            if isinstance(found, dict) and str(found.get("id")).isdecimal():
                return found
        raise self._failure("an answer that is not the registry's", remedy="check the address")

    def _failure(self, got: str, *, remedy: str) -> WorldError:
        return WorldError(expected(f"an answer of the model registry {self._place}", got=got, remedy=remedy))


def _connection(address: RegistryAddress) -> httpx.Client:
    """A client of the registry; the token is read now, so that a rotated one is taken up."""
    try:
        import httpx
    except ImportError as error:
        raise missing("httpx") from error
    headers = {"Authorization": f"Bearer {_read(address.token).strip()}"} if address.token else {}
    return httpx.Client(
        base_url=address.url.rstrip("/"),
        headers=headers,
        verify=_tls(address.authorities),
        timeout=httpx.Timeout(READ_SECONDS, connect=CONNECT_SECONDS),
        trust_env=False,
    )


def _tls(authorities: str) -> Any:
    import ssl

    if not authorities:
        return ssl.create_default_context()
    try:
        return ssl.create_default_context(cadata=_read(authorities))
    except ssl.SSLError as error:
        remedy = "mount the registry's authorities as PEM"
        raise InputError(expected(f"certificates in '{authorities}'", got="another file", remedy=remedy)) from error


def _read(path: str) -> str:
    try:
        return Path(path).read_text("ascii")
    except (OSError, UnicodeDecodeError) as error:
        got = getattr(error, "strerror", None) or "other bytes than text"
        remedy = "mount it, and name where it is mounted"
        raise InputError(expected(f"a readable file '{path}'", got=got, remedy=remedy)) from error


def _parts(url: str) -> SplitResult:
    """The parts of a URL, empty ones where its host or port is none."""
    try:
        parts = urlsplit(url)
        return parts if parts.port != 0 else urlsplit("")
    except ValueError:
        return urlsplit("")


def _inside(host: str) -> bool:
    """Whether a host is this one or a service of the same cluster."""
    return host in ("localhost", "127.0.0.1", "::1") or host.endswith((".svc", ".svc.cluster.local"))


def _described(model: CertifiedModel) -> Found:
    return {"description": f"Models with certificates of adversarial robustness, specification {model.name}"}


def _own_properties(model: CertifiedModel) -> Found:
    return {
        f"{PREFIX}{name}": {"metadataType": "MetadataStringValue", "string_value": value}
        for name, value in model.properties.items()
    }


def _artifacts(model: CertifiedModel) -> dict[str, Found]:
    return {
        "model-artifact": {
            "name": f"model-{model.model_sha256}",
            "uri": model.model_uri,
            "modelFormatName": model.model_format,
        },
        "doc-artifact": {
            "name": f"certificate-{model.certificate_sha256}",
            "uri": model.certificate_uri,
            "customProperties": _own_properties(model),
        },
    }


def _text_of(value: object) -> object:
    return value.get("string_value") if isinstance(value, dict) else None


def _told(answer: httpx.Response) -> str:
    """What the registry says is wrong, on one line, without the token that it was sent."""
    token = answer.request.headers.get("Authorization", "").removeprefix("Bearer ")
    with suppress(ValueError, RecursionError):
        said = json.loads(answer.text[:MOST_BYTES])
        if isinstance(said, dict) and isinstance(said.get("message"), str):
            text = said["message"].replace(token, "***") if token else said["message"]
            return f" ({' '.join(text.split())[:200]})"
    return ""


def _remedy(answer: httpx.Response) -> str:
    if answer.status_code in (401, 403):
        return "check the token and what it may do"
    return "see the registry's log"
