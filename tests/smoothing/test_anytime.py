"""Oracles: published values, numerical integration of the mixture, exact crossing probabilities, a simulated stream."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.integrate
import scipy.stats
from scipy.special import betaln

from robustcert.errors import InputError
from robustcert.smoothing.anytime import failure_upper_bound, log_e_value, running_failure_upper_bound
from robustcert.smoothing.confidence import failure_upper_bound as fixed_n_bound


@pytest.mark.parametrize(
    ("failures", "draws", "p", "published"),
    [(0, 20, 0.7, 6.05380585), (5, 100, 0.8, 8.07654475), (100, 1000, 0.85, 8.58948626)],
)
def test_log_e_values_are_the_published_ones(failures: int, draws: int, p: float, published: float) -> None:
    assert float(log_e_value(failures, draws, 1 - p)) == pytest.approx(published, abs=5e-9)


@pytest.mark.parametrize(
    ("failures", "draws", "q0"), [(0, 5, 0.5), (3, 20, 0.4), (12, 30, 0.4), (25, 30, 0.4), (2, 300, 0.02)]
)
def test_e_is_the_likelihood_ratio_mixed_over_the_truncated_prior(failures: int, draws: int, q0: float) -> None:
    def weighted(q: float) -> float:
        ratio = (q / q0) ** failures * ((1 - q) / (1 - q0)) ** (draws - failures)
        return float(ratio * scipy.stats.beta.pdf(q, 0.5, 0.5))

    mixed, _ = scipy.integrate.quad(weighted, 0, q0, epsabs=0, epsrel=1e-10, limit=500)
    e = mixed / scipy.stats.beta.cdf(q0, 0.5, 0.5)
    assert math.exp(float(log_e_value(failures, draws, q0))) == pytest.approx(e, rel=1e-6)


@pytest.mark.parametrize("q0", [0.5, 0.3, 0.05])
def test_e_is_a_supermartingale_under_the_null_and_grows_under_the_alternative(q0: float) -> None:
    """Exact one-step expectations from every count of 40 draws."""
    F = np.arange(41)
    now, success, failure = (np.exp(log_e_value(F + f, 40 + n, q0)) for f, n in ((0, 0), (0, 1), (1, 1)))
    for q in (q0, (1 + q0) / 2, 0.999):
        assert np.all((1 - q) * success + q * failure <= now * (1 + 1e-9))
    assert np.all((1 - 0.01) * success[:1] + 0.01 * failure[:1] > now[:1])


@pytest.mark.parametrize(("radius", "alpha"), [(0.0, 0.01), (0.5, 0.001), (1.5, 0.01), (2.0, 0.1)])
def test_probability_of_ever_rejecting_a_true_null_is_at_most_alpha(radius: float, alpha: float) -> None:
    """Exact, looking after every one of 2,000 draws: a dense recursion that removes what has crossed."""
    q0 = float(scipy.stats.norm.sf(radius))
    F, mass, crossed = np.arange(2_001), np.zeros(2_001), 0.0
    mass[0] = 1.0
    for n in range(1, 2_001):
        mass[1:] = mass[1:] * (1 - q0) + mass[:-1] * q0
        mass[0] *= 1 - q0
        over = np.zeros(2_001, dtype=bool)
        over[: n + 1] = log_e_value(F[: n + 1], n, q0) >= math.log(1 / alpha)
        crossed += float(mass[over].sum())
        mass[over] = 0.0
    assert 0.3 * alpha < crossed <= alpha


@pytest.mark.parametrize("alpha", [0.001, 0.05])
def test_the_bound_is_where_e_reaches_1_over_alpha(alpha: float) -> None:
    F, n = np.array([0, 1, 10, 400, 999]), 1_000
    bound = failure_upper_bound(F, n, alpha=alpha)
    assert np.all(log_e_value(F, n, bound) >= math.log(1 / alpha))
    assert np.all(log_e_value(F, n, bound * (1 - 1e-5)) < math.log(1 / alpha) + 1e-6)
    grid = np.linspace(0.0005, 0.9995, 4_000)
    rejected = log_e_value(F[:, None], n, grid) >= math.log(1 / alpha)
    assert np.array_equal(rejected, grid >= bound[:, None]), "one crossing: all larger ones are rejected, no smaller"


def test_the_bound_costs_little_beside_one_that_holds_for_a_single_n() -> None:
    for failures, n in [(0, 100), (5, 1_000), (300, 1_000), (1_000, 100_000), (30_000, 100_000)]:
        single, always = fixed_n_bound(failures, n, alpha=0.001), float(failure_upper_bound(failures, n, alpha=0.001))
        assert single < always
        assert always - failures / n < 1.6 * (single - failures / n)


def test_the_running_bound_holds_at_all_times_of_a_stream() -> None:
    """2,000 streams of 400 draws, looked at after each draw, alpha = .05: fails by chance under 1 in 15,000."""
    alpha, q, streams, n = 0.05, 0.1, 2_000, 400
    generator = np.random.Generator(np.random.Philox(4))
    failures = np.cumsum(generator.random((streams, n)) < q, axis=1)
    draws = np.arange(1, n + 1)
    pairs, which = np.unique(np.stack([failures.ravel(), np.tile(draws, streams)]), axis=1, return_inverse=True)
    each = failure_upper_bound(pairs[0], pairs[1], alpha=alpha)[which.ravel()].reshape(streams, n)
    bounds = np.minimum.accumulate(each, axis=1)
    assert np.mean(bounds[:, -1] < q) <= alpha + 4 * (alpha * (1 - alpha) / streams) ** 0.5
    assert np.median(bounds[:, -1]) < 0.16
    assert np.array_equal(running_failure_upper_bound(failures[0], draws, alpha=alpha), bounds[0])


def test_values_of_long_runs_are_finite_and_accurate() -> None:
    """Against the direct formula where its terms are small, and to scale where they would cancel or overflow."""
    for failures, n, q0 in [(0, 10**8, 1e-6), (3, 10**8, 1e-6), (10**7, 10**8, 0.1002), (5 * 10**7, 10**8, 0.6)]:
        assert np.isfinite(float(log_e_value(failures, n, q0)))
    assert float(log_e_value(0, 10**8, 1e-6)) == pytest.approx(
        float(betaln(1e8 + 0.5, 0.5)) - math.log(2 * math.asin(1e-3)) - 1e8 * math.log1p(-1e-6), abs=1e-7
    )
    bound = float(failure_upper_bound(0, 10**8, alpha=0.001))
    assert 1 < bound / fixed_n_bound(0, 10**8, alpha=0.001) < 1.5


def test_failures_beyond_the_null_never_speak_against_it() -> None:
    assert float(log_e_value(50, 100, 0.3)) <= 0
    assert float(log_e_value(90_000_000, 100_000_000, 0.3)) == -math.inf
    assert failure_upper_bound([5, 0], [5, 0], alpha=0.01).tolist() == [1.0, 1.0]


def test_counts_and_levels_that_are_none_are_refused() -> None:
    with pytest.raises(InputError, match="expected 0 <= failures <= draws"):
        log_e_value([1, 5], 4, 0.3)
    with pytest.raises(InputError, match="expected 0 < q0 < 1"):
        log_e_value(1, 4, 1.0)
    with pytest.raises(InputError, match="give a smaller failure probability"):
        failure_upper_bound(1, 4, alpha=0.5)
