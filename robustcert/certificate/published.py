"""Published certificates: for each name and model, which certificate is in force.

`published/<name>/<model sha256>/<certificate sha256>.json` is what a deployer, the exporter and the recertification
controller look up; of a model's documents the newest counts. A document is a pointer and proves nothing: whoever relies
on a certificate verifies it (docs/certificate.md). It is written once and never removed, so that publishers at the same
moment can't undo each other's work; `notAfter` says when it ends.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from pydantic import ValidationError

from robustcert.certificate.bundle import certificate_name
from robustcert.certificate.envelope import MAX_BYTES, PAYLOAD_TYPE, parse_canonical
from robustcert.certificate.schema import Predicate, Statement
from robustcert.document import IssuedPart, Name, Sha256, Timestamp
from robustcert.errors import StorageError, VerificationError, expected
from robustcert.provenance.digests import sha256_bytes
from robustcert.storage.store import Store

PUBLISHED = "published/"
MOST_SKEW = timedelta(minutes=10)  # between the clocks of who issues and who publishes


class PublishedCertificate(IssuedPart):
    """The certificate in force of one model under one name."""

    schema_version: Literal["1"]
    name: Name
    certificate_sha256: Sha256
    model_sha256: Sha256
    specification_sha256: Sha256
    verdict: Literal["accepted"]
    certified_at: Timestamp
    not_after: Timestamp
    run_id: str
    supersedes: tuple[Sha256, ...]


@dataclass(frozen=True, kw_only=True)
class Publication:
    """What is in force now, where its document lies, and whether it is the certificate that was to be published."""

    document: PublishedCertificate
    uri: str
    in_force: bool


def publish_document(store: Store, certificate: bytes, *, now: datetime) -> Publication:
    """Writes the document of a certificate; in force is the newest of the model's, whoever came first.

    Raises VerificationError for what no document may name: a file that is no certificate, a rejection, a certificate
    that has expired; StorageError where the store does not hold the certificate, so that no document ever dangles.
    """
    offered = _offered(certificate, now=now)
    if store.read_document(certificate_name(offered.certificate_sha256)) != certificate:
        got, remedy = "none there", "issue it into this store, then publish it"
        raise StorageError(expected(f"certificate {offered.certificate_sha256} in the store", got=got, remedy=remedy))
    data = offered.model_dump_json(by_alias=True, indent=2).encode() + b"\n"
    store.write_document_once(published_name(offered), data)
    found = newest(_read(store, f"{PUBLISHED}{offered.name}/{offered.model_sha256}/"))
    return Publication(
        document=found,
        uri=document_uri(store, published_name(found)),
        in_force=found.certificate_sha256 == offered.certificate_sha256,
    )


def published_name(document: PublishedCertificate) -> str:
    """Name of the document in the store."""
    return f"{PUBLISHED}{document.name}/{document.model_sha256}/{document.certificate_sha256}.json"


def newest(found: Sequence[PublishedCertificate]) -> PublishedCertificate:
    """The one in force of a model's documents; of those of one second, one that no other supersedes."""
    superseded = {digest for item in found for digest in item.supersedes}
    return max(
        found,
        key=lambda item: (item.certified_at, item.certificate_sha256 not in superseded, item.certificate_sha256),
    )


def read_published(store: Store, document: str) -> PublishedCertificate | None:
    """The published certificate in a document, None where there is none; StorageError where it is damaged."""
    data = store.read_document(document)
    if data is None:
        return None
    try:
        found = PublishedCertificate.model_validate_json(data)
    except ValidationError as error:
        raise _damaged(document) from error
    if published_name(found) != document:
        raise _damaged(document)
    return found


def published(store: Store, *, name: str = "") -> list[PublishedCertificate]:
    """What is in force of each model under a name (under every one where it is empty), newest first."""
    models: dict[tuple[str, str], list[PublishedCertificate]] = {}
    for item in _read(store, f"{PUBLISHED}{name}/" if name else PUBLISHED):
        models.setdefault((item.name, item.model_sha256), []).append(item)
    found = [newest(items) for items in models.values()]
    return sorted(found, key=lambda item: (item.certified_at, item.certificate_sha256), reverse=True)


def document_uri(store: Store, name: str) -> str:
    """Where a document lies: the store's URI with its name, before a query that says where S3 answers."""
    place, mark, query = store.uri.partition("?")
    return f"{place.rstrip('/')}/{name}{mark}{query}"


def unverified_statement(certificate: bytes) -> Statement:
    """The statement in a certificate's bytes, its form checked and its signature not; VerificationError otherwise."""
    if len(certificate) > MAX_BYTES:
        raise _no_certificate(f"{len(certificate)} bytes")
    envelope = parse_canonical(certificate.removesuffix(b"\n"), what="the envelope")
    signatures = envelope.get("signatures")
    if envelope.get("payloadType") != PAYLOAD_TYPE or not isinstance(signatures, list) or len(signatures) != 1:
        raise _no_certificate("an envelope of another kind")
    try:
        payload = base64.b64decode(envelope["payload"], validate=True)
        parse_canonical(payload, what="the payload")
        return Statement.model_validate_json(payload)
    except ValidationError as error:
        first = error.errors()[0]
        raise _no_certificate(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from error
    except (KeyError, TypeError, ValueError) as error:
        raise _no_certificate("an envelope without a payload") from error


def _offered(certificate: bytes, *, now: datetime) -> PublishedCertificate:
    statement = unverified_statement(certificate)
    predicate = statement.predicate
    if statement.subject[0].digest.sha256 != predicate.model.sha256:
        raise _no_certificate("one whose subject is another model than its content's")
    if predicate.verdict != "accepted":
        raise _refused(predicate.name, "one that was rejected", remedy="meet the criteria, or change the model")
    if _moment(predicate.certified_at) > now + MOST_SKEW:
        got = f"one certified at {predicate.certified_at}, which is yet to come"
        raise _refused(predicate.name, got, remedy="check the clocks: no later one could take its place")
    if _moment(predicate.not_after) <= now:
        raise _refused(predicate.name, f"one that ended at {predicate.not_after}", remedy="recertify the model")
    return _document(predicate, certificate_sha256=sha256_bytes(certificate))


def _moment(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError as error:  # such as the 32nd of a month
        raise _no_certificate(f"the time {text!r}") from error


def _document(predicate: Predicate, *, certificate_sha256: str) -> PublishedCertificate:
    try:
        return PublishedCertificate(
            schema_version="1",
            name=predicate.name,
            certificate_sha256=certificate_sha256,
            model_sha256=predicate.model.sha256,
            specification_sha256=predicate.specification.canonical_sha256,
            verdict="accepted",
            certified_at=predicate.certified_at,
            not_after=predicate.not_after,
            run_id=predicate.run.id,
            supersedes=predicate.supersedes,
        )
    except ValidationError as error:
        raise _no_certificate(f"one of the name {predicate.name[:40]!r}") from error


def _read(store: Store, prefix: str) -> list[PublishedCertificate]:
    documents = (read_published(store, document) for document in store.list_documents(prefix))
    return [item for item in documents if item is not None]


def _refused(name: str, got: str, *, remedy: str) -> VerificationError:
    return VerificationError(expected(f"a certificate of {name} that is in force", got=got, remedy=remedy))


def _no_certificate(got: str) -> VerificationError:
    return VerificationError(expected("a certificate", got=got, remedy="use the file as it was issued"))


def _damaged(document: str) -> StorageError:
    remedy = "remove it and publish the certificate again"
    return StorageError(
        expected(f"a published certificate in the store's '{document}'", got="another document", remedy=remedy)
    )
