"""Oracles: scipy.stats, exact enumeration of binomial and trinomial coverage, published examples."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq, minimize_scalar

from robustcert.errors import InputError
from robustcert.evaluation import statistics
from robustcert.evaluation.statistics import (
    Rate,
    binomial_interval,
    binomial_quantile,
    lower_bound,
    mcnemar_exact_p,
    paired_difference_interval,
    rate,
    round_down,
    round_up,
    upper_bound,
    wilson_interval,
)

COUNTS = [(0, 1), (1, 1), (0, 10), (3, 10), (10, 10), (430, 449), (1, 3000), (2999, 3000), (50_000, 100_000)]


@pytest.mark.parametrize(("count", "of"), COUNTS)
@pytest.mark.parametrize("confidence", [0.5, 0.95, 0.999])
def test_binomial_interval_equals_scipys_exact_interval(count: int, of: int, confidence: float) -> None:
    expected = scipy.stats.binomtest(count, of).proportion_ci(confidence, method="exact")
    assert binomial_interval(count, of, confidence=confidence) == pytest.approx((expected.low, expected.high), abs=1e-9)


@pytest.mark.parametrize(("count", "of"), COUNTS)
def test_wilson_interval_equals_scipys(count: int, of: int) -> None:
    expected = scipy.stats.binomtest(count, of).proportion_ci(0.95, method="wilson")
    assert wilson_interval(count, of, confidence=0.95) == pytest.approx((expected.low, expected.high), abs=1e-12)


@pytest.mark.parametrize("alpha", [0.3, 0.025, 1e-3, 1e-9])
def test_upper_bound_is_the_proportion_whose_lower_tail_is_alpha(alpha: float) -> None:
    for count, of in [(0, 7), (1, 7), (3, 100_000), (0, 10_000_000), (4_999, 10_000)]:
        assert scipy.stats.binom.cdf(count, of, upper_bound(count, of, alpha=alpha)) == pytest.approx(alpha, rel=1e-7)


def test_lower_bound_mirrors_the_upper_bound_of_the_failures() -> None:
    assert lower_bound(990, 1000, alpha=0.001) == pytest.approx(0.9760361872, abs=5e-11)
    assert lower_bound(0, 5, alpha=0.05) == 0.0
    assert upper_bound(5, 5, alpha=0.05) == 1.0


@pytest.mark.parametrize(("of", "p"), [(10, 0.5), (100, 0.99), (1000, 0.9), (450, 0.96), (30, 1.0), (30, 0.0)])
def test_binomial_interval_covers_at_least_at_its_confidence_by_enumeration(of: int, p: float) -> None:
    """Exact, no randomness: the probability of every count, times whether its interval holds p. Each end by itself."""
    counts = np.arange(of + 1)
    probability = scipy.stats.binom.pmf(counts, of, p)
    ends = np.array([binomial_interval(int(count), of, confidence=0.95) for count in counts])
    assert probability[ends[:, 0] > p].sum() <= 0.025 + 1e-12
    assert probability[ends[:, 1] < p].sum() <= 0.025 + 1e-12


def test_interval_is_as_tight_as_published_for_100_at_099() -> None:
    """Exact coverage .982 of Clopper-Pearson and .921 of Wilson at n = 100, p = .99."""
    probability = scipy.stats.binom.pmf(np.arange(101), 100, 0.99)
    for interval, coverage in ((binomial_interval, 0.982), (wilson_interval, 0.921)):
        inside = [lower <= 0.99 <= upper for lower, upper in (interval(k, 100, confidence=0.95) for k in range(101))]
        assert probability[inside].sum() == pytest.approx(coverage, abs=5e-4)


@pytest.mark.parametrize("of", [1, 7, 500, 10_000, 1_000_000])
@pytest.mark.parametrize("probability", [0.001, 0.5, 0.95, 0.999])
def test_binomial_quantile_equals_scipys(of: int, probability: float) -> None:
    for alpha in (0.3, 0.01, 0.001):
        assert binomial_quantile(probability, of, alpha) == scipy.stats.binom.ppf(probability, of, alpha)


def test_binomial_quantile_gives_the_published_numbers_of_false_certificates() -> None:
    found = [binomial_quantile(level, of, 0.001) for of in (500, 10_000) for level in (0.95, 0.999)]
    assert found == [2, 4, 15, 21]


@pytest.mark.parametrize(("b", "c"), [(0, 0), (0, 1), (1, 7), (7, 1), (20, 20), (40, 61)])
def test_mcnemar_p_equals_the_exact_binomial_test(b: int, c: int) -> None:
    expected = scipy.stats.binomtest(b, b + c).pvalue if b + c else 1.0
    assert mcnemar_exact_p(b, c) == pytest.approx(expected, rel=1e-12)


def test_mcnemar_test_keeps_its_level_by_enumeration() -> None:
    """Given m discordant samples and equal accuracies, b is Bin(m, 1/2); all 60 levels are checked exactly."""
    for m in range(1, 61):
        probability = scipy.stats.binom.pmf(np.arange(m + 1), m, 0.5)
        rejects = [mcnemar_exact_p(b, m - b) <= 0.05 for b in range(m + 1)]
        assert probability[rejects].sum() <= 0.05


def test_paired_interval_gives_the_published_example() -> None:
    """Airway hyper-responsiveness (Bentur et al. 2009), Tango's interval as in Fagerland et al. 2014."""
    assert paired_difference_interval(1, 7, 21) == pytest.approx((-0.517, -0.026), abs=5e-4)


