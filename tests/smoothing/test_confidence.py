"""Oracles: scipy.stats, published values, closed forms; guarantees are enumerated, or simulated and stated."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import numpy as np
import pytest
import scipy.stats

from robustcert.errors import InputError
from robustcert.evaluation.statistics import upper_bound
from robustcert.smoothing import confidence
from robustcert.smoothing.confidence import (
    certified_radius,
    clopper_pearson_lower,
    failure_upper_bound,
    largest_radius,
    most_voted_radius,
    radius,
)
from robustcert.smoothing.noise_kinds import KINDS

PUBLISHED = [
    (100_000, 100_000, 0.9999309248, "3.811457"),
    (99_900, 100_000, 0.9986509924, "3.000201"),
    (99_000, 100_000, 0.9889893404, "2.290000"),
    (90_000, 100_000, 0.8970364962, "1.264845"),
    (70_000, 100_000, 0.6955035152, "0.511511"),
    (55_000, 100_000, 0.5451301788, "0.113367"),
]


@pytest.mark.parametrize(("successes", "n", "lower", "published_radius"), PUBLISHED)
def test_bound_and_radius_equal_the_published_values(
    successes: int, n: int, lower: float, published_radius: str
) -> None:
    """The published radii are rounded to nearest, ours down: they differ by less than one last place."""
    assert clopper_pearson_lower(successes, n, alpha=0.001) == pytest.approx(lower, abs=5e-11)
    found = certified_radius(successes, n, alpha=0.001, sigma=1.0)
    assert found is not None
    assert 0 <= Decimal(published_radius) - Decimal(found) <= Decimal("0.000001")


def test_bounds_of_small_samples_equal_the_published_values() -> None:
    assert clopper_pearson_lower(100, 100, alpha=0.001) == pytest.approx(0.9332543008, abs=5e-11)
    assert clopper_pearson_lower(990, 1000, alpha=0.001) == pytest.approx(0.9760361872, abs=5e-11)


@pytest.mark.parametrize("alpha", [0.05, 0.001, 1e-9])
def test_bound_is_the_one_sided_beta_quantile_of_the_successes(alpha: float) -> None:
    for successes, n in [(100, 100), (60, 100), (9_990, 10_000), (5_001, 10_000)]:
        expected = scipy.stats.beta.ppf(alpha, successes, n - successes + 1)
        assert clopper_pearson_lower(successes, n, alpha=alpha) == pytest.approx(expected, abs=1e-12)
    assert clopper_pearson_lower(0, 100, alpha=alpha) == 0.0


def test_critical_number_of_failures_at_radius_half_sigma_is_the_published_one() -> None:
    """n = 100,000, alpha = .001, r = sigma / 2: 30,402 failures certify, 30,403 don't, at exact type I error."""
    n, alpha = 100_000, 0.001
    assert Decimal(certified_radius(n - 30_402, n, alpha=alpha, sigma=1.0) or "0") >= Decimal("0.5")
    assert Decimal(certified_radius(n - 30_403, n, alpha=alpha, sigma=1.0) or "0") < Decimal("0.5")
    p0 = scipy.stats.norm.cdf(0.5)
    assert scipy.stats.binom.cdf(30_402, n, 1 - p0) <= alpha < scipy.stats.binom.cdf(30_403, n, 1 - p0)


@pytest.mark.parametrize("p", [0.3, 0.5, 0.5001, 0.7, 0.9, 0.99, 0.9999])
def test_radius_exceeds_the_truth_with_probability_at_most_alpha_by_enumeration(p: float) -> None:
    """Exact, no randomness: P(certified radius > sigma Phi^-1(p)) over all counts, n = 2,000."""
    n, alpha, sigma = 2_000, 0.01, 0.5
    truth = max(0.0, sigma * float(scipy.stats.norm.ppf(p)))
    probability = scipy.stats.binom.pmf(np.arange(n + 1), n, p)
    found = [certified_radius(successes, n, alpha=alpha, sigma=sigma) for successes in range(n + 1)]
    false = [value is not None and (p <= 0.5 or float(value) > truth) for value in found]
    assert probability[false].sum() <= alpha


