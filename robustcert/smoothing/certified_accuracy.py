"""What the rows of a certification say about a data set: rates with their intervals, and summary radii.

A row is certified at radius r when it did not abstain, its candidate is its label, and its radius is at least r. The
denominator is always all rows, abstentions included, which are certified at no radius, not even 0. `alpha` is the
failure probability of one certificate; radii are in the certification's unit.

Certified accuracy as a `Rate`: `lower` bounds the proportion of the population for which the claim is true. With the
noise of every row independent, as each row's own key makes it, at most q of N certificates are false except with
probability GAMMA, where q is the (1 - GAMMA)-quantile of Bin(N, alpha). So `lower` is the Clopper-Pearson bound of
K - q of N, K the certified ones, at level delta = (1 - confidence) / 2 - GAMMA, and fails with probability at most
GAMMA + delta = (1 - confidence) / 2, as the end of every other rate does.
`upper` is the plain Clopper-Pearson bound of K of N: it bounds how often this procedure certifies, not how often the
classifier is robust without a certificate. Samples count as drawn independently from the population that the claim is
about.
"""

from __future__ import annotations

import math
from array import array
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from functools import cached_property
from typing import Any, Protocol, runtime_checkable

import numpy as np

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


@dataclass(frozen=True)
class Tally:
    """All that is counted of rows: `right` has, for each radius as it is written, the right rows certified at it.

    There are at most as many radii as outcomes of the votes, so that a tally is small however many rows there are.
    """

    of: int
    abstained: int
    right: Mapping[str, int]

    def certified(self, radius: Decimal) -> int:
        """Rows that are right and certified at `radius`."""
        return sum(count for written, count in self._by_radius if written >= radius)

    @cached_property
    def _by_radius(self) -> list[tuple[Decimal, int]]:
        return [(Decimal(written), count) for written, count in self.right.items()]


@runtime_checkable
class Tallied(Protocol):
    """Rows that know their tally, such as those of a file that are read anew on every pass."""

    @property
    def tally(self) -> Tally: ...


Rows = Iterable[Row] | Tallied


def tally_of(rows: Rows) -> Tally:
    """The tally of rows, in one pass; InputError for none and for a sample that comes twice."""
    if isinstance(rows, Tallied):
        return rows.tally
    right: Counter[str] = Counter()
    samples, abstained = array("q"), 0
    for row in rows:
        samples.append(row["sample"])
        abstained += row["decision"] == ABSTAIN
        if row["decision"] == CERTIFIED and row["candidate"] == row["label"]:
            right[row["radius"]] += 1
    _refuse_repetition(samples)
    return Tally(of=len(samples), abstained=abstained, right=dict(right))


def certified_accuracy(rows: Rows, radius: Radius, *, alpha: float, confidence: float = CONFIDENCE) -> Rate:
    """Rate of rows that are right and certified at `radius`; its interval is explained at the top of this file."""
    return _certified_rate(tally_of(rows), radius, alpha=alpha, confidence=confidence, ends=1)


def curve(
    rows: Rows, radii: Sequence[Radius], *, alpha: float, confidence: float = CONFIDENCE
) -> tuple[tuple[str, Rate], ...]:
    """(radius, certified accuracy) at each of `radii`; every interval holds on its own, at `confidence`."""
    tally = tally_of(rows)
    return tuple(
        (_printed(radius), _certified_rate(tally, radius, alpha=alpha, confidence=confidence, ends=1))
        for radius in radii
    )


def band(
    rows: Rows, radii: Sequence[Radius], *, alpha: float, confidence: float = CONFIDENCE
) -> tuple[tuple[str, Rate], ...]:
    """The curve with wider intervals that hold at all of `radii` together, at `confidence`.

    Bonferroni over the radii; the event of more than q false certificates is one for all of them, and paid once.
    """
    tally = tally_of(rows)
    return tuple(
        (_printed(radius), _certified_rate(tally, radius, alpha=alpha, confidence=confidence, ends=len(radii)))
        for radius in radii
    )


def simultaneous_count(rows: Rows, radius: Radius, *, alpha: float) -> int:
    """How many of these rows' certificates at `radius` are true at once, with confidence 1 - GAMMA."""
    return _simultaneous(tally_of(rows), radius, alpha=alpha)


