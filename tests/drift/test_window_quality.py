"""Quality of a window: limits come from the policy, and logged answers are held against the certified model's."""

from __future__ import annotations

from datetime import timedelta

import numpy as np

from robustcert.drift.model_outputs import ModelOutputs
from robustcert.drift.policy import parse_policy
from robustcert.drift.quality import Repeated
from robustcert.drift.row_batch import Answers, ClassColumn, RowBatch
from robustcert.drift.samples import Sample
from robustcert.drift.window_quality import quality_limits, repeated_answers

ROWS = np.arange(4)


def drawn(predictions: ClassColumn | None) -> tuple[RowBatch, Sample]:
    """Four rows to which the certified model answers 0, 1, 2, 3."""
    batch = RowBatch(values=np.zeros((4, 1)), cells=None, answers=Answers(rows=ROWS, predictions=predictions))
    outputs = ModelOutputs(probabilities=np.eye(4), margins=np.ones(4), predictions=ROWS)
    nothing = np.zeros((4, 0))
    return batch, Sample(columns={}, outputs=outputs, distances=np.ones(4), embedding=nothing, features=nothing)


def test_a_logged_answer_is_repeated_or_not_and_an_abstention_is_no_answer() -> None:
    logged = ClassColumn(
        index=np.array([0, 1, 1, 3]), known=np.array([True, True, True, False]), foreign=np.zeros(4, dtype=np.bool_)
    )
    assert repeated_answers(*drawn(logged)) == Repeated(same=2, of=3)
    assert repeated_answers(*drawn(None)) is None


def test_an_answer_that_is_no_class_of_the_contract_is_not_the_certified_models() -> None:
    foreign = np.array([True, False, False, True])
    logged = ClassColumn(index=np.array([0, 1, 2, 0]), known=~foreign, foreign=foreign)
    assert repeated_answers(*drawn(logged)) == Repeated(same=2, of=4)


def test_every_limit_of_the_policy_reaches_the_checks() -> None:
    text = (
        "quality: {mostMisread: 0.11, mostNulls: 0.12, mostOutOfRange: 0.13, mostNewCategories: 0.14, "
        "mostRepeated: 0.15, mostForeignLabels: 0.16, mostSkew: 0.17, mostScale: 18.0, oldestHours: 19.0}"
    )
    limits = quality_limits(parse_policy(text).quality, fewest_rows=20)
    assert list(vars(limits).values()) == [20, 0.11, 0.12, 0.13, 0.14, 0.15, 0.16, 0.17, 18.0, timedelta(hours=19)]
