"""From votes to a radius: the fixed-n certificate of Cohen, Rosenfeld and Kolter (2019), Algorithm 1.

With A of n noisy votes for the candidate class, its probability is above pA_lower with confidence 1 - alpha (one-sided
Clopper-Pearson), and the smoothed classifier is constant within sigma * Phi^-1(pA_lower) of the sample in l2, in the
unit of sigma. Everything is computed from the failures n - A, which stay accurate where pA_lower is near 1. No torch
here: a verifier recomputes every radius from the counts.
"""

from __future__ import annotations

import math

from scipy.special import bdtr, ndtri

from robustcert.errors import InputError, expected
from robustcert.evaluation.statistics import round_down, upper_bound

LEVEL_TOLERANCE = 1e-6
RADIUS_TOLERANCE = 1e-9
ABSTAIN_FROM = 0.5


def failure_upper_bound(failures: int, n: int, *, alpha: float) -> float:
    """Upper bound of the probability of failure: exceeded with probability at most `alpha`, one-sided.

    `failures` are all votes that are not for the candidate, fragile ones included.
    """
    failure = upper_bound(failures, n, alpha=alpha)
    if failure < ABSTAIN_FROM:
        level = float(bdtr(failures, n, failure))
        assert abs(level / alpha - 1) < LEVEL_TOLERANCE, f"bound of level {level}, not one-sided {alpha}"
    return failure


def clopper_pearson_lower(successes: int, n: int, *, alpha: float) -> float:
    """One-sided lower confidence bound pA_lower; it exceeds the true probability with probability at most `alpha`.

    >>> round(clopper_pearson_lower(990, 1000, alpha=0.001), 10)
    0.9760361872
    """
    return 1.0 - failure_upper_bound(n - successes, n, alpha=alpha)


def radius(failure: float, *, sigma: float) -> float:
    """l2 radius, in the unit of `sigma`, where the candidate fails with probability at most `failure` < 1/2."""
    if not 0 < failure < ABSTAIN_FROM:
        raise InputError(expected("0 < failure < 1/2", got=failure, remedy="abstain where failure reaches 1/2"))
    return -sigma * float(ndtri(failure))


def largest_radius(n: int, *, alpha: float, sigma: float) -> float:
    """sigma * Phi^-1(alpha^(1/n)): what n unanimous votes certify, and no n votes can exceed.

    >>> round(largest_radius(100_000, alpha=0.001, sigma=1.0), 4)
    3.8115
    """
    return radius(-math.expm1(math.log(alpha) / n), sigma=sigma)


def certified_radius(successes: int, n: int, *, alpha: float, sigma: float) -> str | None:
    """Certified l2 radius in the unit of `sigma`, a decimal rounded down to six places; None means abstain.

    >>> certified_radius(99_000, 100_000, alpha=0.001, sigma=0.25)
    '0.572499'
    """
    _require_sigma(sigma)
    failure = failure_upper_bound(n - successes, n, alpha=alpha)
    if failure >= ABSTAIN_FROM:
        return None
    exact = radius(failure, sigma=sigma)
    assert exact <= largest_radius(n, alpha=alpha, sigma=sigma) * (1 + RADIUS_TOLERANCE), f"radius {exact} of {n} votes"
    rounded = round_down(exact)
    assert float(rounded) <= exact, f"radius {exact} rounded up to {rounded}"
    return rounded


def _require_sigma(sigma: float) -> None:
    if not 0 < sigma < math.inf:
        raise InputError(expected("a finite sigma above 0", got=sigma, remedy="correct the noise level"))
