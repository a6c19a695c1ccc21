"""Anderson-Darling against scipy, against permutation, with ties, and as an effect."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from scipy.integrate import quad

from robustcert.drift.anderson_darling import NORMAL_SHIFT, anderson_darling_measurement
from robustcert.drift.histogram import ColumnCounts, number_bins
from robustcert.drift.thresholds import Measurement
from robustcert.evaluation.statistics import binomial_quantile


def measured(x: np.ndarray, y: np.ndarray, *, groups: int = 64) -> Measurement:
    cells = number_bins(x)
    counts = (ColumnCounts(cells=cells).add(values).counts for values in (x, y))
    return anderson_darling_measurement(*counts, groups=groups)


@pytest.mark.parametrize("shift", [0.1, 0.15, 0.2])
def test_the_p_value_is_that_of_a_permutation_test(shift: float) -> None:
    """Oracle: scipy's statistic, 2,000 permutations; five of their standard errors."""
    rng = np.random.default_rng(int(100 * shift))
    x, y = rng.normal(size=300), rng.normal(shift, size=250)
    method = stats.PermutationMethod(n_resamples=2_000, rng=np.random.default_rng(1))
    exact = stats.anderson_ksamp([x, y], variant="midrank", method=method).pvalue
    assert measured(x, y).p_value == pytest.approx(exact, abs=5 * np.sqrt(exact / 2_000) + 0.1 * exact)


@pytest.mark.parametrize("groups", [16, 64])
def test_the_score_is_near_that_of_scipy(groups: int) -> None:
    """scipy gives (A^2 - 1) / sigma; for two large samples sigma^2 = 2 (pi^2 - 9) / 3."""
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=1_000), rng.normal(0.1, size=800)
    plain = 1 + np.sqrt(2 * (np.pi**2 - 9) / 3) * stats.anderson_ksamp([x, y], variant="midrank").statistic
    assert measured(x, y, groups=groups).score == pytest.approx(plain, rel=0.1)


def test_groups_are_how_finely_the_tails_are_seen() -> None:
    """A drift in the outer hundredth shows with many groups, not with two."""
    x = np.random.default_rng(1).normal(size=20_000)
    y = np.where(np.abs(x) > 2.5, 4 * x, x)
    assert measured(x, y, groups=64).score > measured(x, y, groups=2).score


@pytest.mark.parametrize("kind", ["normal", "whole numbers", "half zeros"])
def test_clean_samples_alarm_as_rarely_as_alpha_says_ties_or_not(kind: str) -> None:
    """1,500 clean pairs at 2 %: fails by chance with probability below 1e-4."""
    rng, alarms = np.random.default_rng(11), 0
    for _ in range(1_500):
        x, y = rng.normal(size=200), rng.normal(size=150)
        if kind == "whole numbers":
            x, y = np.floor(x), np.floor(y)
        elif kind == "half zeros":
            x, y = np.maximum(x, 0), np.maximum(y, 0)
        alarms += measured(x, y).p_value <= 0.02
    assert 8 <= alarms <= binomial_quantile(0.9999, 1_500, 0.02)


def test_two_values_are_the_chi_square_of_a_table() -> None:
    """One cut is left: the score is the chi-square, (N - 1) / N of it, and so is its law."""
    x, y = np.repeat([0.0, 1.0], [300, 100]), np.repeat([0.0, 1.0], [200, 110])
    score = stats.chi2_contingency([[300, 100], [200, 110]], correction=False)[0] * 709 / 710
    found = measured(x, y)
    assert found.score == pytest.approx(score, rel=1e-9)
    assert found.p_value == pytest.approx(stats.chi2.sf(score, 1), rel=1e-9)


def test_a_column_that_is_constant_in_both_is_no_difference_and_a_new_constant_is() -> None:
    same = measured(np.full(200, 3.0), np.full(150, 3.0))
    assert (same.score, same.p_value, same.effect, same.threshold(alpha=0.01, minimum_effect=0.0)) == (0, 1, 0, 0)
    assert measured(np.full(200, 3.0), np.full(150, 2.0)).p_value < 1e-50


def test_the_constant_of_a_normal_shift_is_its_integral() -> None:
    def integrand(x: float) -> float:
        return float(stats.norm.pdf(x) ** 3 / (stats.norm.cdf(x) * stats.norm.sf(x)))

    assert quad(integrand, -12, 12)[0] == pytest.approx(NORMAL_SHIFT, abs=5e-5)


@pytest.mark.parametrize("shift", [0.1, 0.25, 0.5])
def test_the_effect_of_a_shifted_normal_column_is_its_shift(shift: float) -> None:
    rng = np.random.default_rng(8)
    found = measured(rng.normal(size=100_000), rng.normal(shift, size=100_000))
    assert found.effect == pytest.approx(shift, abs=0.03)
    assert found.score_of_effect(found.effect) == pytest.approx(found.score, rel=1e-9)


def test_a_change_of_spread_alone_is_found() -> None:
    rng = np.random.default_rng(6)
    x, y = rng.normal(size=1_000), rng.normal(0, 1.3, size=1_000)
    assert measured(x, y).p_value < 1e-4
    assert stats.ttest_ind(x, y).pvalue > 0.01
