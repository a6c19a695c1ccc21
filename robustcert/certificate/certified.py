"""A certificate as its store holds it: found by digest or published name, opened, and every file of it intact.

What a recertification starts from. The run record only says where to look; what must be there is what the certificate
itself names, so that a forged record changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

from robustcert.certificate import bundle
from robustcert.certificate.keys import VerificationKey, key_id
from robustcert.certificate.published import published, unverified_statement
from robustcert.certificate.schema import Predicate, Statement
from robustcert.certificate.verify import read_statement
from robustcert.errors import InputError, StorageError, VerificationError, expected
from robustcert.provenance.digests import sha256_bytes
from robustcert.provenance.run_record import RunRecord
from robustcert.storage.store import Store

FEWEST_DIGITS = 8
DIGITS = frozenset("0123456789abcdef")


@dataclass(frozen=True, kw_only=True)
class Certified:
    """An accepted certificate, whatever its age. `signature` says who signed, or that nobody checked."""

    sha256: str
    predicate: Predicate
    signature: str
    files: dict[str, str]

    @property
    def model(self) -> str:
        """Name of the model file in the bundle."""
        return next(name for name in bundle.MODELS if name in self.files)


def find_certificate(store: Store, wanted: str) -> RunRecord:
    """The record of the run that issued a certificate: by its SHA-256, 8 digits of it or more, or its published name.

    Raises: InputError where none or several are meant.
    """
    if len(wanted) >= FEWEST_DIGITS and set(wanted) <= DIGITS:
        found = [record for record in bundle.records(store) if record.certificate_sha256.startswith(wanted)]
        if found:
            return _the_one(found, wanted)
    heads = _in_force(store, wanted)
    return _the_one([record for record in bundle.records(store) if record.certificate_sha256 in heads], wanted)


def open_certified(store: Store, record: RunRecord, *, trusted: VerificationKey | None) -> Certified:
    """The certificate of a record, its bundle intact; `trusted` checks the signature, None leaves that unchecked.

    Raises: VerificationError for another signature, a rejection, or files that are not those it names; StorageError
    where the store lost or damaged one.
    """
    data = store.read_document(bundle.certificate_name(record.certificate_sha256))
    if data is None or sha256_bytes(data) != record.certificate_sha256:
        raise _damaged(record, "certificate")
    statement = read_statement(data, key=trusted) if trusted is not None else unverified_statement(data)
    _refuse_rejected(statement)
    certified = Certified(
        sha256=record.certificate_sha256,
        predicate=statement.predicate,
        signature=f"signed by the key {key_id(trusted)[:12]}" if trusted is not None else "signature not checked",
        files=_files(record, statement.predicate),
    )
    for name, sha256 in certified.files.items():
        if not store.intact(sha256):
            raise _damaged(record, name)
    return certified


def _the_one(found: list[RunRecord], wanted: str) -> RunRecord:
    if len(found) == 1:
        return found[0]
    got = f"no certificate for {wanted[:80]!r} in the store"
    if found:
        got = f"{len(found)} of them: {', '.join(record.certificate_sha256[:12] for record in found[:5])}"
    remedy = "give its SHA-256 or the first 8 digits or more; `robustcert inventory` lists them"
    raise InputError(expected("one certificate, by digest or published name", got=got, remedy=remedy))


def _in_force(store: Store, name: str) -> set[str]:
    """Digests of what is published under a name and has no published successor."""
    try:
        found = published(store, name=name) if name else []
    except InputError:  # no document can bear that name
        return set()
    superseded = {sha256 for item in found for sha256 in item.supersedes}
    return {item.certificate_sha256 for item in found} - superseded


def _refuse_rejected(statement: Statement) -> None:
    predicate = statement.predicate
    if predicate.verdict != "accepted":
        remedy = "name the last one that was accepted"
        raise VerificationError(expected("an accepted certificate", got="the record of a rejection", remedy=remedy))
    if statement.subject[0].digest.sha256 != predicate.model.sha256:
        remedy = "use it as it was issued"
        raise VerificationError(expected("a certificate of its subject", got="another model's", remedy=remedy))


def _files(record: RunRecord, predicate: Predicate) -> dict[str, str]:
    """The bundle's files with the digests that the certificate names; VerificationError where the record differs."""
    model = next(name for name in bundle.MODELS if name in record.files)
    named = {
        bundle.SPECIFICATION: predicate.specification.sha256,
        model: predicate.model.sha256,
        bundle.DATASET: predicate.data.file_sha256,
        bundle.CERTIFICATION: predicate.certification.evidence.sha256,
        bundle.EVALUATION: predicate.evaluation.evidence.sha256,
        bundle.ADVERSARIALS: predicate.evaluation.adversarials_sha256,
        bundle.DATA_REPORT: predicate.data.validation_report_sha256,
    }
    for name, sha256 in named.items():
        if record.files.get(name) != sha256:
            remedy = "restore the run record, or export the bundle and verify it"
            what = f"{name} with SHA-256 {sha256}, as certificate {record.certificate_sha256[:12]} names it"
            raise VerificationError(expected(what, got=record.files.get(name, "no such file"), remedy=remedy))
    return named | {bundle.HISTORY: record.files[bundle.HISTORY]} if bundle.HISTORY in record.files else named


def _damaged(record: RunRecord, name: str) -> StorageError:
    what = f"{name} of certificate {record.certificate_sha256[:12]} as it was stored"
    return StorageError(expected(what, got="a missing or damaged file", remedy="restore it from a copy of the bundle"))
