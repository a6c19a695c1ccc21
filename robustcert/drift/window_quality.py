"""The data quality of one window: its counts, the policy's limits, and logged answers held against the model's."""

from __future__ import annotations

from datetime import datetime, timedelta

from robustcert.drift.policy import DriftPolicy, QualityPolicy
from robustcert.drift.quality import (
    QualityFacts,
    QualityFinding,
    QualityLimits,
    ReferenceColumns,
    Repeated,
    judge_quality,
)
from robustcert.drift.row_batch import RowBatch
from robustcert.drift.rows import RowSource
from robustcert.drift.samples import Sample
from robustcert.drift.window_pass import WindowPass

Drawn = tuple[RowBatch, Sample]


def window_quality(
    source: RowSource,
    found: WindowPass,
    drawn: Drawn | None,
    *,
    reference: ReferenceColumns,
    policy: DriftPolicy,
    now: datetime,
) -> tuple[QualityFinding, ...]:
    """What every check found; `drawn`: sampled rows and the certified model's answers to them, None without any."""
    facts = QualityFacts(
        counts=found.quality,
        absent=source.absent,
        reference=reference,
        repeated=None if drawn is None else repeated_answers(*drawn),
        now=now,
    )
    return judge_quality(facts, quality_limits(policy.quality, fewest_rows=policy.minimum_rows))


def repeated_answers(batch: RowBatch, sample: Sample) -> Repeated | None:
    """How many of the logged answers the certified model gives again; None where none is logged.

    What is no class of the contract is an answer too, and never the certified model's.
    """
    logged = batch.answers.predictions
    if logged is None:
        return None
    same = logged.known & (logged.index == sample.outputs.predictions)
    return Repeated(same=int(same.sum()), of=int((logged.known | logged.foreign).sum()))


def quality_limits(written: QualityPolicy, *, fewest_rows: int) -> QualityLimits:
    """The policy's limits as the checks take them."""
    return QualityLimits(
        fewest_rows=fewest_rows,
        most_misread=written.most_misread,
        most_nulls=written.most_nulls,
        most_out_of_range=written.most_out_of_range,
        most_new_categories=written.most_new_categories,
        most_repeated=written.most_repeated,
        most_foreign_labels=written.most_foreign_labels,
        most_skew=written.most_skew,
        most_scale=written.most_scale,
        oldest=timedelta(hours=written.oldest_hours),
    )
