"""Oracles: published plans, radii from scipy.stats, an exact sum over all pilots and main samples."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import scipy.stats

from robustcert.errors import InputError
from robustcert.smoothing.adaptive_pilot import PilotStep, main_draws, pilot_draws
from robustcert.smoothing.confidence import failure_upper_bound
from robustcert.smoothing.noise_kinds import KINDS, NoiseKind


@pytest.mark.parametrize(("failures", "n"), [(0, 49038), (1, 6025), (10, 4526), (45, 33493), (50, 100_000)])
def test_planned_sizes_are_the_published_ones(failures: int, n: int) -> None:
    assert main_draws(failures, 100, alpha=0.001, n_max=100_000, tolerance=0.05, absolute=0.01) == n


def radius_after(n: int, failures: int, drawn: int, *, alpha: float, kind: NoiseKind) -> float:
    """Radius in sigma of n draws with the pilot's frequency of success, from scipy.stats; 0 for an abstention."""
    successes = (drawn - failures) * n // drawn
    p = scipy.stats.beta.ppf(alpha, successes, n - successes + 1) if successes else 0.0
    return kind.radius(1 - p, sigma=1.0) if p > 0.5 else 0.0


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
@pytest.mark.parametrize("tolerance", [0.02, 0.1])
def test_the_planned_size_loses_at_most_the_tolerance_and_a_tenth_less_loses_more(
    kind: NoiseKind, tolerance: float
) -> None:
    for failures in (1, 3, 10, 25, 40):
        n = main_draws(failures, 150, alpha=0.001, n_max=20_000, tolerance=tolerance, absolute=0.0, kind=kind)
        best, found, less = (
            radius_after(size, failures, 150, alpha=0.001, kind=kind) for size in (20_000, n, int(n / 1.1))
        )
        assert less < (1 - tolerance) * best <= found


def test_a_loss_below_the_absolute_tolerance_does_not_matter() -> None:
    """Near p = 1/2 the radius is small, and 5 % of it would take many draws."""
    strict, lax = (main_draws(45, 100, alpha=0.001, n_max=100_000, absolute=absolute) for absolute in (0.0, 0.05))
    assert lax < strict
    best, found = (radius_after(n, 45, 100, alpha=0.001, kind=KINDS["gaussian"]) for n in (100_000, lax))
    assert 0 <= best - found <= 0.05


def test_a_class_that_looks_like_a_minority_is_abstained_from() -> None:
    """Given up from 61 failures of 100 on: P(Bin(100, 1/2) <= 39) = .0176 <= .02 < P(Bin(100, 1/2) <= 40)."""
    assert scipy.stats.binom.cdf(39, 100, 0.5) <= 0.02 < scipy.stats.binom.cdf(40, 100, 0.5)
    assert pilot_draws(61, 100, alpha=0.001, n_max=100_000) == PilotStep(more=0, n=0)
    assert main_draws(60, 100, alpha=0.001, n_max=100_000) == 100_000


def test_a_pilot_grows_by_half_until_it_is_a_tenth_of_what_it_plans() -> None:
    sizes = [0]
    while (step := pilot_draws(0 if sizes[-1] else None, sizes[-1], alpha=0.001, n_max=100_000)).more:
        assert step.n == 0
        sizes.append(sizes[-1] + step.more)
    assert sizes[:6] == [0, 100, 150, 225, 338, 507]
    assert all(b == -(-3 * a // 2) for a, b in pairwise(sizes[1:]))
    assert step.n == main_draws(0, sizes[-1], alpha=0.001, n_max=100_000)
    assert sizes[-2] < step.n / 10 <= sizes[-1]


def test_a_pilot_ends_at_ten_thousand_draws() -> None:
    step = pilot_draws(0, 10_000, alpha=0.001, n_max=10_000_000)
    assert step.more == 0
    assert step.n > 100_000


def test_sizes_stay_within_n_max() -> None:
    for n_max in (50, 100, 101, 5_000):
        assert pilot_draws(None, 0, alpha=0.001, n_max=n_max).more <= n_max
        assert {main_draws(f, 100, alpha=0.001, n_max=n_max) <= n_max for f in range(0, 61, 5)} == {True}


@pytest.mark.parametrize("p", [0.5, 0.6, 0.9, 0.98])
def test_the_bound_after_a_pilot_exceeds_the_truth_with_probability_at_most_alpha(p: float) -> None:
    """Exact: all pilots of 100, all main samples that they plan; at n_max 1,000 every pilot ends there."""
    alpha, n_max = 0.01, 1_000
    pilots = scipy.stats.binom.pmf(np.arange(101), 100, 1 - p)
    false = 0.0
    for failures, chance in enumerate(pilots.tolist()):
        step = pilot_draws(failures, 100, alpha=alpha, n_max=n_max)
        assert step.more == 0
        if step.n:
            bounds = [failure_upper_bound(count, step.n, alpha=alpha) for count in range(step.n + 1)]
            wrong = np.array(bounds) < 1 - p
            false += chance * scipy.stats.binom.pmf(np.arange(step.n + 1), step.n, 1 - p)[wrong].sum()
    assert 0 < false <= alpha


@pytest.mark.parametrize(("failures", "drawn"), [(-1, 100), (101, 100)])
def test_failures_that_no_pilot_has_are_refused(failures: int, drawn: int) -> None:
    with pytest.raises(InputError, match="count every pilot draw once"):
        pilot_draws(failures, drawn, alpha=0.001, n_max=1_000)


@pytest.mark.parametrize(("tolerance", "absolute"), [(0.0, 0.01), (1.0, 0.01), (0.05, -0.1)])
def test_a_tolerance_that_is_none_is_refused(tolerance: float, absolute: float) -> None:
    with pytest.raises(InputError, match="expected 0 < tolerance < 1"):
        pilot_draws(1, 100, alpha=0.001, n_max=1_000, tolerance=tolerance, absolute=absolute)
