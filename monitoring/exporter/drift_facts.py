"""What is exported of a model's newest drift record."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from monitoring.exporter.invalid import InvalidError, Reason, refusal
from robustcert.certificate.keys import VerificationKey
from robustcert.drift.record import DriftRecord, parse_record, read_record, window_end
from robustcert.errors import VerificationError
from robustcert.storage.store import Store

Value = tuple[str, str]  # metric without its prefix, and its value


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftFacts:
    """One verified drift record; scores and ratios are the decimal strings that were signed."""

    certificate_sha256: str
    evaluated_at: float  # seconds since the epoch
    verdict: str
    signals: tuple[tuple[str, str, str, str], ...]  # signal, method, score, threshold
    values: tuple[Value, ...]


def read_drift(store: Store, names: Sequence[str], *, keys: Sequence[VerificationKey]) -> DriftFacts:
    """The drift record in the one document of `names`; InvalidError where it may not be shown."""
    (name,) = names
    try:
        record = read_record(store, name, keys=keys)
    except VerificationError as error:
        raise InvalidError("drift", _refusal(store, name, keys=keys)) from error
    if record is None:
        raise InvalidError("drift", "missing")
    return drift_facts(record)


def drift_facts(record: DriftRecord) -> DriftFacts:
    """What is exported of a record; InvalidError where it holds a time that is none."""
    try:
        evaluated_at, end = _seconds(record.evaluated_at), _seconds(window_end(record))
    except ValueError as error:
        raise InvalidError("drift", "form") from error
    values = (("drift_report_rows", str(record.window.rows)), ("window_end_timestamp_seconds", f"{end:.0f}"))
    return DriftFacts(
        certificate_sha256=record.certificate_sha256,
        evaluated_at=evaluated_at,
        verdict=record.verdict,
        signals=tuple((part.signal, part.method, part.score, part.threshold) for part in record.signals),
        values=(*values, *_quality(record), *_realised(record), *_estimate(record)),
    )


def _quality(record: DriftRecord) -> Iterator[Value]:
    yield "window_quality_ratio", record.quality_ratio
    if record.features_tested:
        yield "drift_features_ratio", f"{record.features_drifted / record.features_tested:.6g}"


def _realised(record: DriftRecord) -> Iterator[Value]:
    found = record.realised
    if found is None:
        return
    yield "label_coverage_ratio", found.coverage
    if found.median_delay_seconds is not None:
        yield "label_delay_seconds", str(found.median_delay_seconds)
    if found.of:
        yield "realised_accuracy_ratio", f"{found.correct / found.of:.6g}"
        yield "realised_accuracy_lower_bound_ratio", found.lower
        yield "realised_accuracy_upper_bound_ratio", found.upper


def _estimate(record: DriftRecord) -> Iterator[Value]:
    if record.estimate is not None:
        yield "estimated_accuracy_ratio", record.estimate.accuracy
        yield "estimated_accuracy_valid", str(int(record.estimate.valid))


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def _refusal(store: Store, name: str, *, keys: Sequence[VerificationKey]) -> Reason:
    data = store.read_document(name) or b""
    try:
        parse_record(data, keys=keys)
    except VerificationError:
        return refusal(data, keys=keys)
    return "mismatch"
