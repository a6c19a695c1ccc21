"""Laws against scipy; a decision is the comparison of score and threshold, and nothing else."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from scipy import stats

from robustcert.drift.thresholds import (
    ChiSquareLaw,
    FiniteLaw,
    KolmogorovLaw,
    Measurement,
    decide,
    not_tested,
    permutation_law,
    require_alpha,
)
from robustcert.errors import InputError


def found(score: float) -> Measurement:
    """Chi-square with one degree of freedom; its effect is the score itself."""
    law = ChiSquareLaw(scale=1.0, degrees=1)
    return Measurement(
        score=score, law=law, effect=score, effect_name="itself", score_of_effect=lambda effect: effect, n=7, m=8
    )


@pytest.mark.parametrize("scale", [1.0, 0.02])
@pytest.mark.parametrize("degrees", [1, 9, 200])
def test_the_chi_square_law_is_that_of_scipy(scale: float, degrees: int) -> None:
    law, oracle = ChiSquareLaw(scale=scale, degrees=degrees), stats.chi2(degrees, scale=scale)
    for alpha in (0.5, 0.01, 1e-12):
        assert law.threshold(alpha) == pytest.approx(oracle.isf(alpha), rel=1e-9)
        assert law.p_value(law.threshold(alpha)) == pytest.approx(alpha, rel=1e-9)
    assert law.p_value(-1.0) == 1.0


def test_without_degrees_nothing_is_significant() -> None:
    law = ChiSquareLaw(scale=1.0, degrees=0)
    assert (law.p_value(0.0), law.threshold(0.01)) == (1.0, 0.0)


@pytest.mark.parametrize(("n", "m"), [(200, 200), (10_000, 300)])
def test_the_kolmogorov_law_is_the_limit_in_scipy(n: int, m: int) -> None:
    law, root = KolmogorovLaw(n=n, m=m), np.sqrt(n * m / (n + m))
    for alpha in (0.2, 0.01, 1e-6):
        assert law.threshold(alpha) == pytest.approx(stats.kstwobign.isf(alpha) / root, rel=1e-6)
        assert law.p_value(law.threshold(alpha)) == pytest.approx(alpha, rel=1e-6)


def test_a_finite_law_rejects_exactly_what_is_rare_enough() -> None:
    law = FiniteLaw(scores_K=np.array([0.0, 1.0, 2.0]), tail_K=np.array([1.0, 0.3, 0.05]))
    assert [law.p_value(score) for score in (0.0, 0.5, 1.0, 2.0, 3.0)] == [1.0, 0.3, 0.3, 0.05, 0.0]
    assert [law.threshold(alpha) for alpha in (0.01, 0.05, 0.3, 0.4)] == [2.0, 1.0, 0.0, 0.0]


@pytest.mark.parametrize("alpha", [0.05, 0.1, 0.5])
@pytest.mark.parametrize("seed", range(20))
def test_beyond_the_permutation_threshold_means_a_p_value_of_at_most_alpha(alpha: float, seed: int) -> None:
    """Also with ties; the p-value is (1 + hits) / (1 + permutations)."""
    rng = np.random.default_rng(seed)
    permuted, score = rng.integers(0, 15, size=19) * 1.0, float(rng.integers(0, 16))
    law = permutation_law(score, permuted, alpha=alpha)
    assert law.p_value(score) == (1 + (permuted >= score).sum()) / 20
    assert (score > law.threshold(alpha)) == (law.p_value(score) <= alpha)


def test_too_few_permutations_for_alpha_are_refused() -> None:
    with pytest.raises(InputError, match=r"expected at least 99 permutations, got 98; alpha is 0\.01"):
        permutation_law(0.0, np.zeros(98), alpha=0.01)
    permutation_law(0.0, np.zeros(99), alpha=0.01)


@pytest.mark.parametrize("alpha", [0.0, -1.0, 0.51, float("nan")])
def test_an_alpha_that_is_no_probability_of_false_alarm_is_refused(alpha: float) -> None:
    with pytest.raises(InputError, match=r"expected 0 < alpha <= 0\.5"):
        require_alpha(alpha)


@pytest.mark.parametrize(("score", "drifted"), [(3.0, False), (3.9, True)])
def test_a_decision_compares_the_score_with_the_quantile(score: float, drifted: bool) -> None:
    test = decide(found(score), signal="outputs", column="c", method="m", alpha=0.05, note="why")
    assert test.threshold == pytest.approx(3.8415, abs=1e-4)
    assert (test.drifted, test.p_value) == (drifted, pytest.approx(stats.chi2.sf(score, 1)))
    assert (test.signal, test.column, test.method, test.note, test.n, test.m) == ("outputs", "c", "m", "why", 7, 8)
    assert (test.effect, test.effect_name, test.adjusted_p) == (score, "itself", test.p_value)


def test_the_smallest_effect_raises_the_threshold_and_never_lowers_it() -> None:
    given = {"signal": "features", "column": "c", "method": "m", "alpha": 0.05}
    tests = [decide(found(6.0), **given, minimum_effect=effect) for effect in (0.0, 1.0, 7.0)]
    assert [test.drifted for test in tests] == [True, True, False]
    assert tests[2].threshold == 7.0
    assert tests[0].threshold == tests[1].threshold < 6.0


def test_an_adjusted_p_value_is_kept_beside_the_plain_one() -> None:
    test = decide(found(6.0), signal="features", column="c", method="m", alpha=0.05, adjusted_p=0.4)
    assert test.adjusted_p == 0.4
    assert test.p_value is not None
    assert test.p_value < 0.05


def test_a_test_that_was_not_made_has_no_score_and_never_drifts() -> None:
    test = not_tested(signal="features", column="c", method="m", n=3, m=4, note="too few rows")
    assert dataclasses.asdict(test) == {
        "signal": "features",
        "column": "c",
        "method": "m",
        "score": 0.0,
        "threshold": 0.0,
        "p_value": None,
        "adjusted_p": None,
        "effect": 0.0,
        "effect_name": "",
        "n": 3,
        "m": 4,
        "drifted": False,
        "note": "too few rows",
    }
