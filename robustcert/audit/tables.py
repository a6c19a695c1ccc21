"""What follows from a log: the curve with intervals, average and median radius, abstention.

Intervals are exact and two-sided at 95 %: Clopper and Pearson's for rates; for the average radius Anderson's (1969),
from the Dvoretzky-Kiefer-Wolfowitz band with Massart's constant (1990); for the median that of order statistics. All
treat samples as drawn independently from the population. Where alpha is known, the lower ends of the curve also deduct
the false certificates that may be among the rows (`robustcert.smoothing.certified_accuracy`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from scipy.special import bdtr

from robustcert.audit.lattice import Lattice
from robustcert.audit.survey import Survey
from robustcert.evaluation.statistics import CONFIDENCE, Rate, one_side, rate, round_down, round_up
from robustcert.smoothing.certified_accuracy import (
    Tally,
    average_certified_radius,
    certified_accuracy,
    median_certified_radius,
    simultaneous_count,
)

MOST_POINTS = 12
STEPS = (Decimal("0.01"), Decimal("0.025"), Decimal("0.05"))
UNKNOWN = "?"


@dataclass(frozen=True, kw_only=True)
class Point:
    """One radius of the curve; `true_at_once`: certificates that hold together at 99.9 %, None without alpha."""

    radius: str
    rate: Rate
    true_at_once: int | None


@dataclass(frozen=True, kw_only=True)
class Table:
    """What a log's rows amount to. An average's upper end is UNKNOWN where the largest possible radius is."""

    rows: int
    abstention: Rate
    curve: tuple[Point, ...]
    average_radius: str
    average_interval: tuple[str, str]
    median_radius: str
    median_interval: tuple[str, str]


def table(taken: Survey) -> Table:
    """The table of a log."""
    claim, counted = taken.source.claim, Counted(taken.tally)
    radii = claim.radii or tuple(radius for radius, _ in claim.curve) or round_radii(taken.tally.right)
    lattice = Lattice.of(claim)
    return Table(
        rows=len(taken.samples),
        abstention=rate(taken.abstained, len(taken.samples)),
        curve=tuple(_point(counted, radius, claim.alpha) for radius in radii),
        average_radius=average_certified_radius(counted),
        average_interval=average_interval(taken.tally, largest=None if lattice is None else lattice.largest),
        median_radius=median_certified_radius(counted),
        median_interval=median_interval(taken.tally),
    )


@dataclass(frozen=True)
class Counted:
    """A tally as the functions of `certified_accuracy` read rows."""

    tally: Tally


def round_radii(right: Mapping[str, int]) -> tuple[Decimal, ...]:
    """At most MOST_POINTS round radii from 0 to the largest.

    >>> [str(radius) for radius in round_radii({"0.31": 1})]
    ['0.00', '0.05', '0.10', '0.15', '0.20', '0.25', '0.30']
    """
    largest = max(map(Decimal, right), default=Decimal(0))
    if not largest:
        return (Decimal(0),)
    steps = (step.scaleb(power) for power in range(largest.adjusted() - 3, largest.adjusted() + 4) for step in STEPS)
    step = next(step for step in steps if largest / step < MOST_POINTS)
    return tuple(step * place for place in range(int(largest / step) + 1))


def average_interval(tally: Tally, *, largest: float | None, confidence: float = CONFIDENCE) -> tuple[str, str]:
    """Anderson's interval for the average certified radius, wrong and abstained samples as 0; rounded outward."""
    slack = math.sqrt(math.log(1 / one_side(confidence)) / (2 * tally.of))
    radii = sorted((Fraction(written), count) for written, count in tally.right.items())
    ends = [radius for radius, _ in radii]
    top = max([*ends, Fraction(0)]) if largest is None else max([*ends, Fraction(largest)])
    lower, upper, reached, before = 0.0, 0.0, sum(count for _, count in radii), Fraction(0)
    for radius, count in radii:
        share = reached / tally.of
        lower += float(radius - before) * max(0.0, share - slack)
        upper += float(radius - before) * min(1.0, share + slack)
        reached, before = reached - count, radius
    upper += float(top - before) * min(1.0, slack)
    return round_down(lower), UNKNOWN if largest is None else round_up(upper)


def median_interval(tally: Tally, *, confidence: float = CONFIDENCE) -> tuple[str, str]:
    """Order statistics around the median radius, wrong and abstained samples as 0; UNKNOWN beyond the data."""
    rank = _rank(tally.of, one_side(confidence))
    if rank == 0:
        return round_down(0), UNKNOWN
    return round_down(_ordered(tally, rank)), round_up(_ordered(tally, tally.of + 1 - rank))


def _rank(of: int, alpha: float) -> int:
    """The largest k with P(Bin(of, 1/2) < k) <= alpha: so rarely is the k-th smallest above the median; 0: none."""
    low, high = 0, of // 2
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if bdtr(middle - 1, of, 0.5) <= alpha else (low, middle - 1)
    return low


def _ordered(tally: Tally, rank: int) -> Fraction:
    """The rank-th smallest radius, from 1."""
    below = tally.of - sum(tally.right.values())
    for radius, count in sorted((Fraction(written), count) for written, count in tally.right.items()):
        if rank <= below:
            break
        below += count
        if rank <= below:
            return radius
    return Fraction(0)


def _point(counted: Counted, radius: Decimal, alpha: float | None) -> Point:
    written = f"{radius:f}"
    if alpha is None:
        found = rate(counted.tally.certified(radius), counted.tally.of)
        return Point(radius=written, rate=found, true_at_once=None)
    return Point(
        radius=written,
        rate=certified_accuracy(counted, written, alpha=alpha),
        true_at_once=simultaneous_count(counted, written, alpha=alpha),
    )
