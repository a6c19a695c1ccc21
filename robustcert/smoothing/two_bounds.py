"""A larger radius from the same votes: the candidate bounded from below and its rivals from above.

Cohen, Rosenfeld and Kolter (2019), theorem 1, in full: R = sigma / 2 (Phi^-1(pA_lower) - Phi^-1(pB_upper)). It exceeds
the one-bound radius wherever the other votes are spread over several classes, and certifies some samples without a
majority. Half of alpha bounds the candidate, half is shared by all its rivals, since which of them comes second is seen
only in the votes. Gaussian noise; a candidate that these votes did not choose. Torch-free.
"""

from __future__ import annotations

from collections.abc import Sequence

from scipy.special import bdtr, ndtri

from robustcert.errors import InputError, expected
from robustcert.smoothing.confidence import (
    LEVEL_TOLERANCE,
    failure_upper_bound,
    largest_radius,
    require_sigma,
    rounded_radius,
)


def two_bound_radius(counts: Sequence[int], fragile: int, candidate: int, *, alpha: float, sigma: float) -> str | None:
    """Certified l2 radius in the unit of `sigma`, a decimal rounded down to six places; None means abstain.

    `counts`: votes per class (K,); `fragile` votes are of no class, and count against the candidate and for its rivals.

    >>> two_bound_radius([60_000, 10_000, 10_000, 10_000, 10_000], 0, 0, alpha=0.001, sigma=1.0)
    '0.750954'
    """
    require_sigma(sigma)
    _require_rivals(counts, candidate)
    n = sum(counts) + fragile
    failure = failure_upper_bound(n - counts[candidate], n, alpha=alpha / 2)
    rival = min(failure, rival_upper_bound(counts, fragile, candidate, alpha=alpha / 2))
    if not 1 - failure > rival:
        return None
    exact = -sigma / 2 * float(ndtri(failure) + ndtri(rival))
    return rounded_radius(exact, n=n, largest=largest_radius(n, alpha=alpha / 2, sigma=sigma))


def rival_upper_bound(counts: Sequence[int], fragile: int, candidate: int, *, alpha: float) -> float:
    """Bound that every class but the candidate exceeds with probability at most `alpha`, all of them together."""
    rivals = [count for label, count in enumerate(counts) if label != candidate]
    most, n = max(rivals) + fragile, sum(counts) + fragile
    bound = failure_upper_bound(most, n, alpha=_share(alpha, len(rivals)))
    level = float(bdtr(most, n, bound)) * len(rivals)
    assert level <= alpha * (1 + LEVEL_TOLERANCE), f"rivals bounded at level {level} in all, not {alpha}"
    return bound


def _share(alpha: float, rivals: int) -> float:
    """Bonferroni: the runner-up is known only from the votes, so each rival pays for all of them."""
    return alpha / rivals


def _require_rivals(counts: Sequence[int], candidate: int) -> None:
    if not 0 <= candidate < len(counts) or len(counts) < 2:
        got = f"class {candidate} of {len(counts)}"
        raise InputError(expected("one of at least two classes", got=got, remedy="pass the votes of every class"))
