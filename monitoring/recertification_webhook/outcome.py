"""What came of a run, by the store alone: a new certificate, a claim that no longer holds, or nothing yet.

The store is the truth, not the backend: a run that was reported as failed may have issued, one that succeeded may not
have published, and one that the server has forgotten may have done either.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from pydantic import ValidationError

from monitoring.recertification_webhook.certificates import statement_of
from robustcert.certificate.bundle import certificate_name, record_name
from robustcert.certificate.keys import VerificationKey
from robustcert.certificate.published import PUBLISHED, publish_document
from robustcert.certificate.schema import Predicate
from robustcert.certificate.window import window_summary, windows_of
from robustcert.errors import RobustcertError, StorageError, VerificationError, expected
from robustcert.provenance.digests import sha256_bytes
from robustcert.provenance.run_record import RunRecord
from robustcert.specification_file import recorded_specification
from robustcert.storage.store import Store

Verdict = Literal["certified", "claim-failed", "nothing"]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """`certificate` is the digest of the new one; `text` says why there is none."""

    verdict: Verdict
    certificate: str = ""
    text: str = ""


def outcome_of(
    store: Store, run_id: str, *, model: str, old: Predicate | None, keys: Sequence[VerificationKey], now: datetime
) -> Outcome:
    """What came of a run of `model`; its certificate is published first where that was left undone.

    StorageError where the store can't say, VerificationError where what it holds is not what it should be.
    """
    issued = _issued(store, run_id)
    if issued is None:
        return _window_outcome(store, run_id, old)
    predicate = statement_of(issued, keys=keys).predicate
    if (predicate.run.id, predicate.name) != (run_id, model):
        got = f"one of {predicate.name} by run {predicate.run.id}"
        remedy = "find out who wrote the run's record"
        raise VerificationError(expected(f"a certificate of {model} by run {run_id}", got=got, remedy=remedy))
    if predicate.verdict != "accepted":
        unmet = ", ".join(part.metric for part in predicate.criteria if not part.met)
        return Outcome(verdict="claim-failed", text=f"rejected on the certified test data: {unmet}")
    return Outcome(verdict="certified", certificate=_published(store, issued, predicate, now=now))


def _issued(store: Store, run_id: str) -> bytes | None:
    """The certificate that a run issued, accepted or rejected; None where it issued none."""
    data = store.read_document(record_name(run_id))
    if data is None:
        return None
    try:
        record = RunRecord.model_validate_json(data)
    except ValidationError as error:
        remedy = "restore it"
        raise StorageError(expected(f"a record of run {run_id}", got="another document", remedy=remedy)) from error
    certificate = store.read_document(certificate_name(record.certificate_sha256))
    if certificate is None:
        got = "none in the store"
        raise StorageError(expected(f"certificate {record.certificate_sha256}", got=got, remedy="restore it"))
    return certificate


def _published(store: Store, certificate: bytes, predicate: Predicate, *, now: datetime) -> str:
    sha256 = sha256_bytes(certificate)
    name = f"{PUBLISHED}{predicate.name}/{predicate.model.sha256}/{sha256}.json"
    if store.read_document(name) is None:
        publish_document(store, certificate, now=now)
    return sha256


def _window_outcome(store: Store, run_id: str, old: Predicate | None) -> Outcome:
    """A claim fails on the window where every model that was tried does: the certified one, and a new one if any."""
    windows = windows_of(store, run_id)
    if not windows or any(found.holds for found in windows):
        return Outcome(verdict="nothing", text="no certificate was issued")
    if len(windows) == 1 and old is not None and _may_retrain(old):
        return Outcome(verdict="nothing", text="the certified model failed on the window, and no other was tried")
    return Outcome(verdict="claim-failed", text=window_summary(windows[-1]))


def _may_retrain(old: Predicate) -> bool:
    try:
        section = recorded_specification(old.specification.text).specification.recertification
    except RobustcertError:
        return False
    return section is not None and section.retrain == "allowed"
