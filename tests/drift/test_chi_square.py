"""Chi-square against scipy, with the exact law of small tables against scipy's hypergeometric and Fisher's test."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from robustcert.drift.chi_square import chi_square, chi_square_measurement
from robustcert.drift.thresholds import ChiSquareLaw, FiniteLaw
from robustcert.evaluation.statistics import binomial_quantile


@pytest.mark.parametrize("seed", range(5))
def test_score_and_p_value_are_those_of_scipy(seed: int) -> None:
    a_K, b_K = np.random.default_rng(seed).integers(60, 200, size=(2, 7))
    score, p, _, _ = stats.chi2_contingency([a_K, b_K], correction=False)
    found = chi_square_measurement(a_K, b_K)
    assert isinstance(found.law, ChiSquareLaw)
    assert found.score == pytest.approx(score, rel=1e-12)
    assert found.p_value == pytest.approx(p, rel=1e-9)
    assert found.law.threshold(found.p_value) == pytest.approx(found.score, rel=1e-9)


def test_rare_groups_and_rest_are_merged_as_the_least_expected_count_says() -> None:
    a_K, b_K, rest = np.array([500, 300, 4, 3]), np.array([450, 350, 6, 2]), (2, 3)
    whole = chi_square_measurement(a_K, b_K, rest=rest, least_expected=5.0)
    merged = stats.chi2_contingency([[500, 300, 9], [450, 350, 11]], correction=False)
    assert whole.score == pytest.approx(merged.statistic, rel=1e-12)
    assert isinstance(whole.law, ChiSquareLaw)
    assert whole.law.degrees == 2
    fine = chi_square_measurement(a_K, b_K, least_expected=1.0).law
    assert isinstance(fine, ChiSquareLaw)
    assert fine.degrees == 3


@pytest.mark.parametrize("table", [[[3, 97], [9, 91]], [[1, 199], [8, 192]], [[0, 60], [3, 40]], [[40, 4], [30, 10]]])
def test_a_small_table_of_two_by_two_has_the_exact_p_value(table: list[list[int]]) -> None:
    """Oracle: all tables with these margins by scipy's hypergeometric law, ordered by scipy's chi-square."""
    (a, b), (c, d) = table
    law = stats.hypergeom(a + b + c + d, a + c, a + b)
    counts = np.arange(max(0, a + c - (c + d)), min(a + b, a + c) + 1)
    scores = [
        stats.chi2_contingency([[k, a + b - k], [a + c - k, c + d - (a + c - k)]], correction=False)[0] for k in counts
    ]
    observed = stats.chi2_contingency(table, correction=False)[0]
    exact = law.pmf(counts)[np.array(scores) >= observed - 1e-9].sum()
    found = chi_square_measurement(*np.array(table))
    assert isinstance(found.law, FiniteLaw)
    assert found.score == pytest.approx(observed, rel=1e-9)
    assert found.p_value == pytest.approx(exact, rel=1e-9)


def test_with_equal_samples_the_exact_p_value_is_fishers() -> None:
    table = np.array([[2, 98], [11, 89]])
    assert chi_square_measurement(*table).p_value == pytest.approx(stats.fisher_exact(table)[1], rel=1e-9)


@pytest.mark.parametrize("alpha", [0.05, 0.01, 0.0005])
def test_on_the_exact_law_beyond_the_threshold_means_significant(alpha: float) -> None:
    for count in range(30):
        found = chi_square_measurement(np.array([3, 147]), np.array([count, 150 - count]))
        assert (found.score > found.law.threshold(alpha)) == (found.p_value <= alpha)


def test_equal_shares_and_single_cells_are_no_difference() -> None:
    assert chi_square_measurement(np.array([60, 60]), np.array([90, 90])).p_value == 1.0
    alone = chi_square_measurement(np.array([100]), np.array([50]))
    assert (alone.score, alone.p_value, alone.law.threshold(0.05), alone.effect) == (0.0, 1.0, 0.0, 0.0)


def test_the_effect_is_cramers_v_of_scipy_without_bias_and_leads_back_to_the_score() -> None:
    """With equal samples, V^2 is scipy's less degrees / rows."""
    table = np.array([[400, 300, 300], [300, 300, 400]])
    found = chi_square_measurement(*table)
    plain = stats.contingency.association(table, method="cramer")
    assert found.effect == pytest.approx(np.sqrt(plain**2 - 2 / 2_000), rel=1e-9)
    assert found.score_of_effect(found.effect) == pytest.approx(found.score, rel=1e-9)
    assert found.effect_name == "cramers_v"


@pytest.mark.parametrize("shares", [[0.9, 0.08, 0.02], [0.3, 0.2, 0.1, *[0.04] * 10]])
def test_clean_samples_alarm_as_rarely_as_alpha_says(shares: list[float]) -> None:
    """3,000 clean pairs of 200 rows at 1 %: fails by chance with probability below 1e-4."""
    rng = np.random.default_rng(7)
    pairs = rng.multinomial(200, shares, size=(2, 3_000))
    alarms = sum(chi_square_measurement(a_K, b_K).p_value <= 0.01 for a_K, b_K in zip(*pairs, strict=True))
    assert 5 <= alarms <= binomial_quantile(0.9999, 3_000, 0.01)


def test_the_plain_statistic_needs_no_equal_samples() -> None:
    a_G, b_G = np.array([10, 90]), np.array([300, 700])
    assert chi_square(a_G, b_G) == pytest.approx(stats.chi2_contingency([a_G, b_G], correction=False)[0])
