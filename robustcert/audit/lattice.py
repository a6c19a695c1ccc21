"""Which radii n votes can give at all, and whether a printed one is among them.

Of n votes, A for the candidate, follows one radius: that of the Clopper-Pearson bound of A (Cohen et al. 2019). So only
n + 1 radii are attainable, and near the largest one, which n unanimous votes give, they lie further apart than printed
digits: there a radius that was rounded up, or invented, shows.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum, unique
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import betainccinv

from robustcert.audit.claim import Claim
from robustcert.smoothing.confidence import ABSTAIN_FROM
from robustcert.smoothing.noise_kinds import NoiseKind

RELATIVE = 1e-9  # of two programs that compute one quantile
MOST_VOTES = 5_000_000  # whose bounds are held, 8 bytes each


@unique
class Place(StrEnum):
    """Where a printed radius lies among the attainable ones."""

    ATTAINABLE = "attainable"
    ABOVE = "printed above the attainable radius that it rounds"
    ROUNDED_UP = "rounded up by more than half of its last place"
    NOWHERE = "no radius that any count of votes gives"
    BEYOND = "beyond the largest attainable radius"


@dataclass(frozen=True, kw_only=True)
class Lattice:
    """The radii that n votes can give, at level alpha, for one kind of noise."""

    n: int
    alpha: float
    sigma: float
    kind: NoiseKind

    @classmethod
    def of(cls, claim: Claim) -> Lattice | None:
        """The lattice of a claim; None where it leaves n, alpha or sigma open, or n is too large to hold."""
        if claim.n is None or claim.alpha is None or claim.sigma is None or claim.n > MOST_VOTES:
            return None
        return cls(n=claim.n, alpha=claim.alpha, sigma=claim.sigma, kind=claim.kind)

    @property
    def largest(self) -> float:
        """What n unanimous votes give, 0 where even they abstain."""
        bounds = _failure_bounds(self.n, self.alpha)
        return self.kind.radius(float(bounds[0]), sigma=self.sigma) if len(bounds) else 0.0

    def has_between(self, low: float, high: float) -> bool:
        """Whether an attainable radius lies in [low, high], low > 0."""
        bounds = _failure_bounds(self.n, self.alpha)
        place = np.searchsorted(bounds, self.kind.failure_at(high, sigma=self.sigma))
        return bool(place < len(bounds) and bounds[place] <= self.kind.failure_at(low, sigma=self.sigma))

    def place(self, printed: Decimal, unit: Decimal, *, rounds_down: bool) -> Place:
        """Where a radius, printed to the last place `unit`, lies."""
        return _place(self, printed, unit, rounds_down)


@lru_cache(maxsize=1 << 16)
def _place(lattice: Lattice, printed: Decimal, unit: Decimal, rounds_down: bool) -> Place:
    value, last = float(printed), float(unit)
    slack = RELATIVE * (value + lattice.largest)
    half = 0.0 if rounds_down else last / 2
    if value - half > lattice.largest + slack:
        return Place.BEYOND
    if lattice.has_between(max(value - slack, slack), value + (last if rounds_down else half) + slack):
        return Place.ATTAINABLE
    if half and lattice.has_between(max(value - half - slack, slack), value):
        return Place.ABOVE
    return Place.ROUNDED_UP if lattice.has_between(max(value - last - slack, slack), value) else Place.NOWHERE


@lru_cache(maxsize=16)
def _failure_bounds(n: int, alpha: float) -> NDArray[np.float64]:
    """Upper bounds of the probability of failure after 0, 1, ... failures, ascending, as far as they are below 1/2."""
    failures = np.arange(1, n // 2 + 1, dtype=np.float64)
    bounds = betainccinv(failures + 1, n - failures, alpha)
    every = np.concatenate(([-math.expm1(math.log(alpha) / n)], bounds))
    return every[every < ABSTAIN_FROM]
