"""Count, mean and squared deviations of numbers that come in batches.

Source: Chan, Golub and LeVeque, American Statistician 37 (1983) 242-247: two batches merge without going back to rows.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Moments:
    """`count` finite numbers, their `mean`, and the sum of their squared deviations from it."""

    count: int = 0
    mean: float = 0.0
    squares: float = 0.0

    @property
    def deviation(self) -> float:
        """Standard deviation (n - 1 in the denominator); 0 for fewer than two numbers."""
        return math.sqrt(self.squares / (self.count - 1)) if self.count > 1 else 0.0

    def merge(self, other: Moments) -> Moments:
        """Those of both together."""
        count = self.count + other.count
        if not count:
            return self
        apart = other.mean - self.mean
        mean = self.mean + apart * other.count / count
        squares = self.squares + other.squares + apart * apart * self.count * other.count / count
        return Moments(count, mean, squares)


def moments_of(values: NDArray[np.float64]) -> Moments:
    """Of one batch of finite numbers.

    >>> moments_of(np.array([1.0, 2.0, 4.0, 5.0]))
    Moments(count=4, mean=3.0, squares=10.0)
    """
    if not len(values):
        return Moments()
    with np.errstate(over="ignore", invalid="ignore"):  # numbers near the largest there are: the mean is no use then
        apart = values - (mean := float(values.mean()))
        return Moments(len(values), mean, float(apart @ apart))
