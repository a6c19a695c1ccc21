"""From votes to a radius: the fixed-n certificate of Cohen, Rosenfeld and Kolter (2019), Algorithm 1.

With A of n noisy votes for the candidate class, its probability is above pA_lower with confidence 1 - alpha (one-sided
Clopper-Pearson), and the smoothed classifier is constant within sigma * Phi^-1(pA_lower) of the sample in l2, in the
unit of sigma; other noise gives the radii of its `NoiseKind`. Everything is computed from the failures n - A, which
stay accurate where pA_lower is near 1. No torch here: a verifier recomputes every radius from the counts.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from scipy.special import bdtr

from robustcert.errors import InputError, expected
from robustcert.evaluation.statistics import round_down, upper_bound
from robustcert.smoothing.noise_kinds import KINDS, NoiseKind

LEVEL_TOLERANCE = 1e-6
RADIUS_TOLERANCE = 1e-9
ABSTAIN_FROM = 0.5
GAUSSIAN = KINDS["gaussian"]


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


def radius(failure: float, *, sigma: float, kind: NoiseKind = GAUSSIAN) -> float:
    """Radius, in the unit of `sigma`, where the candidate fails with probability at most `failure` < 1/2."""
    if not 0 < failure < ABSTAIN_FROM:
        raise InputError(expected("0 < failure < 1/2", got=failure, remedy="abstain where failure reaches 1/2"))
    return kind.radius(failure, sigma=sigma)


def largest_radius(n: int, *, alpha: float, sigma: float, kind: NoiseKind = GAUSSIAN) -> float:
    """What n unanimous votes certify, and no n votes can exceed: sigma * Phi^-1(alpha^(1/n)) for Gaussian noise.

    >>> round(largest_radius(100_000, alpha=0.001, sigma=1.0), 4)
    3.8115
    """
    return radius(-math.expm1(math.log(alpha) / n), sigma=sigma, kind=kind)


def certified_radius(successes: int, n: int, *, alpha: float, sigma: float, kind: NoiseKind = GAUSSIAN) -> str | None:
    """Certified radius in the unit of `sigma`, a decimal rounded down to six places; None means abstain.

    The candidate must not have been chosen by these votes: see `most_voted_radius` where it was.

    >>> certified_radius(99_000, 100_000, alpha=0.001, sigma=0.25)
    '0.572499'
    """
    require_sigma(sigma)
    failure = failure_upper_bound(n - successes, n, alpha=alpha)
    if failure >= ABSTAIN_FROM:
        return None
    largest = largest_radius(n, alpha=alpha, sigma=sigma, kind=kind)
    return rounded_radius(radius(failure, sigma=sigma, kind=kind), n=n, largest=largest)


def most_voted_radius(
    counts: Sequence[int], n: int, *, alpha: float, sigma: float, kind: NoiseKind = GAUSSIAN
) -> tuple[int, str | None]:
    """(class of most votes, its certified radius at alpha / 2), both from the same `n` votes, drawn once.

    With k votes needed to certify any radius, P(Bin(n, p) >= k) is convex in p up to 1/2. So all classes of p <= 1/2
    together certify with probability at most 2 * alpha / 2, and beside a class of p > 1/2, whose own bound fails with
    at most alpha / 2, the rest add at most alpha / 2. Holds for one fixed n only, and for one bound only.
    """
    candidate = max(range(len(counts)), key=lambda label: (counts[label], -label))
    share = most_voted_alpha(alpha)
    assert 2 * share <= alpha, f"level {share} for a class chosen by the votes that bound it, not half of {alpha}"
    return candidate, certified_radius(counts[candidate], n, alpha=share, sigma=sigma, kind=kind)


def most_voted_alpha(alpha: float) -> float:
    """Level of the bound of a class that was chosen by the very votes that bound it."""
    return alpha / 2


def rounded_radius(exact: float, *, n: int, largest: float) -> str:
    """`exact` rounded down to six places; it may not exceed `largest`, what `n` unanimous votes certify."""
    assert exact <= largest * (1 + RADIUS_TOLERANCE), f"radius {exact} of {n} votes"
    rounded = round_down(exact)
    assert float(rounded) <= exact, f"radius {exact} rounded up to {rounded}"
    return rounded


def require_sigma(sigma: float) -> None:
    """InputError for a noise level that is none."""
    if not 0 < sigma < math.inf:
        raise InputError(expected("a finite sigma above 0", got=sigma, remedy="correct the noise level"))
