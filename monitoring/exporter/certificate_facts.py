"""What is exported of one certificate: a few numbers, kept in place of the document."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from pydantic import ValidationError

from monitoring.exporter.invalid import InvalidError, refusal
from robustcert.certificate.bundle import certificate_name
from robustcert.certificate.keys import VerificationKey
from robustcert.certificate.published import PUBLISHED
from robustcert.certificate.schema import Predicate, RatePart, ResultsPart, Statement
from robustcert.certificate.trust import open_by_any
from robustcert.errors import VerificationError
from robustcert.provenance.digests import sha256_bytes
from robustcert.storage.store import Store

Interval = tuple[str, str, str]  # at what (a radius, a threat with its size, or ""), lower end, upper end


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateFacts:
    """One verified certificate; accuracies are the decimal strings that were signed."""

    name: str
    model_sha256: str
    certificate_sha256: str
    run_id: str
    method: str
    supersedes: tuple[str, ...]
    certified_at: float  # seconds since the epoch
    not_after: float
    certified: tuple[tuple[str, str, str, str], ...]  # norm, radius, estimate, lower bound
    empirical: tuple[tuple[str, str], ...]  # attack, estimate
    intervals: tuple[tuple[str, tuple[Interval, ...]], ...]  # metric, its intervals


def read_certificate(store: Store, names: Sequence[str], *, keys: Sequence[VerificationKey]) -> CertificateFacts:
    """The certificate that a published document names, verified; `names` are the document's and the certificate's.

    The document itself is not read: its name says which certificate of which model it publishes, and all else in it
    stands, signed, in the certificate. InvalidError where that may not be shown, StorageError where the store is down.
    """
    document, certificate = names
    data = store.read_document(certificate)
    if data is None:
        raise InvalidError("certificate", "missing")
    sha256 = sha256_bytes(data)
    if certificate_name(sha256) != certificate:
        raise InvalidError("certificate", "damaged")
    predicate = _verified(data, keys=keys)
    if f"{PUBLISHED}{predicate.name}/{predicate.model.sha256}/{sha256}.json" != document:
        raise InvalidError("certificate", "mismatch")
    if predicate.verdict != "accepted":
        raise InvalidError("certificate", "rejected")
    return _facts(predicate, sha256)


def _verified(data: bytes, *, keys: Sequence[VerificationKey]) -> Predicate:
    try:
        statement = Statement.model_validate_json(open_by_any(data, keys))
    except VerificationError as error:
        raise InvalidError("certificate", refusal(data, keys=keys)) from error
    except ValidationError as error:
        raise InvalidError("certificate", "form") from error
    if statement.subject[0].digest.sha256 != statement.predicate.model.sha256:
        raise InvalidError("certificate", "mismatch")
    return statement.predicate


def _facts(predicate: Predicate, sha256: str) -> CertificateFacts:
    results, norm = predicate.results, predicate.certification.threat
    return CertificateFacts(
        name=predicate.name,
        model_sha256=predicate.model.sha256,
        certificate_sha256=sha256,
        run_id=predicate.run.id,
        method=predicate.certification.method,
        supersedes=predicate.supersedes,
        certified_at=_seconds(predicate.certified_at),
        not_after=_seconds(predicate.not_after),
        certified=tuple(
            (norm, part.radius, part.accuracy.estimate, part.accuracy.lower) for part in results.certified_accuracy
        ),
        empirical=tuple(_empirical(results)),
        intervals=tuple(_intervals(results)),
    )


def _seconds(text: str) -> float:
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError as error:  # such as the 32nd of a month
        raise InvalidError("certificate", "form") from error


def _empirical(results: ResultsPart) -> Iterator[tuple[str, str]]:
    yield "none", results.clean_accuracy.estimate
    for part in results.accuracy_under_attack:
        yield f"{part.threat_model}-{part.epsilon}", part.accuracy.estimate


def _intervals(results: ResultsPart) -> Iterator[tuple[str, tuple[Interval, ...]]]:
    attacked = [(f"{part.threat_model}-{part.epsilon}", part.accuracy) for part in results.accuracy_under_attack]
    certified = [(part.radius, part.accuracy) for part in results.certified_accuracy]
    yield "clean_accuracy", _ends([("", results.clean_accuracy)])
    yield "accuracy_under_attack", _ends(attacked)
    yield "certified_accuracy", _ends(certified)
    yield "smoothed_accuracy", _ends([("", results.smoothed_accuracy)])
    yield "abstention_rate", _ends([("", results.abstention_rate)])


def _ends(rates: Sequence[tuple[str, RatePart]]) -> tuple[Interval, ...]:
    return tuple((at, rate.lower, rate.upper) for at, rate in rates)
