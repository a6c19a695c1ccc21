"""What can be wrong with a single row of a log: an ordered list of small checks, each with a reason or None."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import Literal

from robustcert.audit.claim import Claim
from robustcert.audit.lattice import Lattice, Place
from robustcert.audit.log import LogRow

NO_VOTES = "the log holds no vote counts: that its radii follow from votes is the author's word"

CAP = "radius cap"
ATTAINABLE = "radii attainable"

RowFault = Callable[[LogRow], str | None]


Status = Literal["ok", "WRONG", "cannot tell"]


@dataclass(frozen=True, kw_only=True)
class Finding:
    """The outcome of one check of one file, in one line; `file` is empty for what concerns several."""

    file: str
    check: str
    status: Status
    message: str


@dataclass(frozen=True, kw_only=True)
class RowCheck:
    """A check by its name: `fault` says what is wrong with a row; without it, `open_because` says why nothing can."""

    name: str
    holds: str
    fault: RowFault | None = None
    open_because: str = ""


def row_checks(
    claim: Claim, *, has_correct: bool, has_sigma: bool, evidence: bool, votes_open: str
) -> tuple[RowCheck, ...]:
    """The checks of a log's rows, in their order; the columns that it has decide which of them can be made."""
    return (
        RowCheck(name="numbers", holds="every radius is a finite number of at least 0", fault=_number),
        RowCheck(name="abstentions", holds="no abstention is called correct or has a radius", fault=_abstention),
        _if(has_correct, "correct column", "it says what label and prediction say", _correct, "the log has no such"),
        _cap(claim, evidence=evidence),
        _attainable(claim, evidence=evidence),
        _one_sigma(claim, has_sigma=has_sigma),
        _if(
            evidence and not votes_open,
            "votes",
            "every decision and radius follows from its counts",
            _votes,
            votes_open or NO_VOTES,
        ),
    )


def _if(possible: bool, name: str, holds: str, fault: RowFault, otherwise: str) -> RowCheck:
    return RowCheck(name=name, holds=holds, fault=fault if possible else None, open_because=otherwise)


def _number(row: LogRow) -> str | None:
    if row.radius.is_finite() and row.radius >= 0:
        return None
    return f"radius {row.radius}"


def _abstention(row: LogRow) -> str | None:
    positive = not row.radius.is_finite() or row.radius > 0
    if row.predicted is not None or not (row.correct or positive):
        return None
    return "an abstention that counts as correct" if row.correct else f"an abstention with radius {row.radius}"


def _correct(row: LogRow) -> str | None:
    if row.predicted is None or row.correct is (row.predicted == row.label):
        return None
    return f"correct is {int(bool(row.correct))} for label {row.label} and prediction {row.predicted}"


def _votes(row: LogRow) -> str | None:
    return row.fault


def _cap(claim: Claim, *, evidence: bool) -> RowCheck:
    name, lattice = CAP, Lattice.of(claim)
    if lattice is None:
        return RowCheck(name=name, holds="", open_because="needs sigma, alpha and n; a bundle tells its own")
    holds = f"no radius above {lattice.largest:.6f}, which {lattice.n} unanimous votes give"
    down = evidence or claim.rounding == "down"
    return RowCheck(name=name, holds=holds, fault=partial(_beyond, lattice=lattice, rounds_down=down))


def _beyond(row: LogRow, *, lattice: Lattice, rounds_down: bool) -> str | None:
    place = _placed(row, lattice, rounds_down)
    return f"radius {row.radius}, at most {lattice.largest:.6f} is possible" if place is Place.BEYOND else None


def _attainable(claim: Claim, *, evidence: bool) -> RowCheck:
    name, lattice = ATTAINABLE, Lattice.of(claim)
    if evidence:
        return RowCheck(name=name, holds="", open_because="not asked: radii are recomputed from votes")
    if lattice is None:
        return RowCheck(name=name, holds="", open_because="needs sigma, alpha and n")
    holds = f"every radius is one that some count of {lattice.n} votes gives, as far as its digits show"
    down = claim.rounding == "down"
    return RowCheck(name=name, holds=holds, fault=partial(_unattainable, lattice=lattice, rounds_down=down))


def _unattainable(row: LogRow, *, lattice: Lattice, rounds_down: bool) -> str | None:
    place = _placed(row, lattice, rounds_down)
    return f"radius {row.radius}: {place}" if place in (Place.ROUNDED_UP, Place.NOWHERE) else None


def fits(printed: Decimal, unit: Decimal, *, lattice: Lattice, rounds_down: bool) -> bool:
    """Whether a printed radius is attainable, as far as its digits show."""
    return lattice.place(printed, unit, rounds_down=rounds_down) in (Place.ATTAINABLE, Place.ABOVE)


def printed_above(row: LogRow, *, claim: Claim) -> bool:
    """Whether a radius was certainly rounded up, by rounding to nearest, from an attainable one."""
    lattice = Lattice.of(claim)
    return lattice is not None and _placed(row, lattice, claim.rounding == "down") is Place.ABOVE


def _placed(row: LogRow, lattice: Lattice, rounds_down: bool) -> Place:
    if row.predicted is None or not row.radius.is_finite() or row.radius <= 0:
        return Place.ATTAINABLE
    return lattice.place(row.radius, row.unit, rounds_down=rounds_down)


def _one_sigma(claim: Claim, *, has_sigma: bool) -> RowCheck:
    name, holds = "one sigma", "all rows have one sigma"
    if not has_sigma:
        return RowCheck(name=name, holds=holds, open_because="the log has no column sigma")
    seen: list[float] = [] if claim.sigma is None else [claim.sigma]
    return RowCheck(name=name, holds=holds, fault=partial(_other_sigma, seen=seen))


def _other_sigma(row: LogRow, *, seen: list[float]) -> str | None:
    """A row of another sigma than claimed or, where none was, than the first row's."""
    try:
        value = float(row.sigma or "")
    except ValueError:
        return f"sigma {row.sigma!r}"
    if not seen:
        seen.append(value)
    return None if value == seen[0] else f"sigma {row.sigma}, others have {seen[0]:g}"