def test_false_radii_of_a_linear_classifier_stay_within_alpha() -> None:
    """20,000 margins m, where pA = Phi(m / sigma) and the true radius is m. Fails by chance under 1 in 15,000."""
    n, alpha, sigma, margins = 1_000, 0.001, 0.25, 20_000
    generator = np.random.Generator(np.random.Philox(20190708))
    m = generator.uniform(0, 3 * sigma, margins)
    votes = generator.binomial(n, scipy.stats.norm.cdf(m / sigma))
    found = {int(count): certified_radius(int(count), n, alpha=alpha, sigma=sigma) for count in np.unique(votes)}
    false = sum(float(found[int(count)] or 0) > margin for count, margin in zip(votes, m, strict=True))
    assert false / margins <= alpha + 4 * (alpha * (1 - alpha) / margins) ** 0.5


def test_radius_meets_the_margin_when_the_votes_meet_their_expectation() -> None:
    """As n grows with A at n Phi(m / sigma), the radius tends to the margin m from below."""
    margin, sigma = 0.3, 0.25
    p = scipy.stats.norm.cdf(margin / sigma)
    gaps = [
        margin - float(certified_radius(round(n * p), n, alpha=0.001, sigma=sigma) or 0) for n in (100, 10**4, 10**7)
    ]
    assert gaps[0] > gaps[1] > gaps[2] > 0
    assert gaps[2] < 5e-4


def test_unanimous_votes_give_a_finite_radius_that_nothing_exceeds() -> None:
    for n in (1, 100, 100_000, 10_000_000):
        for alpha in (0.4, 0.001, 1e-12):
            limit = scipy.stats.norm.ppf(alpha ** (1 / n)) if alpha ** (1 / n) > 0.5 else 0
            found = float(certified_radius(n, n, alpha=alpha, sigma=1.0) or 0)
            assert found == pytest.approx(limit, abs=2e-6)
    assert largest_radius(100_000, alpha=0.001, sigma=0.5) == pytest.approx(0.5 * 3.811457, abs=1e-6)


def test_abstains_where_the_bound_reaches_one_half() -> None:
    """The smallest certified count at n = 1,000, alpha = .001 is the critical value of the binomial test at 1/2."""
    smallest = next(a for a in range(1001) if certified_radius(a, 1000, alpha=0.001, sigma=1.0) is not None)
    assert scipy.stats.binom.sf(smallest - 1, 1000, 0.5) < 0.001 <= scipy.stats.binom.sf(smallest - 2, 1000, 0.5)
    assert certified_radius(0, 1000, alpha=0.001, sigma=1.0) is None


def test_radius_grows_with_votes_and_with_sigma_and_shrinks_with_alpha() -> None:
    found = [float(certified_radius(a, 1000, alpha=0.001, sigma=0.5) or 0) for a in range(500, 1001)]
    assert found == sorted(found)
    doubled = float(certified_radius(990, 1000, alpha=0.001, sigma=1.0) or 0)
    assert doubled == pytest.approx(2 * float(certified_radius(990, 1000, alpha=0.001, sigma=0.5) or 0), abs=2e-6)
    assert doubled > float(certified_radius(990, 1000, alpha=0.0001, sigma=1.0) or 0)


def test_radius_is_refused_where_it_would_not_be_positive() -> None:
    for failure in (0.0, 0.5, 1.0, float("nan")):
        with pytest.raises(InputError, match="abstain where failure reaches 1/2"):
            radius(failure, sigma=1.0)


@pytest.mark.parametrize("sigma", [0.0, -1.0, float("inf"), float("nan")])
def test_sigma_that_is_no_noise_level_is_refused(sigma: float) -> None:
    with pytest.raises(InputError, match="expected a finite sigma above 0"):
        certified_radius(99, 100, alpha=0.001, sigma=sigma)


L1_RADIUS = {
    "uniform": lambda p, sigma: 2 * np.sqrt(3) * sigma * (p - 0.5),
    "laplace": lambda p, sigma: -sigma / np.sqrt(2) * np.log(2 * (1 - p)),
}
L1_NOISE = {
    "uniform": lambda sigma: scipy.stats.uniform(-np.sqrt(3) * sigma, 2 * np.sqrt(3) * sigma),
    "laplace": lambda sigma: scipy.stats.laplace(scale=sigma / np.sqrt(2)),
}


