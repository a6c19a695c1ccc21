"""The verdict, fact by fact: each check decides when it should, and the first one to speak is heard."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from robustcert.certificate.results import rate_part
from robustcert.drift.policy import DriftPolicy, parse_policy
from robustcert.drift.realised import ConceptDrift
from robustcert.drift.record import DistancePart, DriftTestPart, QualityPart, RealisedPart, SignalPart
from robustcert.drift.verdict import WindowFacts, judge_window
from robustcert.evaluation.statistics import rate

POLICY = DriftPolicy()
SIGNAL = SignalPart(signal="outputs", method="chi_square", score="3", threshold="20", n=400, m=1000, drifted=False)
COLUMN = DriftTestPart(
    signal="features", column="dose", method="ks", score="3", threshold="1", p_value="0.1", adjusted_p="0.1",
    effect="1.2", effect_name="equivalent_shift", n=400, m=1000, drifted=True, note="",
)  # fmt: skip
CLEAN = WindowFacts(
    rows=1000,
    complete_rows=1000,
    reference_rows=400,
    quality=(),
    quality_ratio=Decimal("1"),
    signals=(SIGNAL,),
    tests=(),
    distance=DistancePart(auroc="0.5", fpr95="0.95", n=400, m=1000),
    outputs_moved=Decimal("0"),
    realised=None,
    concept=None,
    clean_accuracy=rate_part(rate(390, 400)),
)
DRIFTED = SIGNAL.model_copy(update={"score": "21", "drifted": True})
LOST = ConceptDrift(drifted=True, p_value=0.0, alpha=0.001, why="")


def labelled(correct: int, of: int) -> RealisedPart:
    found = rate(correct, of)
    return RealisedPart(
        correct=correct, of=of, lower=found.lower, upper=found.upper, coverage="0.5", median_delay_seconds=None
    )


def test_a_window_without_anything_above_its_threshold_is_clean() -> None:
    found = judge_window(CLEAN, POLICY)
    assert (found.verdict, found.why) == ("clean", "none of 1 signals is above its threshold, 1000 rows")


@pytest.mark.parametrize(
    ("facts", "verdict", "why"),
    [
        (replace(CLEAN, complete_rows=99), "undecided", "99 complete rows in the window, fewer than 100"),
        (replace(CLEAN, reference_rows=99), "undecided", "99 rows in the reference, fewer than 100"),
        (replace(CLEAN, quality_ratio=Decimal("0.899")), "undecided", "only 0.899 of the rows"),
        (replace(CLEAN, signals=(SIGNAL, DRIFTED)), "drifted", "1 of 2 signals above threshold: outputs"),
        (
            replace(CLEAN, distance=DistancePart(auroc="0.96", fpr95="0.1", n=400, m=1000)),
            "gross",
            "AUROC 0.96 of their distance",
        ),
        (replace(CLEAN, signals=(DRIFTED,), outputs_moved=Decimal("0.6")), "gross", "classes moved by 0.600"),
        (replace(CLEAN, tests=(COLUMN,)), "gross", "1 of 1 columns have an effect of at least 0.8"),
        (replace(CLEAN, realised=labelled(900, 1000), concept=LOST), "drifted", "900 of 1000"),
        (replace(CLEAN, realised=labelled(600, 1000), concept=LOST), "gross", "600 of 1000"),
    ],
)
def test_each_check_speaks_when_it_should(facts: WindowFacts, verdict: str, why: str) -> None:
    found = judge_window(facts, POLICY)
    assert found.verdict == verdict
    assert why in found.why


@pytest.mark.parametrize(
    "facts",
    [
        replace(CLEAN, complete_rows=100, reference_rows=100),
        replace(CLEAN, quality_ratio=Decimal("0.9")),
        replace(CLEAN, distance=DistancePart(auroc="0.95", fpr95="0.1", n=400, m=1000)),
        replace(CLEAN, outputs_moved=Decimal("0.6")),
        replace(CLEAN, tests=(COLUMN.model_copy(update={"drifted": False}),)),
        replace(CLEAN, tests=(COLUMN.model_copy(update={"effect": "0.79"}),)),
        replace(CLEAN, tests=(COLUMN.model_copy(update={"column": ""}),)),
        replace(CLEAN, realised=labelled(600, 1000), concept=replace(LOST, drifted=False)),
    ],
)
def test_no_check_speaks_before_its_limit(facts: WindowFacts) -> None:
    assert judge_window(facts, POLICY).verdict == "clean"


def test_broken_data_are_told_apart_from_drift_and_gross_drift_from_drift() -> None:
    everything = replace(
        CLEAN,
        signals=(DRIFTED,),
        distance=DistancePart(auroc="0.99", fpr95="0.1", n=400, m=1000),
        realised=labelled(600, 1000),
        concept=LOST,
        quality=(QualityPart(check="null", passed=False, observed="0.5", limit="0.01", detail=""),),
    )
    broken = judge_window(replace(everything, quality_ratio=Decimal("0.5")), POLICY)
    assert broken.verdict == "undecided"
    assert "(null)" in broken.why
    assert judge_window(everything, POLICY).verdict == "gross"


def test_the_policy_moves_every_limit() -> None:
    policy = parse_policy(
        "minimumRows: 50\nquality: {minimumRatio: 0.5}\ngross: {distanceAuroc: 0.99, columns: 0.9, effect: 2.0}\n"
    )
    facts = replace(
        CLEAN,
        complete_rows=60,
        quality_ratio=Decimal("0.6"),
        distance=DistancePart(auroc="0.98", fpr95="0.1", n=400, m=1000),
        tests=(COLUMN,),
    )
    assert judge_window(facts, policy).verdict == "clean"
    assert judge_window(facts, POLICY).verdict == "undecided"