def simultaneous_count_with_shared_noise(rows: Rows, radius: Radius, *, alpha: float) -> int:
    """The same where rows share their noise, so that their errors may come together: Markov's inequality.

    On average alpha * N are false, and GAMMA^-1 times as many with probability at most GAMMA. That leaves hardly any
    unless every row was certified at `shared_noise_alpha`, which leaves all of them.
    """
    tally = tally_of(rows)
    at_least = math.ceil(Fraction(str(alpha)) * tally.of / Fraction(str(GAMMA)))
    return max(0, tally.certified(_decimal(radius)) - max(0, at_least - 1))


def shared_noise_alpha(of: int) -> float:
    """Level of each of `of` certificates with shared noise at which all are true at once with confidence 1 - GAMMA."""
    if of < 1:
        raise InputError(expected("at least one certificate", got=of, remedy="certify at least one sample"))
    return math.nextafter(GAMMA / of, 0.0)


def abstention_rate(rows: Rows, *, confidence: float = CONFIDENCE) -> Rate:
    """Rate of rows on which the smoothed classifier abstained."""
    tally = tally_of(rows)
    return rate(tally.abstained, tally.of, confidence)


def smoothed_accuracy(rows: Rows, *, confidence: float = CONFIDENCE) -> Rate:
    """Rate of rows that the smoothed classifier, as it is served with its abstentions, gets right.

    An abstention is not right. The count is that of certified accuracy at radius 0, but nothing is claimed about
    perturbed inputs, so no false certificates are deducted.
    """
    tally = tally_of(rows)
    return rate(tally.certified(Decimal(0)), tally.of, confidence)


def average_certified_radius(rows: Rows) -> str:
    """Mean radius over all rows, rounded down; abstentions and wrong candidates count as 0 (Zhai et al. 2020)."""
    tally = tally_of(rows)
    return round_down(sum((Fraction(radius) * count for radius, count in tally.right.items()), Fraction(0)) / tally.of)


def median_certified_radius(rows: Rows) -> str:
    """Median radius over all rows, the smaller of the two middle ones; abstentions and wrong candidates count as 0."""
    tally = tally_of(rows)
    below, middle = tally.of - sum(tally.right.values()), (tally.of - 1) // 2
    radius = Fraction(0)
    for written in sorted(tally.right, key=Fraction):
        if below > middle:
            break
        radius, below = Fraction(written), below + tally.right[written]
    return round_down(radius)


def _certified_rate(tally: Tally, radius: Radius, *, alpha: float, confidence: float, ends: int) -> Rate:
    """`ends`: how many radii share the failure probability of one side."""
    count, of = tally.certified(_decimal(radius)), tally.of
    delta = (one_side(confidence) - GAMMA) / ends
    if delta <= 0:
        remedy = f"ask for a confidence below {1 - 2 * GAMMA}"
        raise InputError(expected(f"(1 - confidence) / 2 above {GAMMA}", got=one_side(confidence), remedy=remedy))
    lower = lower_bound(_simultaneous(tally, radius, alpha=alpha), of, alpha=delta)
    upper = upper_bound(count, of, alpha=one_side(confidence) / ends)
    return rate_between(count, of, lower=lower, upper=upper, confidence=confidence)


def _decimal(radius: Radius) -> Decimal:
    """The decimal that a person wrote: the shortest one that reads back as this float."""
    wanted = Decimal(str(radius))
    if not (wanted.is_finite() and wanted >= 0):
        raise InputError(expected("a radius of at least 0", got=radius, remedy="correct the radius"))
    return wanted


def _printed(radius: Radius) -> str:
    return f"{_decimal(radius):f}"


def _simultaneous(tally: Tally, radius: Radius, *, alpha: float) -> int:
    return max(0, tally.certified(_decimal(radius)) - binomial_quantile(1 - GAMMA, tally.of, alpha))


def _refuse_repetition(samples: array[int]) -> None:
    if not samples:
        raise InputError(expected("evidence rows", got="none", remedy="certify at least one sample"))
    if len(np.unique(np.frombuffer(samples, dtype=np.int64))) != len(samples):
        raise InputError(
            expected("each sample once", got="a sample twice", remedy="merge the shards without repetition")
        )
