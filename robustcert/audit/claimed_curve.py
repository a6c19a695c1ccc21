"""A published curve against the rows that it is said to come from, and what explains it where it does not follow.

A sample is certified at a radius when it was not abstained on, its prediction is its label, and its radius is at least
that one; the denominator is all samples. What is published otherwise follows from rows by one of a few known mistakes,
each of which is tried and named.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise

from robustcert.audit.claim import Curve
from robustcert.audit.row_checks import Finding
from robustcert.audit.survey import Survey


@dataclass(frozen=True, kw_only=True)
class Mistake:
    """A way to count that gives too much; `count` of rows at a radius, `of` how many."""

    sentence: str
    count: Callable[[Survey, Decimal], int]
    of: Callable[[Survey], int]


def certified(taken: Survey, radius: Decimal) -> int:
    """Rows that are right and certified at `radius`."""
    return _at_least(taken.right, radius)


MISTAKES = (
    Mistake(
        sentence="abstentions are left out of the denominator",
        count=certified,
        of=lambda taken: len(taken.samples) - taken.abstained,
    ),
    Mistake(
        sentence="samples whose prediction is wrong are counted",
        count=lambda taken, radius: certified(taken, radius) + _at_least(taken.wrong, radius),
        of=lambda taken: len(taken.samples),
    ),
    Mistake(
        sentence="abstentions are counted as certified",
        count=lambda taken, radius: certified(taken, radius) + taken.abstained,
        of=lambda taken: len(taken.samples),
    ),
    Mistake(
        sentence="abstentions that the log calls correct are counted as certified",
        count=lambda taken, radius: certified(taken, radius) + _at_least(taken.abstained_called_right, radius),
        of=lambda taken: len(taken.samples),
    ),
)


def curve_falls(curve: Curve) -> Finding:
    """A curve that rises with the radius contradicts itself: what is certified at a radius is at every smaller one."""
    rising = next(((one, other) for one, other in pairwise(curve) if other[1] > one[1]), None)
    if rising is None:
        return Finding(file="", check="curve falls", status="ok", message="the claimed curve never rises")
    (radius, share), (further, more) = rising
    message = f"{share} at {radius}, and {more} at the larger radius {further}"
    return Finding(file="", check="curve falls", status="WRONG", message=message)


def curve_follows(taken: Survey, curve: Curve) -> Finding:
    """Whether the claimed curve is the one of this log's rows, to its printed digits."""
    above = [(radius, share) for radius, share in curve if _difference(taken, radius, share) > 0]
    below = [(radius, share) for radius, share in curve if _difference(taken, radius, share) < 0]
    name = taken.source.name
    if above:
        radius, share = above[0]
        found = f"{certified(taken, radius)} of {len(taken.samples)}"
        why = explanation(taken, curve)
        reason = f"; explained where {why}" if why else ""
        message = f"{share} claimed at {radius}, the rows give {found}; too much at {len(above)} radii{reason}"
        return Finding(file=name, check="curve follows", status="WRONG", message=message)
    less = f"; at {len(below)} radii it claims less than the rows give" if below else ""
    message = f"no more is claimed at {len(curve)} radii than the rows give{less}"
    return Finding(file=name, check="curve follows", status="ok", message=message)


def explanation(taken: Survey, curve: Curve) -> str:
    """The mistake that gives exactly the claimed curve; empty where none does."""
    for mistake in MISTAKES:
        of = mistake.of(taken)
        shares = ((Decimal(mistake.count(taken, radius)) / of, share) for radius, share in curve) if of else ()
        if of and all(agrees(found, share) for found, share in shares):
            return mistake.sentence
    return ""


def envelope(several: Sequence[Survey], curve: Curve) -> Finding:
    """Whether the claimed curve takes the best of several logs at each radius, more than any one of them gives."""
    check = "one sigma per curve"
    shares = [[_share(taken, radius) for taken in several] for radius, _ in curve]
    single = next((number for number in range(len(several)) if _gives(shares, curve, number)), None)
    if single is not None:
        name = several[single].source.name
        return Finding(file="", check=check, status="ok", message=f"the rows of {name} alone give the claimed curve")
    if all(best >= share or agrees(best, share) for best, (_, share) in zip(map(max, shares), curve, strict=True)):
        message = (
            f"the claimed curve takes the best of {len(several)} logs at each radius, which no one classifier reaches: "
            "the choice was made on the certified samples. Honest: one curve for each sigma; or sigma chosen on "
            "samples that were not certified"
        )
        return Finding(file="", check=check, status="WRONG", message=message)
    message = f"none of the {len(several)} logs gives the claimed curve, nor does the best of them at each radius"
    return Finding(file="", check=check, status="WRONG", message=message)


def agrees(found: Decimal, printed: Decimal) -> bool:
    """Whether a share rounds to what was printed: to the nearest, or cut off.

    >>> agrees(Decimal("0.546"), Decimal("0.55"))
    True
    """
    last = Decimal(1).scaleb(int(printed.as_tuple().exponent))
    return abs(found - printed) <= last / 2 or 0 <= found - printed < last


def _difference(taken: Survey, radius: Decimal, share: Decimal) -> int:
    """1 where more is claimed than the rows give, -1 where less, 0 where they agree to the printed digits."""
    found = _share(taken, radius)
    return 0 if agrees(found, share) else 1 if share > found else -1


def _share(taken: Survey, radius: Decimal) -> Decimal:
    return Decimal(certified(taken, radius)) / len(taken.samples)


def _gives(shares: list[list[Decimal]], curve: Curve, number: int) -> bool:
    return all(
        row[number] >= share or agrees(row[number], share) for row, (_, share) in zip(shares, curve, strict=True)
    )


def _at_least(counts: Mapping[str, int], radius: Decimal) -> int:
    return sum(count for written, count in counts.items() if Decimal(written) >= radius)
