"""From a certificate and a window of production data to what was found.

The order of things: the certified model answers its reference again and must answer as certified; every row of the
window is counted once; a sample of each side is answered by the model; then come the tests. What is written about it:
`robustcert.drift.assembly`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from robustcert.certificate.certified import Certified
from robustcert.certificate.schema import RatePart
from robustcert.data.contract import contract_of
from robustcert.drift.accuracy import Accuracy, window_accuracy
from robustcert.drift.baseline import Baseline, open_baseline
from robustcert.drift.estimate import (
    FEWEST_PER_LEVEL,
    AccuracyEstimate,
    ConfidenceCounts,
    Similarity,
    confidence_levels,
    estimate_accuracy,
)
from robustcert.drift.feature_columns import FeatureColumns
from robustcert.drift.hints import HintFacts, ranked_hints
from robustcert.drift.policy import DriftPolicy
from robustcert.drift.quality import QualityFinding, ReferenceColumns, reference_columns
from robustcert.drift.reference import build_reference, floats
from robustcert.drift.reference_side import ReferenceSide, certified_reference, window_reference
from robustcert.drift.row_batch import RowBatch
from robustcert.drift.rows import EVERY_ROW, RowFilter, RowSource, open_rows, sampled
from robustcert.drift.samples import Sample, Sampler, Standard
from robustcert.drift.signals import Findings, Sides, measure
from robustcert.drift.window_pass import WindowPass, answered_by, read_window
from robustcert.drift.window_quality import window_quality
from robustcert.storage.store import Store

Progress = Callable[[int, int, str], None]
STAGES = 3


@dataclass(frozen=True, kw_only=True)
class WindowRequest:
    """Which rows: paths or s3:// URIs; `labels` and `reference_window` are empty where there are none.

    `kept` chooses rows by time. Of a log that names models, only the rows that the certified one answered count.
    """

    window: str
    labels: str = ""
    reference_window: str = ""
    kept: RowFilter = EVERY_ROW


@dataclass(frozen=True, kw_only=True)
class Monitored:
    """What was found. `sample` is None where no row is complete, `findings` where either side has too few rows.

    `labelled`: labels of this window's rows that came. `hints` say where to look first.
    """

    baseline: Baseline
    columns: FeatureColumns
    reference: ReferenceSide
    source: RowSource
    window: WindowPass
    sample: Sample | None
    findings: Findings | None
    quality: tuple[QualityFinding, ...]
    accuracy: Accuracy | None
    estimate: AccuracyEstimate | None
    hints: tuple[str, ...]

    @property
    def labelled(self) -> int:
        return int(self.window.labels.sum()) if self.accuracy is None else self.accuracy.realised.of


@dataclass(frozen=True, kw_only=True)
class _Setting:
    """What is the same for every window of a certificate under one policy."""

    baseline: Baseline
    reference: ReferenceSide
    sampler: Sampler
    known: ReferenceColumns
    clean: RatePart
    policy: DriftPolicy


@dataclass(frozen=True, kw_only=True)
class _Seen:
    """What was read of a window while it was open."""

    source: RowSource
    window: WindowPass
    drawn: tuple[RowBatch, Sample] | None
    accuracy: Accuracy | None

    @property
    def sample(self) -> Sample | None:
        return None if self.drawn is None else self.drawn[1]


def monitor(
    store: Store,
    certified: Certified,
    request: WindowRequest,
    *,
    policy: DriftPolicy,
    now: datetime,
    progress: Progress,
) -> Monitored:
    """Everything that is measured about one window; the drift reference becomes an object of the store.

    Raises: StepError where the baseline moved, DataError for rows that can't be read, StorageError where the store
    fails.
    """
    progress(0, STAGES, "answering the certified samples again")
    setting = _setting(store, certified, request, policy=policy)
    progress(1, STAGES, f"reading the window {request.window.partition('?')[0].rpartition('/')[2]}")
    data = setting.baseline.specification.data
    with open_rows(request.window, data=data, kept=request.kept) as source:
        seen = _seen(source, request, setting)
    progress(2, STAGES, f"testing {seen.window.quality.rows} rows")
    found = _monitored(seen, setting, now=now)
    progress(STAGES, STAGES, "")
    return found


def _setting(store: Store, certified: Certified, request: WindowRequest, *, policy: DriftPolicy) -> _Setting:
    baseline = open_baseline(store, certified, tolerance=policy.baseline_tolerance)
    reference, sampler = _reference(store, certified, baseline, request, policy=policy)
    return _Setting(
        baseline=baseline,
        reference=reference,
        sampler=sampler,
        known=reference_columns(baseline.test, sampler.columns.contract),
        clean=certified.predicate.results.clean_accuracy,
        policy=policy,
    )


def _seen(source: RowSource, request: WindowRequest, setting: _Setting) -> _Seen:
    sampler, model = setting.sampler, setting.baseline.model.sha256
    found = read_window(source, sampler.columns, setting.reference.cells, model=model, reference=setting.known)
    own = answered_by(source, model)
    drawn = _sampled(own, sampler, rows=found.quality.rows)
    accuracy = window_accuracy(
        own,
        request.labels,
        data=setting.baseline.specification.data,
        in_window=found.labels,
        sampled=drawn,
        clean=setting.clean,
        policy=setting.policy,
    )
    return _Seen(source=source, window=found, drawn=drawn, accuracy=accuracy)


def _monitored(seen: _Seen, setting: _Setting, *, now: datetime) -> Monitored:
    findings = _findings(seen, setting)
    quality = window_quality(
        seen.source, seen.window, seen.drawn, reference=setting.known, policy=setting.policy, now=now
    )
    return Monitored(
        baseline=setting.baseline,
        columns=setting.sampler.columns,
        reference=setting.reference,
        source=seen.source,
        window=seen.window,
        sample=seen.sample,
        findings=findings,
        quality=quality,
        accuracy=seen.accuracy,
        estimate=_estimate(setting.reference.certified, seen.sample, findings),
        hints=_hints(seen, findings, quality, setting),
    )


def _reference(
    store: Store, certified: Certified, baseline: Baseline, request: WindowRequest, *, policy: DriftPolicy
) -> tuple[ReferenceSide, Sampler]:
    columns = FeatureColumns(contract=contract_of(baseline.specification.data), dataset=baseline.dataset)
    built = build_reference(store, certified, factory=baseline.specification.model.factory)
    sampler = Sampler(
        columns=columns,
        model=baseline.model,
        standard=Standard(centre=floats(built.centre), scale=floats(built.scale)),
        sizes=policy.samples,
    )
    sha256 = store.put_bytes(built.to_json())
    if request.reference_window:
        uri = request.reference_window
        return window_reference(uri, baseline, sampler, drift_reference_sha256=sha256), sampler
    dataset_sha256 = certified.predicate.data.file_sha256
    found = certified_reference(baseline, sampler, dataset_sha256=dataset_sha256, drift_reference_sha256=sha256)
    return found, sampler


def _sampled(source: RowSource, sampler: Sampler, *, rows: int) -> tuple[RowBatch, Sample] | None:
    """Complete rows of the window and what the model makes of them; None where there is none."""
    if not rows:
        return None
    drawn = sampled(source, rows=sampler.rows, seed=sampler.sizes.seed)
    batch = drawn.at(sampler.complete(drawn))
    return (batch, sampler.of_batch(batch)) if len(batch) else None


def _findings(seen: _Seen, setting: _Setting) -> Findings | None:
    """Every test; None where either side has too few complete rows."""
    reference, sample = setting.reference, seen.sample
    if sample is None or min(len(sample), len(reference.sample)) < setting.policy.minimum_rows:
        return None
    sides = Sides(
        reference=reference.sample,
        window=sample,
        reference_counts=reference.counts,
        window_counts=seen.window.counts,
        reference_labels=reference.labels,
        window_labels=None if seen.accuracy is None else seen.accuracy.labels,
        classes=setting.baseline.dataset.card.classes,
    )
    return measure(sides, setting.policy)


def _estimate(certified: Sample, sample: Sample | None, findings: Findings | None) -> AccuracyEstimate | None:
    """Accuracy of the sampled rows without their labels; None where nothing was sampled."""
    if sample is None or len(certified) < FEWEST_PER_LEVEL:
        return None
    levels = confidence_levels(certified.outputs.confidences, certified.outputs.predictions == certified.labels)
    counts = ConfidenceCounts(levels)
    counts.add(sample.outputs.confidences)
    similarity = Similarity(
        auc=None if findings is None else findings.classifier.score,
        distance_drifted=None if findings is None else findings.distance.drifted,
    )
    return estimate_accuracy(levels, counts, similarity=similarity)


def _hints(
    seen: _Seen, findings: Findings | None, quality: tuple[QualityFinding, ...], setting: _Setting
) -> tuple[str, ...]:
    """Where to look first, the largest effect first."""
    facts = HintFacts(
        tests=() if findings is None else findings.columns,
        columns=seen.window.quality.columns,
        reference=setting.known,
        quality=quality,
        slices=seen.window.slices,
        segments=() if seen.accuracy is None else seen.accuracy.segments,
        models=seen.window.versions,
        certified_model=setting.baseline.model.sha256[:12],
        data_versions=seen.window.data_versions,
    )
    return tuple(hint.text for hint in ranked_hints(facts))
