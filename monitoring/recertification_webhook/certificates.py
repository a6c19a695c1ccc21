"""What the store says: which certificates are in force, which of them are due, and which are no longer to be trusted.

Published documents are written once, so each is read once; they are pointers that prove nothing, hence the certificate
itself is verified before anything is recertified on its word.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from monitoring.recertification_webhook.fleet import VERSION_DIGITS, Fleet, InForce, fleet_of
from monitoring.recertification_webhook.trigger import Trigger
from robustcert.certificate.bundle import certificate_name
from robustcert.certificate.envelope import parse_canonical
from robustcert.certificate.keys import VerificationKey
from robustcert.certificate.published import PUBLISHED, PublishedCertificate, newest, read_published
from robustcert.certificate.schema import PREDICATE_TYPE, Predicate, Statement
from robustcert.certificate.status import read_statuses, status_in_force
from robustcert.certificate.trust import open_by_any
from robustcert.errors import StorageError, VerificationError, expected
from robustcert.provenance.digests import sha256_bytes
from robustcert.recertification import Facts, Status, why_recertify
from robustcert.storage.store import Store

OWN_CODES = {"missing": "missing", "expired": "expiry", "expiring": "expiry"}  # reason code -> source of the trigger


class CertificateScan:
    """Reads the store's published documents, each once; use from one thread."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._read: dict[str, PublishedCertificate | None] = {}

    def fleet(self) -> Fleet:
        """What is in force now; damaged documents are left out, a store that is down raises StorageError."""
        names = self._store.list_documents(PUBLISHED)
        self._read = {name: self._read[name] if name in self._read else self._document(name) for name in names}
        found = [document for document in self._read.values() if document is not None]
        superseded = {digest for document in found for digest in document.supersedes}
        return fleet_of(_in_force(newest(documents), superseded) for documents in _by_model(found))

    @property
    def damaged(self) -> int:
        """Published documents that can't be read as such."""
        return sum(document is None for document in self._read.values())

    def _document(self, name: str) -> PublishedCertificate | None:
        data = self._store.read_document(name)
        try:
            return None if data is None else read_published(self._store, name)
        except StorageError:
            return None


def own_triggers(
    store: Store, fleet: Fleet, *, keys: Sequence[VerificationKey], now: datetime, recertify_before: timedelta
) -> Iterator[Trigger]:
    """A trigger for each certificate in force that is due by its age, or that the store no longer holds intact."""
    for one in fleet.by_version.values():
        if one.superseded:
            continue
        facts = Facts(
            now=now, certified_at=one.certified_at, not_after=one.not_after, recertify_before=recertify_before
        )
        reason = why_recertify(facts)
        if reason is not None and reason.code in OWN_CODES:
            if status_of(store, one.certificate_sha256, keys=keys) == "revoked":
                continue
            yield Trigger(
                source="missing" if reason.code == "missing" else "expiry",
                model=one.model,
                version=one.version,
                episode=f"{one.certificate_sha256}:{reason.code}",
                reason=reason.code,
                text=reason.text,
                received_at=now,
            )


def missing_triggers(
    store: Store, fleet: Fleet, *, keys: Sequence[VerificationKey], now: datetime, checked: set[str]
) -> Iterator[Trigger]:
    """A trigger for each certificate in force that the store lacks, or that no trusted key signed.

    `checked` holds the digests that were found good before; it is added to.
    """
    for one in fleet.by_version.values():
        if one.superseded or one.certificate_sha256 in checked:
            continue
        try:
            verified(store, one.certificate_sha256, keys=keys)
        except VerificationError as error:
            yield Trigger(
                source="missing",
                model=one.model,
                version=one.version,
                episode=f"{one.certificate_sha256}:missing",
                reason="missing",
                text=str(error)[:400],
                received_at=now,
            )
        else:
            checked.add(one.certificate_sha256)


def require_published(store: Store, fleet: Fleet | None) -> None:
    """StorageError where the store held certificates and holds none: published documents are never removed.

    One that was unmounted, emptied or swapped proves nothing about the certificates that are in force.
    """
    if fleet is not None and fleet.by_version and not store.list_documents(PUBLISHED):
        remedy = "mount it again, or restore it; nothing is decided until then"
        raise StorageError(expected("a store with published certificates, as before", got="none", remedy=remedy))


def verified(store: Store, certificate_sha256: str, *, keys: Sequence[VerificationKey]) -> Predicate:
    """The content of a certificate that one of `keys` signed.

    VerificationError where the store lacks it, it was changed, or nobody trusted signed it; StorageError where the
    store can't be read.
    """
    data = store.read_document(certificate_name(certificate_sha256))
    if data is None or sha256_bytes(data) != certificate_sha256:
        got = "none in the store" if data is None else "other bytes"
        what = f"certificate {certificate_sha256[:12]} as it was issued"
        raise VerificationError(expected(what, got=got, remedy="restore it, or certify the model again"))
    return statement_of(data, keys=keys).predicate


def statement_of(certificate: bytes, *, keys: Sequence[VerificationKey]) -> Statement:
    """The statement in a certificate's bytes, signed by one of `keys`; VerificationError otherwise."""
    payload = open_by_any(certificate, keys)
    document = parse_canonical(payload, what="the payload")
    if document.get("predicateType") != PREDICATE_TYPE:
        raise VerificationError(expected(PREDICATE_TYPE, got="another type", remedy="use a newer release"))
    try:
        return Statement.model_validate_json(payload)
    except ValueError as error:
        remedy = "use it as it was issued"
        raise VerificationError(expected("a certificate", got="another document", remedy=remedy)) from error


def status_of(store: Store, certificate_sha256: str, *, keys: Sequence[VerificationKey]) -> Status:
    """The status in force of a certificate; suspended where its chain was tampered with."""
    try:
        return status_in_force(read_statuses(store, certificate_sha256, keys=keys))
    except VerificationError:
        return "suspended"


def _by_model(found: Sequence[PublishedCertificate]) -> Iterator[list[PublishedCertificate]]:
    models: dict[tuple[str, str], list[PublishedCertificate]] = {}
    for document in found:
        models.setdefault((document.name, document.model_sha256), []).append(document)
    yield from models.values()


def _in_force(document: PublishedCertificate, superseded: set[str]) -> InForce:
    return InForce(
        model=document.name,
        version=document.model_sha256[:VERSION_DIGITS],
        model_sha256=document.model_sha256,
        certificate_sha256=document.certificate_sha256,
        certified_at=datetime.fromisoformat(document.certified_at),
        not_after=datetime.fromisoformat(document.not_after),
        superseded=document.certificate_sha256 in superseded,
    )
