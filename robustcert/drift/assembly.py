"""From what was found about a window to the record that is signed, and the pages that people read.

Sentences that a person reads first are made here: the summary, and how many rows each part looked at.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import partial

from robustcert.certificate.certified import Certified
from robustcert.document import rfc3339
from robustcert.drift.estimate import AccuracyEstimate
from robustcert.drift.evidently_report import EvidentlyPage, evidently_page
from robustcert.drift.feature_columns import FeatureColumns
from robustcert.drift.histogram import ColumnCounts, number_bins
from robustcert.drift.monitor import Monitored
from robustcert.drift.policy import DriftPolicy
from robustcert.drift.quality import quality_ratio
from robustcert.drift.realised import Realised
from robustcert.drift.record import DriftRecord, EstimatePart, RealisedPart, SegmentPart
from robustcert.drift.record_parts import (
    all_tests,
    columns_drifted,
    columns_tested,
    distance_part,
    quality_part,
    signal_parts,
    window_part,
)
from robustcert.drift.report import ReportFacts, render_drift_report
from robustcert.drift.report_charts import Distribution, distribution
from robustcert.drift.samples import Sample
from robustcert.drift.signals import total_variation
from robustcert.drift.verdict import WindowFacts, judge_window
from robustcert.evaluation.statistics import round_down, round_up
from robustcert.provenance.digests import sha256_bytes

NO_DIGEST = "0" * 64
MOST_HINTS = 10
MOST_TEXT = 400


@dataclass(frozen=True, kw_only=True)
class DriftReport:
    """The record and the bytes of the pages that it names; `evidently` is None where none was made."""

    record: DriftRecord
    html: bytes
    evidently: bytes | None


def assemble(
    certified: Certified, found: Monitored, *, policy: DriftPolicy, now: datetime, evidence: bool = True
) -> DriftReport:
    """Record and pages of a window; `evidence`: whether Evidently's page is made, which takes some seconds."""
    page, why = _evidently(found, policy) if evidence else (None, "not asked for")
    record = _record(certified, found, policy=policy, now=now)
    if page is not None:
        record = record.model_copy(update={"evidently_sha256": sha256_bytes(page.html)})
    html = render_drift_report(record, _report_facts(certified, found, page, why, policy=policy)).encode()
    return DriftReport(
        record=record.model_copy(update={"report_sha256": sha256_bytes(html)}),
        html=html,
        evidently=None if page is None else page.html,
    )


def _record(certified: Certified, found: Monitored, *, policy: DriftPolicy, now: datetime) -> DriftRecord:
    facts = _facts(certified, found, policy)
    judgement = judge_window(facts, policy)
    findings, accuracy = found.findings, found.accuracy
    return DriftRecord(
        schema_version="1",
        name=certified.predicate.name,
        model_sha256=certified.predicate.model.sha256,
        certificate_sha256=certified.sha256,
        reference=found.reference.part,
        window=window_part(found.source, found.window, labelled=found.labelled),
        policy_sha256=policy.sha256,
        policy=policy.document(),
        signals=tuple(facts.signals),
        tests=tuple(facts.tests),
        features_tested=0 if findings is None else len(columns_tested(findings)),
        features_drifted=0 if findings is None else len(columns_drifted(findings)),
        quality=tuple(facts.quality),
        quality_ratio=str(facts.quality_ratio),
        estimate=None if found.estimate is None else _estimate_part(found.estimate),
        realised=facts.realised,
        distance=facts.distance,
        segments=() if accuracy is None else tuple(SegmentPart(**vars(part)) for part in accuracy.segments),
        hints=found.hints[:MOST_HINTS],
        verdict=judgement.verdict,
        summary=judgement.why,
        report_sha256=NO_DIGEST,
        evidently_sha256=None,
        evaluated_at=rfc3339(now),
    )