@pytest.mark.parametrize("name", L1_RADIUS)
def test_radii_against_l1_are_those_of_the_clopper_pearson_bound_rounded_down(name: str) -> None:
    for successes in (600, 990, 1000):
        exact = L1_RADIUS[name](scipy.stats.beta.ppf(0.001, successes, 1001 - successes), 0.5)
        found = certified_radius(successes, 1000, alpha=0.001, sigma=0.5, kind=KINDS[name])
        assert 0 <= exact - float(found or 0) < 1e-6 + 1e-9
    assert largest_radius(1000, alpha=0.001, sigma=0.5, kind=KINDS[name]) == pytest.approx(exact, rel=1e-9)
    assert certified_radius(500, 1000, alpha=0.001, sigma=0.5, kind=KINDS[name]) is None


@pytest.mark.parametrize("name", L1_RADIUS)
def test_false_radii_against_l1_of_a_half_space_stay_within_alpha(name: str) -> None:
    """Class 1 where x_1 < m: pA is the noise's distribution function at m, and the true radius is m.

    20,000 margins at alpha = .001: fails by chance under 1 in 15,000.
    """
    n, alpha, sigma, margins = 1_000, 0.001, 0.25, 20_000
    generator = np.random.Generator(np.random.Philox(20200708))
    m = generator.uniform(0, 1.7 * sigma, margins)
    votes = generator.binomial(n, L1_NOISE[name](sigma).cdf(m))
    kind = KINDS[name]
    found = {int(v): certified_radius(int(v), n, alpha=alpha, sigma=sigma, kind=kind) for v in np.unique(votes)}
    false = sum(float(found[int(count)] or 0) > margin for count, margin in zip(votes, m, strict=True))
    assert false / margins <= alpha + 4 * (alpha * (1 - alpha) / margins) ** 0.5


def test_the_most_voted_class_is_certified_at_half_of_alpha() -> None:
    assert most_voted_radius([5, 700, 295], 1000, alpha=0.002, sigma=0.5) == (
        1,
        certified_radius(700, 1000, alpha=0.001, sigma=0.5),
    )
    assert most_voted_radius([400, 400, 200], 1000, alpha=0.002, sigma=0.5) == (0, None)


def test_the_most_voted_class_of_two_equal_ones_is_certified_rarely_enough() -> None:
    """Exact, p = 1/2 twice, n = 500, alpha = .05: both tails certify, .044 in all, and .098 without the half."""
    n, alpha = 500, 0.05
    chances = scipy.stats.binom.pmf(np.arange(n + 1), n, 0.5)
    halved = [most_voted_radius([a, n - a], n, alpha=alpha, sigma=1.0)[1] for a in range(n + 1)]
    whole = [certified_radius(max(a, n - a), n, alpha=alpha, sigma=1.0) for a in range(n + 1)]
    false, trap = (chances[[radius is not None for radius in radii]].sum() for radii in (halved, whole))
    assert false == pytest.approx(0.044, abs=5e-4)
    assert trap == pytest.approx(0.098, abs=5e-4)


@pytest.mark.parametrize("factor", [0.5, 2.0])
def test_a_bound_of_another_level_than_one_sided_alpha_is_noticed(
    monkeypatch: pytest.MonkeyPatch, factor: float
) -> None:
    def other_level(count: int, of: int, *, alpha: float) -> float:
        return upper_bound(count, of, alpha=factor * alpha)

    monkeypatch.setattr(confidence, "upper_bound", other_level)
    with pytest.raises(AssertionError, match="not one-sided"):
        failure_upper_bound(10, 1000, alpha=0.001)


def test_a_radius_beyond_that_of_unanimous_votes_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(confidence, "failure_upper_bound", lambda failures, n, *, alpha: 1e-12)
    with pytest.raises(AssertionError, match=r"radius .* of 1000 votes"):
        certified_radius(1000, 1000, alpha=0.001, sigma=1.0)


def test_a_radius_that_was_rounded_up_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    def to_nearest(value: Any) -> str:
        return f"{value:.1f}"

    monkeypatch.setattr(confidence, "round_down", to_nearest)
    assert certified_radius(70_000, 100_000, alpha=0.001, sigma=1.0) == "0.5"
    with pytest.raises(AssertionError, match="rounded up"):
        certified_radius(99_000, 100_000, alpha=0.001, sigma=1.0)
