"""What the rows of a certification say about a data set: rates with their intervals, and summary radii.

A row is certified at radius r when it did not abstain, its candidate is its label, and its radius is at least r. The
denominator is always all rows, abstentions included, which are certified at no radius, not even 0. `alpha` is the
failure probability of one certificate; radii are in the certification's unit.

Certified accuracy as a `Rate`: `lower` bounds the proportion of the population for which the claim is true. With the
noise of every row independent, at most q of N certificates are false except with probability GAMMA, where q is the
(1 - GAMMA)-quantile of Bin(N, alpha). So `lower` is the Clopper-Pearson bound of K - q of N, K the certified ones, at
level delta = (1 - confidence) / 2 - GAMMA, and fails with probability at most GAMMA + delta = (1 - confidence) / 2, as
the end of every other rate does. `upper` is the plain Clopper-Pearson bound of K of N: it bounds how often this
procedure certifies, not how often the classifier is robust without a certificate. Samples count as drawn independently
from the population that the claim is about.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any

from robustcert.errors import InputError, expected
from robustcert.evaluation.statistics import (
    CONFIDENCE,
    Rate,
    binomial_quantile,
    lower_bound,
    one_side,
    rate,
    rate_between,
    round_down,
    upper_bound,
)

Row = Mapping[str, Any]
Radius = float | str

GAMMA = 0.001
CERTIFIED = "certified"
ABSTAIN = "abstain"


def certified_accuracy(rows: Sequence[Row], radius: Radius, *, alpha: float, confidence: float = CONFIDENCE) -> Rate:
    """Rate of rows that are right and certified at `radius`; its interval is explained at the top of this file."""
    return _certified_rate(rows, radius, alpha=alpha, confidence=confidence, ends=1)


def curve(
    rows: Sequence[Row], radii: Sequence[Radius], *, alpha: float, confidence: float = CONFIDENCE
) -> tuple[tuple[str, Rate], ...]:
    """(radius, certified accuracy) at each of `radii`; every interval holds on its own, at `confidence`."""
    return tuple(
        (_printed(radius), certified_accuracy(rows, radius, alpha=alpha, confidence=confidence)) for radius in radii
    )


def band(
    rows: Sequence[Row], radii: Sequence[Radius], *, alpha: float, confidence: float = CONFIDENCE
) -> tuple[tuple[str, Rate], ...]:
    """The curve with wider intervals that hold at all of `radii` together, at `confidence`.

    Bonferroni over the radii; the event of more than q false certificates is one for all of them, and paid once.
    """
    return tuple(
        (_printed(radius), _certified_rate(rows, radius, alpha=alpha, confidence=confidence, ends=len(radii)))
        for radius in radii
    )


def simultaneous_count(rows: Sequence[Row], radius: Radius, *, alpha: float) -> int:
    """How many of these rows' certificates at `radius` are true at once, with confidence 1 - GAMMA."""
    return max(0, _count_certified(rows, radius) - binomial_quantile(1 - GAMMA, len(rows), alpha))


def abstention_rate(rows: Sequence[Row], *, confidence: float = CONFIDENCE) -> Rate:
    """Rate of rows on which the smoothed classifier abstained."""
    _require_rows(rows)
    return rate(sum(row["decision"] == ABSTAIN for row in rows), len(rows), confidence)


def smoothed_accuracy(rows: Sequence[Row], *, confidence: float = CONFIDENCE) -> Rate:
    """Rate of rows that the smoothed classifier, as it is served with its abstentions, gets right.

    An abstention is not right. The count is that of certified accuracy at radius 0, but nothing is claimed about
    perturbed inputs, so no false certificates are deducted.
    """
    _require_rows(rows)
    return rate(_count_certified(rows, 0), len(rows), confidence)


def average_certified_radius(rows: Sequence[Row]) -> str:
    """Mean radius over all rows, rounded down; abstentions and wrong candidates count as 0 (Zhai et al. 2020)."""
    _require_rows(rows)
    return round_down(sum((_radius_if_right(row) for row in rows), Fraction(0)) / len(rows))


def median_certified_radius(rows: Sequence[Row]) -> str:
    """Median radius over all rows, the smaller of the two middle ones; abstentions and wrong candidates count as 0."""
    _require_rows(rows)
    return round_down(sorted(_radius_if_right(row) for row in rows)[(len(rows) - 1) // 2])


def _certified_rate(rows: Sequence[Row], radius: Radius, *, alpha: float, confidence: float, ends: int) -> Rate:
    """`ends`: how many radii share the failure probability of one side."""
    _require_rows(rows)
    count, of = _count_certified(rows, radius), len(rows)
    delta = (one_side(confidence) - GAMMA) / ends
    if delta <= 0:
        remedy = f"ask for a confidence below {1 - 2 * GAMMA}"
        raise InputError(expected(f"(1 - confidence) / 2 above {GAMMA}", got=one_side(confidence), remedy=remedy))
    lower = lower_bound(simultaneous_count(rows, radius, alpha=alpha), of, alpha=delta)
    upper = upper_bound(count, of, alpha=one_side(confidence) / ends)
    return rate_between(count, of, lower=lower, upper=upper, confidence=confidence)


def _count_certified(rows: Sequence[Row], radius: Radius) -> int:
    wanted = _decimal(radius)
    return sum(_is_right(row) and Decimal(row["radius"]) >= wanted for row in rows)


def _is_right(row: Row) -> bool:
    return bool(row["decision"] == CERTIFIED and row["candidate"] == row["label"])


def _radius_if_right(row: Row) -> Fraction:
    return Fraction(row["radius"]) if _is_right(row) else Fraction(0)


def _decimal(radius: Radius) -> Decimal:
    """The decimal that a person wrote: the shortest one that reads back as this float."""
    wanted = Decimal(str(radius))
    if not (wanted.is_finite() and wanted >= 0):
        raise InputError(expected("a radius of at least 0", got=radius, remedy="correct the radius"))
    return wanted


def _printed(radius: Radius) -> str:
    return f"{_decimal(radius):f}"


def _require_rows(rows: Sequence[Row]) -> None:
    if not rows:
        raise InputError(expected("evidence rows", got="none", remedy="certify at least one sample"))
    if len({row["sample"] for row in rows}) != len(rows):
        raise InputError(
            expected("each sample once", got="a sample twice", remedy="merge the shards without repetition")
        )
