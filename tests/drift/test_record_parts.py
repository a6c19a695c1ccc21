"""Rounding never turns a verdict over, and what stands in a record is what was found."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from robustcert.drift.quality import QualityFinding
from robustcert.drift.record_parts import (
    all_tests,
    columns_drifted,
    columns_tested,
    distance_part,
    quality_part,
    signal_parts,
)
from robustcert.drift.signals import Findings
from robustcert.drift.thresholds import DriftTest

TEST = DriftTest(
    signal="features", column="a", method="ks", score=1.0, threshold=2.0, p_value=0.5, adjusted_p=0.5, effect=0.1,
    effect_name="equivalent_shift", n=400, m=1000, drifted=False, note="",
)  # fmt: skip
OTHERS = replace(TEST, column="", method="domain_classifier")
FOUND = Findings(
    columns=[TEST, replace(TEST, method="nulls"), replace(TEST, column="b")],
    classifier=OTHERS,
    embedding=replace(OTHERS, signal="embedding", method="mmd"),
    outputs=[replace(OTHERS, signal="outputs", method="chi_square")],
    distance=replace(OTHERS, signal="distance", method="auroc", score=0.49999999),
    fpr95=0.9500001,
    labels=[],
)
Finite = st.floats(min_value=0, max_value=1e6, allow_nan=False)


@given(score=Finite, threshold=Finite)
def test_score_and_threshold_keep_their_order_however_close_they_are(score: float, threshold: float) -> None:
    test = replace(OTHERS, score=score, threshold=threshold, drifted=score > threshold)
    part = signal_parts(replace(FOUND, embedding=replace(test, signal="embedding")), most_drifted=0.0)[2]
    assert part.drifted == (Decimal(part.score) > Decimal(part.threshold)) == (score > threshold)
    assert abs(float(part.score) - score) <= 1e-6


def test_a_next_float_above_its_threshold_is_still_drifted() -> None:
    threshold = 0.6
    test = replace(OTHERS, signal="embedding", score=threshold + 1.2e-16, threshold=threshold, drifted=True)
    assert test.score > threshold
    assert signal_parts(replace(FOUND, embedding=test), most_drifted=0.0)[2].drifted


def test_columns_are_one_signal_whose_score_is_the_share_of_columns_drifted() -> None:
    found = replace(FOUND, columns=[*FOUND.columns, replace(TEST, column="c", score=3.0, drifted=True)])
    part = signal_parts(found, most_drifted=0.2)[0]
    assert (part.method, part.drifted, part.n, part.m) == ("columns", True, 400, 1000)
    assert (float(part.score), float(part.threshold)) == (pytest.approx(1 / 3), pytest.approx(0.5 / 3))
    assert not signal_parts(found, most_drifted=0.5)[0].drifted
    assert (columns_drifted(found), columns_tested(found)) == (("c",), ("a", "b", "c"))


def test_every_signal_and_method_comes_once() -> None:
    parts = signal_parts(FOUND, most_drifted=0.0)
    assert len({(part.signal, part.method) for part in parts}) == len(parts) == 5
    assert [test.column for test in all_tests(FOUND)] == ["a", "a", "b", "", "", "", ""]


def test_a_test_that_was_not_made_has_no_p_value_and_counts_as_no_tested_column() -> None:
    none = replace(TEST, column="d", p_value=None, adjusted_p=None, note="too few rows")
    found = replace(FOUND, columns=[none])
    assert columns_tested(found) == ()
    assert all_tests(found)[0].p_value is None
    assert signal_parts(found, most_drifted=0.0)[0].score == "0.000000000000"


def test_out_of_distribution_figures_and_quality_stand_as_they_were_found() -> None:
    part = distance_part(FOUND)
    assert (part.auroc, part.fpr95) == ("0.499999", "0.950001")
    finding = QualityFinding(check="null", passed=False, observed=0.1, limit=0.01, detail="x" * 1000)
    assert (quality_part(finding).observed, len(quality_part(finding).detail)) == ("0.1", 400)