def _facts(certified: Certified, found: Monitored, policy: DriftPolicy) -> WindowFacts:
    """What the verdict looks at, in the numbers that the record holds."""
    findings, sample = found.findings, found.sample
    moved = 0.0 if sample is None else total_variation(found.reference.sample, sample)
    most_drifted = policy.columns.most_drifted
    return WindowFacts(
        rows=found.window.quality.rows,
        complete_rows=0 if sample is None else len(sample),
        reference_rows=found.reference.part.rows,
        quality=tuple(quality_part(part) for part in found.quality),
        quality_ratio=Decimal(round_down(quality_ratio(found.window.quality))),
        signals=() if findings is None else signal_parts(findings, most_drifted=most_drifted),
        tests=() if findings is None else all_tests(findings),
        distance=None if findings is None else distance_part(findings),
        outputs_moved=Decimal(round_down(moved)),
        realised=None if found.accuracy is None else _realised_part(found.accuracy.realised),
        concept=None if found.accuracy is None else found.accuracy.concept,
        clean_accuracy=certified.predicate.results.clean_accuracy,
    )


def _realised_part(found: Realised) -> RealisedPart | None:
    """None where nothing was answered. Where no label belongs to an answer, nothing is known but that: coverage 0."""
    if not found.answered:
        return None
    return RealisedPart(
        correct=found.correct,
        of=found.of,
        lower=round_down(0) if found.rate is None else found.rate.lower,
        upper=round_up(1) if found.rate is None else found.rate.upper,
        coverage=round_down(found.coverage),
        median_delay_seconds=found.median_delay_seconds,
    )


def _estimate_part(found: AccuracyEstimate) -> EstimatePart:
    return EstimatePart(
        accuracy=round_down(found.accuracy),
        lower=round_down(found.lower),
        upper=round_up(found.upper),
        valid=found.valid,
        why=found.why[:MOST_TEXT],
    )


def _report_facts(
    certified: Certified, found: Monitored, page: EvidentlyPage | None, why: str, *, policy: DriftPolicy
) -> ReportFacts:
    columns = dict(_distributions(found.columns, found))
    return ReportFacts(
        distributions=columns,
        distance=None if found.sample is None else _distance(found.reference.sample, found.sample),
        clean_accuracy=certified.predicate.results.clean_accuracy,
        caveat="" if found.accuracy is None else found.accuracy.realised.caveat,
        samples=tuple(_samples(found, policy)),
        left_out={} if page is None else page.left_out,
        no_evidence=why,
    )


def _distributions(columns: FeatureColumns, found: Monitored) -> Iterator[tuple[str, Distribution]]:
    for name, reference in found.reference.counts.items():
        drawn = distribution(reference, found.window.counts[name], label=partial(columns.label, name))
        if drawn is not None:
            yield name, drawn


def _distance(reference: Sample, window: Sample) -> Distribution | None:
    bins = number_bins(reference.distances)
    return distribution(*(ColumnCounts(cells=bins).add(side.distances) for side in (reference, window)))


def _samples(found: Monitored, policy: DriftPolicy) -> Iterator[str]:
    """How many rows each part looked at."""
    window, reference = found.window.quality.rows, found.reference.part.rows
    yield f"Columns and data quality: all {window} rows of the window; the reference's {reference}."
    if found.sample is None:
        return
    side = found.reference.sample
    yield (
        f"Model's answers and distance: {len(found.sample)} complete rows of the window, {len(side)} of the "
        f"reference, drawn with seed {policy.samples.seed}."
    )
    yield (
        f"Embedding and domain classifier: {len(found.sample.features)} and {len(side.features)} of these, "
        f"{policy.samples.permutations} permutations."
    )
    baseline = found.baseline
    yield f"The certified model answered {baseline.agreed} of {baseline.of} certified samples as its certificate says."


def _evidently(found: Monitored, policy: DriftPolicy) -> tuple[EvidentlyPage | None, str]:
    """Evidently's page; or None, and why there is none: it decides nothing, so that no record waits for it."""
    if found.sample is None:
        return None, "no row is complete"
    most = policy.samples.evidence
    reference, window = (
        {name: found.columns.texts(name, values[:most]) for name, values in side.columns.items()}
        for side in (found.reference.sample, found.sample)
    )
    try:
        return evidently_page(reference, window, alpha=policy.alpha), ""
    except Exception as error:  # noqa: BLE001  another's code on data that nobody foresaw
        return None, f"{type(error).__name__}: {' '.join(str(error).split())[:MOST_TEXT]}"
