"""What a certified radius means in another norm, or for one feature in its own unit; always rounded down.

Shapes: D features of a table. An l2 ball of radius R contains the linf ball of radius R / sqrt(d), an l1 ball that of
R / d, of d coordinates that noise was added to: the dimension is printed with every converted radius, since no noise
makes a linf radius that does not shrink with it (Yang et al. 2020; Kumar et al. 2020). With noise of another standard
deviation per feature, scale_i input units per unit of sigma, the certified set is {sum (d_i / scale_i)^2 <= R^2}.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import isqrt
from typing import Literal

from robustcert.errors import InputError, expected
from robustcert.evaluation.statistics import DIGITS, round_down


@dataclass(frozen=True, kw_only=True)
class LinfRadius:
    """A linf radius that follows from one in l2 or l1; decimals in the unit of `radius`, `linf` rounded down."""

    norm: Literal["l2", "l1"]
    radius: str
    dimension: int
    linf: str

    def __str__(self) -> str:
        divisor = f"sqrt({self.dimension})" if self.norm == "l2" else str(self.dimension)
        return f"linf {self.linf} (from {self.norm} {self.radius} / {divisor}: {self.dimension} coordinates)"


@dataclass(frozen=True, kw_only=True)
class FeatureReading:
    """How far one feature may move alone, in its own unit: `alone` rounded down; "0.000000" where noise was not added.

    `alone` = 0 is no promise that a change matters: nothing was certified for that feature.
    """

    feature: str
    unit: str
    alone: str

    def __str__(self) -> str:
        if Fraction(self.alone) == 0:
            return f"{self.feature}: no change is certified"
        return f"{self.feature} alone may move by {self.alone}{f' {self.unit}' if self.unit else ''}"


def linf_of(radius: str, *, norm: Literal["l2", "l1"], dimension: int) -> LinfRadius:
    """The linf radius that an l2 or l1 `radius` over `dimension` coordinates implies; exact, then rounded down.

    >>> print(linf_of("1.5", norm="l2", dimension=784))
    linf 0.053571 (from l2 1.5 / sqrt(784): 784 coordinates)
    """
    exact = _length(radius)
    if dimension < 1:
        raise InputError(expected("1 coordinate or more", got=dimension, remedy="count those that noise was added to"))
    if norm == "l1":
        linf = round_down(exact / dimension)
    else:
        squared = exact**2 * 10 ** (2 * DIGITS) / dimension
        linf = round_down(Fraction(isqrt(squared.numerator // squared.denominator), 10**DIGITS))
    return LinfRadius(norm=norm, radius=radius, dimension=dimension, linf=linf)


def feature_readings(
    radius: str, *, scale: Sequence[float], features: Sequence[str], units: Sequence[str] = ()
) -> tuple[FeatureReading, ...]:
    """For a radius in units of `scale` (D,): how far each feature alone may move, radius * scale_i, in its own unit.

    True for l2, l1 and linf alike, since each ball reaches exactly its radius along an axis. Changes of several
    features share the radius: in l2 sum (d_i / scale_i)^2 <= radius^2.
    """
    exact = _length(radius)
    if len(scale) != len(features) or (units and len(units) != len(features)):
        got = f"{len(features)} features, {len(scale)} scales, {len(units)} units"
        raise InputError(expected("a scale per feature", got=got, remedy="pass them in the data set's order"))
    return tuple(
        FeatureReading(feature=name, unit=unit, alone=round_down(exact * Fraction(width)))
        for name, width, unit in zip(features, scale, units or [""] * len(features), strict=True)
    )


def _length(radius: str) -> Fraction:
    exact = Fraction(radius)
    if exact < 0:
        raise InputError(expected("a radius of 0 or more", got=radius, remedy="leave out samples that abstained"))
    return exact
