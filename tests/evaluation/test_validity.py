"""Each check is shown to pass, and to fail for the one fact that it looks at."""

from dataclasses import replace

import numpy as np
import pytest

from robustcert.evaluation.validity import CHECKS, AttackedPoint, Facts, WholeRange, validity_of


def point(epsilon: float, unbroken: int, **changes: float) -> AttackedPoint:
    """100 samples, the first `unbroken` of which kept their class."""
    facts = {"worst_ratio": 1.0, "illegal": 0, "unreproduced": 0, **changes}
    kept = np.arange(100) < unbroken
    return AttackedPoint(threat="linf", attack="pgd", epsilon=epsilon, unbroken=kept, **facts)


SOUND = Facts(
    n_classes=10,
    samples=100,
    not_finite=0,
    rows_that_sum_to_one=0,
    zero_gradients=5,
    zero_epsilon={"linf, pgd": 0},
    whole_range=(WholeRange(threat="linf", unbroken=10, of=100, fixed=0),),
    points=(point(0.1, 80), point(0.2, 50)),
)


def failed(facts: Facts) -> list[str]:
    return [check.name for check in validity_of(facts) if not check.passed]


def test_a_sound_evaluation_passes_every_check() -> None:
    assert failed(SOUND) == []
    assert len(validity_of(SOUND)) == len(CHECKS)


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"zero_epsilon": {"linf, pgd": 1}}, "epsilon-zero-is-clean"),
        ({"points": (point(0.1, 80, illegal=1),)}, "budget-kept"),
        ({"points": (point(0.1, 80, unreproduced=1),)}, "adversarials-reproduce"),
        ({"whole_range": (WholeRange(threat="linf", unbroken=20, of=100, fixed=0),)}, "whole-range-breaks"),
        ({"not_finite": 1}, "logits-are-scores"),
        ({"rows_that_sum_to_one": 100}, "logits-are-scores"),
        ({"zero_gradients": 6}, "gradients-present"),
        ({"points": (point(0.2, 60), point(0.1, 50))}, "falls-with-epsilon"),
    ],
)
def test_one_wrong_fact_fails_one_check(change: dict[str, object], name: str) -> None:
    assert failed(replace(SOUND, **change)) == [name]


def test_whole_range_allows_what_chance_explains() -> None:
    # scipy.stats.binomtest(17, 100).proportion_ci(0.95).low is 0.102, for 16 it is 0.0943
    for unbroken, expected in [(16, []), (17, ["whole-range-breaks"])]:
        entry = WholeRange(threat="linf", unbroken=unbroken, of=100, fixed=0)
        assert failed(replace(SOUND, whole_range=(entry,))) == expected


def test_whole_range_is_not_judged_where_features_are_fixed() -> None:
    entry = WholeRange(threat="linf", unbroken=90, of=100, fixed=2)
    checks = {check.name: check for check in validity_of(replace(SOUND, whole_range=(entry,)))}
    assert checks["whole-range-breaks"].passed
    assert "not judged, 2 coordinates may not be changed" in checks["whole-range-breaks"].detail


def test_small_rises_within_two_paired_standard_errors_are_chance() -> None:
    assert failed(replace(SOUND, points=(point(0.1, 50), point(0.2, 54)))) == []  # 4 gained: 4 <= 2 sqrt(4)
    assert failed(replace(SOUND, points=(point(0.1, 50), point(0.2, 55)))) == ["falls-with-epsilon"]


def test_rises_are_looked_for_within_one_attack_and_threat_only() -> None:
    other = replace(point(0.2, 90), attack="fgsm")
    assert failed(replace(SOUND, points=(point(0.1, 50), other))) == []


def test_details_give_the_numbers() -> None:
    details = {
        check.name: check.detail for check in validity_of(replace(SOUND, points=(point(0.1, 5), point(0.2, 50))))
    }
    assert details["falls-with-epsilon"] == "linf, pgd: 45 more unbroken at 0.2 than at 0.1"
    assert details["gradients-present"] == "5 of 100 input gradients are exactly zero; at most 5 % may be"
    assert "largest distance is 1.000000000 of epsilon" in details["budget-kept"]
