"""What a drift score means: the law it follows when nothing drifted, hence its p-value and its threshold.

A fixed threshold is no test: the score of a clean window depends on how many rows there are. Every law here knows them.
Sources: chi-square, Pearson (1900); two-sample Kolmogorov-Smirnov, Smirnov (1939); permutation tests, Phipson and
Smyth, Statistical Applications in Genetics and Molecular Biology 9 (2010), article 39: (1 + hits) / (1 + permutations).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtrc, chdtri, kolmogi, kolmogorov

from robustcert.errors import InputError, expected

Signal = Literal["features", "embedding", "outputs", "labels", "distance"]


@dataclass(frozen=True, kw_only=True)
class DriftTest:
    """What one test found: `drifted` is `score > threshold`, never anything else.

    `threshold` is where the score is significant at the level that the correction left for this test, or where the
    effect reaches the smallest one worth an alarm, whichever is higher. `n` and `m` are the rows compared, of
    reference and window. A test that was not made (too few rows) has score and threshold 0, no p-value, and says so
    in `note`.
    """

    signal: Signal
    column: str
    method: str
    score: float
    threshold: float
    p_value: float | None
    adjusted_p: float | None
    effect: float
    effect_name: str
    n: int
    m: int
    drifted: bool
    note: str


class Law(Protocol):
    """How a score is distributed while nothing drifts."""

    def p_value(self, score: float) -> float:
        """P(a clean score is at least `score`)."""

    def threshold(self, alpha: float) -> float:
        """A clean score exceeds this with probability at most `alpha` (asymptotically, unless the law is exact)."""


@dataclass(frozen=True, kw_only=True)
class ChiSquareLaw:
    """`scale` times chi-square with `degrees` degrees of freedom.

    >>> round(ChiSquareLaw(scale=1.0, degrees=9).threshold(0.05), 2)
    16.92
    """

    scale: float
    degrees: int

    def p_value(self, score: float) -> float:
        return float(chdtrc(self.degrees, max(0.0, score) / self.scale)) if self.degrees else 1.0

    def threshold(self, alpha: float) -> float:
        return self.scale * float(chdtri(self.degrees, alpha)) if self.degrees else 0.0


@dataclass(frozen=True, kw_only=True)
class KolmogorovLaw:
    """The largest difference of two empirical distribution functions of `n` and `m` values, in the limit.

    The limit errs on the safe side: with few values, or ties, a clean distance exceeds the threshold more rarely.
    """

    n: int
    m: int

    def p_value(self, score: float) -> float:
        return float(kolmogorov(score * self._root))

    def threshold(self, alpha: float) -> float:
        return float(kolmogi(alpha)) / self._root

    @property
    def _root(self) -> float:
        return math.sqrt(self.n * self.m / (self.n + self.m))


@dataclass(frozen=True, kw_only=True, eq=False)
class FiniteLaw:
    """An exact law on finitely many scores: `scores_K` ascending, `tail_K[i]` = P(a clean score >= scores_K[i])."""

    scores_K: NDArray[np.float64]
    tail_K: NDArray[np.float64]

    def p_value(self, score: float) -> float:
        place = int(np.searchsorted(self.scores_K, score))
        return float(self.tail_K[place]) if place < len(self.tail_K) else 0.0

    def threshold(self, alpha: float) -> float:
        """The largest score whose tail is still above `alpha`: only what lies beyond is significant."""
        return float(self.scores_K[np.flatnonzero(self.tail_K > alpha)[-1]])


def permutation_law(score: float, permuted_P: NDArray[np.float64], *, alpha: float) -> FiniteLaw:
    """The law of `score` among the P scores of permuted rows, itself being one of them.

    InputError where so few permutations can't reach `alpha`: 1 / (1 + P) is the smallest p-value.
    """
    if 1 / (1 + len(permuted_P)) > require_alpha(alpha):
        least = math.ceil(1 / alpha) - 1
        raise InputError(expected(f"at least {least} permutations", got=len(permuted_P), remedy=f"alpha is {alpha}"))
    scores_K, counts_K = np.unique(np.append(permuted_P, score), return_counts=True)
    return FiniteLaw(scores_K=scores_K, tail_K=counts_K[::-1].cumsum()[::-1] / (1 + len(permuted_P)))


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """A score with its law, and its effect with the way back: `score_of_effect` gives the score of a given effect."""

    score: float
    law: Law
    effect: float
    effect_name: str
    score_of_effect: Callable[[float], float]
    n: int
    m: int

    @cached_property
    def p_value(self) -> float:
        return self.law.p_value(self.score)

    def threshold(self, *, alpha: float, minimum_effect: float) -> float:
        """The score above which the difference is significant at `alpha` and its effect exceeds `minimum_effect`."""
        floor = self.score_of_effect(minimum_effect) if minimum_effect > 0 else -math.inf
        return max(self.law.threshold(alpha), floor)


def decide(
    found: Measurement,
    *,
    signal: Signal,
    column: str,
    method: str,
    alpha: float,
    minimum_effect: float = 0.0,
    adjusted_p: float | None = None,
    note: str = "",
) -> DriftTest:
    """The test that `found` amounts to at level `alpha`; `adjusted_p` is its own p-value where nothing is corrected."""
    threshold = found.threshold(alpha=alpha, minimum_effect=minimum_effect)
    return DriftTest(
        signal=signal,
        column=column,
        method=method,
        score=found.score,
        threshold=threshold,
        p_value=found.p_value,
        adjusted_p=found.p_value if adjusted_p is None else adjusted_p,
        effect=found.effect,
        effect_name=found.effect_name,
        n=found.n,
        m=found.m,
        drifted=found.score > threshold,
        note=note,
    )


def not_tested(*, signal: Signal, column: str, method: str, n: int, m: int, note: str) -> DriftTest:
    """A test that was not made, and why."""
    return DriftTest(
        signal=signal,
        column=column,
        method=method,
        score=0.0,
        threshold=0.0,
        p_value=None,
        adjusted_p=None,
        effect=0.0,
        effect_name="",
        n=n,
        m=m,
        drifted=False,
        note=note,
    )


def require_alpha(alpha: float) -> float:
    """`alpha` again; InputError unless it is a probability of at most one half."""
    if not 0 < alpha <= 0.5:
        raise InputError(expected("0 < alpha <= 0.5", got=alpha, remedy="give the probability of a false alarm"))
    return alpha