@pytest.mark.parametrize(("b", "c", "n"), [(12, 2, 50), (1, 7, 21), (0, 5, 100), (5, 0, 100), (30, 28, 450)])
def test_paired_interval_ends_where_the_score_test_of_a_numerical_likelihood_does(b: int, c: int, n: int) -> None:
    found = paired_difference_interval(b, c, n, confidence=0.9)
    z = scipy.stats.norm.ppf(0.95)
    middle = (b - c) / n
    expected = (
        brentq(lambda d: _score_by_maximisation(b, c, n, d) - z, -1 + 1e-9, middle),
        brentq(lambda d: _score_by_maximisation(b, c, n, d) + z, middle, 1 - 1e-9),
    )
    assert found == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize(("b", "c", "n"), [(0, 0, 40), (40, 0, 40), (0, 40, 40), (3, 9, 40), (20, 20, 40)])
def test_paired_interval_holds_the_estimate_and_turns_with_the_sign(b: int, c: int, n: int) -> None:
    lower, upper = paired_difference_interval(b, c, n)
    assert -1 <= lower <= (b - c) / n <= upper <= 1
    assert paired_difference_interval(c, b, n) == (-upper, -lower)


@pytest.mark.parametrize(("p10", "p01"), [(0.05, 0.05), (0.1, 0.02), (0.02, 0.2), (0.3, 0.3)])
def test_paired_interval_covers_close_to_its_confidence_by_enumeration(p10: float, p01: float) -> None:
    """Exact trinomial coverage at n = 60 of the nominal 95 % interval: between 93.4 and 98 %, not a guarantee."""
    n = 60
    covered = 0.0
    for b in range(n + 1):
        for c in range(n + 1 - b):
            probability = math.comb(n, b) * math.comb(n - b, c) * p10**b * p01**c * (1 - p10 - p01) ** (n - b - c)
            if probability > 1e-9:
                lower, upper = paired_difference_interval(b, c, n)
                covered += probability * (lower <= p10 - p01 <= upper)
    assert 0.934 <= covered <= 0.98


def test_rate_prints_its_interval_and_denominator_rounded_outward() -> None:
    found = rate(430, 449)
    interval = scipy.stats.binomtest(430, 449).proportion_ci(0.95, method="exact")
    assert found == Rate(count=430, of=449, lower="0.934704", estimate="0.957684", upper="0.974334", confidence="0.95")
    assert float(found.lower) <= interval.low < float(found.lower) + 1e-6
    assert float(found.upper) - 1e-6 < interval.high <= float(found.upper)
    assert str(found) == "0.958 [0.934, 0.975] (430 of 449, 95 %)"
    assert str(rate(0, 8, 0.999)) == "0.000 [0.000, 0.614] (0 of 8, 99.9 %)"


def test_rate_refuses_to_become_a_bare_percentage() -> None:
    with pytest.raises(TypeError, match="unsupported format string"):
        f"{rate(3, 4):.1%}"
    with pytest.raises(TypeError, match="float"):
        float(rate(3, 4))  # type: ignore[arg-type]


@pytest.mark.parametrize(("count", "of"), [(0, 0), (-1, 4), (5, 4)])
def test_counts_that_are_no_proportion_are_refused(count: int, of: int) -> None:
    for function in (rate, binomial_interval, wilson_interval):
        with pytest.raises(InputError, match=rf"expected 0 <= count <= of and of >= 1, got {count} of {of}"):
            function(count, of)


def test_probabilities_outside_0_and_1_are_refused() -> None:
    with pytest.raises(InputError, match="expected 0 < confidence < 1, got 95"):
        rate(1, 2, 95)
    with pytest.raises(InputError, match="expected 0 < alpha < 1, got 0"):
        upper_bound(1, 2, alpha=0)
    with pytest.raises(InputError, match="expected 0 < probability < 1, got 1"):
        binomial_quantile(1, 10, 0.001)


def test_discordant_counts_beyond_the_samples_are_refused() -> None:
    with pytest.raises(InputError, match="got 11 of 10"):
        paired_difference_interval(6, 5, 10)
    with pytest.raises(InputError, match="got -1 of 3"):
        mcnemar_exact_p(-1, 4)


@settings(deadline=None, derandomize=True)
@given(st.floats(-1e9, 1e9), st.integers(0, 9))
def test_rounding_brackets_the_value_within_one_last_place(value: float, digits: int) -> None:
    down, up = Fraction(round_down(value, digits)), Fraction(round_up(value, digits))
    assert down <= Fraction(value) <= up
    assert up - down <= Fraction(1, 10**digits)


def test_rounding_keeps_all_places_and_never_uses_an_exponent() -> None:
    assert round_down(0.49961, 3) == "0.499"
    assert round_up(0.49961, 3) == "0.500"
    assert round_down(1e-9) == "0.000000"
    assert round_up(1e-9) == "0.000001"
    assert round_down(0.1) == "0.100000"
    assert round_down(Fraction(1, 3)) == "0.333333"


def test_confidence_by_default_is_95_percent() -> None:
    assert statistics.CONFIDENCE == 0.95
    assert rate(3, 9).confidence == "0.95"


def _score_by_maximisation(b: int, c: int, n: int, d: float) -> float:
    """Score statistic with the restricted estimate found by a numerical search over the trinomial likelihood."""

    def cost(p01: float) -> float:
        cells = ((b, p01 + d), (c, p01), (n - b - c, 1 - 2 * p01 - d))
        return -sum(count * math.log(max(p, 1e-300)) for count, p in cells if count)

    low, high = max(0.0, -d), (1 - d) / 2
    p01 = minimize_scalar(cost, bounds=(low, high), method="bounded", options={"xatol": 1e-13}).x
    return (b - c - n * d) / math.sqrt(n * max(1e-300, 2 * p01 + d - d * d))
