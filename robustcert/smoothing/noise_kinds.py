"""Kinds of smoothing noise: which norm each certifies, and which probability of failure certifies which radius.

`sigma` is the standard deviation of every kind, so that a data set's scales and units serve them all: the half-width of
uniform noise is sqrt(3) sigma, the scale of Laplace noise sigma / sqrt(2). `failure` is the probability q < 1/2 that
noise takes the vote from the candidate class. Gaussian: Cohen, Rosenfeld and Kolter (2019), theorem 1; uniform and
Laplace against l1: Yang et al. (2020), table 1, and Teng, Lee and Yuan (2020). No torch here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from scipy.special import ndtr, ndtri

NoiseName = Literal["gaussian", "uniform", "laplace"]


@dataclass(frozen=True, kw_only=True)
class NoiseKind:
    """One kind of noise; `norm` is what its radii are measured in."""

    name: NoiseName
    norm: Literal["l2", "l1"]

    def radius(self, failure: float, *, sigma: float) -> float:
        """Radius that a failure probability of at most `failure` < 1/2 certifies, in the unit of sigma.

        >>> round(KINDS["uniform"].radius(0.25, sigma=1.0), 6)
        0.866025
        """
        if self.name == "gaussian":
            return -sigma * float(ndtri(failure))
        if self.name == "uniform":
            return 2 * math.sqrt(3) * sigma * (0.5 - failure)
        return -sigma / math.sqrt(2) * math.log(2 * failure)

    def failure_at(self, radius: float, *, sigma: float) -> float:
        """The failure probability q0 that certifies exactly `radius`: any smaller one certifies it too; 0 if none does.

        >>> round(KINDS["gaussian"].failure_at(0.5, sigma=1.0), 6)
        0.308538
        """
        if self.name == "gaussian":
            return float(ndtr(-radius / sigma))
        if self.name == "uniform":
            return max(0.0, 0.5 - radius / (2 * math.sqrt(3) * sigma))
        return 0.5 * math.exp(-math.sqrt(2) * radius / sigma)


KINDS: dict[str, NoiseKind] = {
    "gaussian": NoiseKind(name="gaussian", norm="l2"),
    "uniform": NoiseKind(name="uniform", norm="l1"),
    "laplace": NoiseKind(name="laplace", norm="l1"),
}
