"""The law of a sum of squared standard normals, each with a weight of its own: tails by the saddlepoint method.

O. E. Barndorff-Nielsen, Journal of the Royal Statistical Society B 52 (1990) 485-496, and D. Kuonen, Biometrika 86
(1999) 929-935. Down to 1e-4 the exact p-value is 0.92 to 1.04 of what is given here (0.93 to 0.98 for the statistic of
Anderson and Darling: the safe side), at the price of solving one equation.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import ndtr

from robustcert.drift.thresholds import ChiSquareLaw

NEGLIGIBLE = 1e-6  # weights below this part of the largest
NEAR_MEAN = 1e-3  # the formula is 0 / 0 at the mean: this close to it, in standard deviations, its limit is taken
LOWEST = -1e6  # saddlepoints of scores near 0; nobody asks for thresholds there


@dataclass(frozen=True, kw_only=True, eq=False)
class QuadraticFormLaw:
    """Sum of `weights` times independent squared standard normals; without any weight always 0."""

    weights: NDArray[np.float64]

    def p_value(self, score: float) -> float:
        if score <= 0 or not len(self._used):
            return 1.0
        if self._plain:
            return self._plain.p_value(score)
        return self._tail(self._saddlepoint(score))

    def threshold(self, alpha: float) -> float:
        if not len(self._used):
            return 0.0
        if self._plain:
            return self._plain.threshold(alpha)
        at = brentq(lambda t: math.log(max(self._tail(t), 1e-300) / alpha), -self._highest, self._highest, xtol=1e-13)
        return self._slope(float(at))

    @cached_property
    def _used(self) -> NDArray[np.float64]:
        largest = self.weights.max(initial=0.0)
        return np.asarray(self.weights[self.weights > NEGLIGIBLE * largest])

    @cached_property
    def _plain(self) -> ChiSquareLaw | None:
        """Equal weights are a chi-square, exactly."""
        first = float(self._used[0])
        equal = bool(np.allclose(self._used, first, rtol=1e-9, atol=0))
        return ChiSquareLaw(scale=first, degrees=len(self._used)) if equal else None

    @cached_property
    def _highest(self) -> float:
        """Just below where the cumulant function ends."""
        return float((1 - 1e-9) / (2 * self._used.max()))

    def _slope(self, t: float) -> float:
        """Of the cumulant function: the score whose saddlepoint is `t`."""
        return float((self._used / (1 - 2 * t * self._used)).sum())

    def _saddlepoint(self, score: float) -> float:
        if self._slope(self._highest) <= score:
            return self._highest
        low = -self._highest
        while self._slope(low) > score and low > LOWEST / self._used.max():
            low *= 4
        if self._slope(low) > score:
            return low
        return float(brentq(lambda t: self._slope(t) - score, low, self._highest, xtol=1e-13))

    def _tail(self, t: float) -> float:
        """P(score >= slope(t))."""
        part = self._used / (1 - 2 * t * self._used)
        root = math.sqrt(2 * float((part**2).sum()))
        if abs(t) * root < NEAR_MEAN:
            skewness = 8 * float((part**3).sum()) / root**3
            return float(ndtr(-skewness / 6 - t * root))
        exponent = t * float(part.sum()) + 0.5 * float(np.log1p(-2 * t * self._used).sum())
        signed = math.copysign(math.sqrt(2 * exponent), t)
        return float(ndtr(-(signed + math.log(t * root / signed) / signed)))
