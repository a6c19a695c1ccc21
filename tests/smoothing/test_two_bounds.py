"""Oracles: scipy.stats, worked cases, and a simulation of the guarantee with a stated failure probability."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats

from robustcert.errors import InputError
from robustcert.smoothing.confidence import certified_radius
from robustcert.smoothing.two_bounds import rival_upper_bound, two_bound_radius


def by_scipy(counts: list[int], fragile: int, candidate: int, *, alpha: float) -> float:
    """R in sigma by the formula, on beta quantiles of successes; -inf for an abstention."""
    n, rivals = sum(counts) + fragile, len(counts) - 1
    own = counts[candidate]
    lower = scipy.stats.beta.ppf(alpha / 2, own, n - own + 1)
    tops = [count + fragile for label, count in enumerate(counts) if label != candidate]
    upper = max(scipy.stats.beta.isf(alpha / (2 * rivals), top + 1, n - top) for top in tops)
    upper = min(upper, 1 - lower)
    return float((scipy.stats.norm.ppf(lower) - scipy.stats.norm.ppf(upper)) / 2) if lower > upper else -np.inf


CASES = [
    ([60_000, 10_000, 10_000, 10_000, 10_000], 0, 0),
    ([60_000, 10_000, 9_000, 11_000], 10_000, 0),
    ([3_000, 4_500, 2_500], 0, 1),
    ([10, 990], 0, 1),
    ([0, 0, 1_000], 0, 2),
    ([200, 200, 210, 190, 200], 0, 2),
    ([999, 0, 0, 1], 0, 0),
]


@pytest.mark.parametrize(("counts", "fragile", "candidate"), CASES)
def test_radius_is_the_formula_rounded_down(counts: list[int], fragile: int, candidate: int) -> None:
    exact = 0.5 * by_scipy(counts, fragile, candidate, alpha=0.001)
    found = two_bound_radius(counts, fragile, candidate, alpha=0.001, sigma=0.5)
    if exact < 0:
        assert found is None
    else:
        assert found is not None
        assert -1e-9 <= exact - float(found) < 1e-6 + 1e-9


def test_spread_rivals_give_more_than_one_bound_and_a_majority_is_not_needed() -> None:
    """pA = .6 with rivals of .1 each, and pA = .45 against .3: about .75 sigma for .24, and .18 for nothing."""
    spread = [60_000, *[10_000] * 4]
    assert float(two_bound_radius(spread, 0, 0, alpha=0.001, sigma=1.0) or 0) == pytest.approx(0.75, abs=0.003)
    assert float(certified_radius(60_000, 100_000, alpha=0.001, sigma=1.0) or 0) == pytest.approx(0.241, abs=0.001)
    minority = [45_000, 30_000, *[3_125] * 8]
    assert float(two_bound_radius(minority, 0, 0, alpha=0.001, sigma=1.0) or 0) == pytest.approx(0.184, abs=0.002)
    assert certified_radius(45_000, 100_000, alpha=0.001, sigma=1.0) is None


def test_with_one_rival_it_is_the_one_bound_radius_at_half_of_alpha() -> None:
    for successes in (5_300, 7_000, 9_990, 10_000):
        found = two_bound_radius([successes, 10_000 - successes], 0, 0, alpha=0.002, sigma=1.0)
        assert found == certified_radius(successes, 10_000, alpha=0.001, sigma=1.0)


def test_fragile_votes_count_for_the_rivals_and_against_the_candidate() -> None:
    clear = two_bound_radius([700, 100, 100, 100], 0, 0, alpha=0.001, sigma=1.0)
    fragile = two_bound_radius([700, 100, 100, 50], 50, 0, alpha=0.001, sigma=1.0)
    moved = two_bound_radius([700, 150, 100, 50], 0, 0, alpha=0.001, sigma=1.0)
    assert fragile == moved
    assert float(fragile or 0) < float(clear or 0)


@pytest.mark.parametrize("probabilities", [(0.4, 0.15, 0.15, 0.15, 0.15), (0.5, 0.5, 0.0, 0.0, 0.0), (0.2,) * 5])
def test_bounds_hold_together_with_probability_1_minus_alpha(probabilities: tuple[float, ...]) -> None:
    """20,000 samples of 300 votes at alpha = .05: radii above the true one at most .05 + 4 sd of the time."""
    alpha, trials = 0.05, 20_000
    truth = (scipy.stats.norm.ppf(probabilities[0]) - scipy.stats.norm.ppf(max(probabilities[1:]))) / 2
    generator = np.random.Generator(np.random.Philox(8))
    drawn, times = np.unique(generator.multinomial(300, probabilities, trials), axis=0, return_counts=True)
    radii = [two_bound_radius(counts, 0, 0, alpha=alpha, sigma=1.0) for counts in drawn.tolist()]
    false = sum(count for radius, count in zip(radii, times.tolist(), strict=True) if radius and float(radius) > truth)
    assert false / trials <= alpha + 4 * (alpha * (1 - alpha) / trials) ** 0.5


def test_the_runner_up_is_bounded_for_every_rival_at_once() -> None:
    """9 rivals of .1: some count is below its own alpha bound far more often than alpha; the shared bound holds."""
    alpha, trials = 0.05, 4_000
    generator = np.random.Generator(np.random.Philox(9))
    counts = generator.multinomial(300, (0.1,) * 10, trials)
    second_smallest = [sorted(row) for row in counts.tolist()]
    below = [scipy.stats.beta.isf(alpha, row[0] + 1, 300 - row[0]) < 0.1 for row in second_smallest]
    assert np.mean(below) > 2 * alpha
    shared = [scipy.stats.beta.isf(alpha / 9, row[0] + 1, 300 - row[0]) < 0.1 for row in second_smallest]
    assert np.mean(shared) <= alpha + 4 * (alpha * (1 - alpha) / trials) ** 0.5
    assert rival_upper_bound([5, 3, 9], 1, 2, alpha=alpha) == pytest.approx(scipy.stats.beta.isf(alpha / 2, 7, 12))


@pytest.mark.parametrize(("counts", "candidate"), [([10], 0), ([5, 5], 2), ([5, 5], -1)])
def test_a_candidate_without_rivals_is_refused(counts: list[int], candidate: int) -> None:
    with pytest.raises(InputError, match="pass the votes of every class"):
        two_bound_radius(counts, 0, candidate, alpha=0.001, sigma=1.0)


def test_sigma_that_is_no_noise_level_is_refused() -> None:
    with pytest.raises(InputError, match="expected a finite sigma above 0"):
        two_bound_radius([5, 5], 0, 0, alpha=0.001, sigma=0.0)
