"""What is claimed of a certification log: parameters, samples, and the curve that was published from it.

Everything is optional. What was not claimed can't be checked, and the audit says so.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Literal

from robustcert.errors import InputError, expected
from robustcert.smoothing.noise_kinds import KINDS, NoiseKind

Rounding = Literal["nearest", "down"]
Curve = tuple[tuple[Decimal, Decimal], ...]

LONGEST_NUMBER = 40
LARGEST_EXPONENT = 30
MOST_IDS = 100_000_000


@dataclass(frozen=True, kw_only=True)
class Claim:
    """`n` votes each bound the candidate's probability, at failure probability `alpha`; `sigma`, radii in one unit.

    `kind_told`: the kind was named, not taken for granted. `samples` rows about the ids `ids` were claimed; `rounding`
    is how the log's writer printed radii.
    """

    sigma: float | None = None
    alpha: float | None = None
    n: int | None = None
    kind: NoiseKind = KINDS["gaussian"]
    kind_told: bool = False
    samples: int | None = None
    ids: range | frozenset[int] | None = None
    radii: tuple[Decimal, ...] = ()
    curve: Curve = ()
    rounding: Rounding = "nearest"

    def __post_init__(self) -> None:
        _require(self.sigma is None or 0 < self.sigma < math.inf, "a finite sigma above 0", self.sigma)
        _require(self.alpha is None or 0 < self.alpha < 0.5, "0 < alpha < 1/2", self.alpha)
        _require(self.n is None or 0 < self.n < 1 << 53, "n of at least 1", self.n)
        _require(self.samples is None or self.samples > 0, "at least one claimed sample", self.samples)


def number(text: str, *, what: str) -> Decimal:
    """The decimal that `text` writes, NaN and infinities included; InputError for none or an absurd size.

    >>> number("0.0829", what="a radius")
    Decimal('0.0829')
    """
    try:
        plain = len(text) <= LONGEST_NUMBER and text.isascii() and "_" not in text
        found = Decimal(text.strip()) if plain else None
    except InvalidOperation:
        found = None
    if found is None or found.is_snan() or (found.is_finite() and found and abs(found.adjusted()) > LARGEST_EXPONENT):
        remedy = f"write a plain decimal within 1e-{LARGEST_EXPONENT} ... 1e{LARGEST_EXPONENT}"
        raise InputError(expected(what, got=repr(text[:LONGEST_NUMBER]), remedy=remedy))
    return found


def parse_radii(text: str) -> tuple[Decimal, ...]:
    """Ascending radii of `0.25,0.5`; InputError for anything else."""
    found = tuple(number(part, what="radii such as 0.25,0.5") for part in text.split(","))
    if not all(radius.is_finite() and radius >= 0 for radius in found) or list(found) != sorted(set(found)):
        raise InputError(expected("ascending radii of at least 0", got=repr(text[:80]), remedy="correct them"))
    return found


def parse_ids(text: str) -> range | frozenset[int]:
    """Ids of `first:end:step` (end excluded, as `--skip` of locuslab's loop) or of a file with one id a line."""
    if ":" in text and not Path(text).is_file():
        return _id_range(text)
    return frozenset(_id_lines(Path(text)))


def parse_curve(text: str) -> Curve:
    """Radii and accuracies of `0.25=0.55,0.5=0.41`, or of a CSV or TSV file with the columns radius and accuracy."""
    pairs = [part.partition("=")[::2] for part in text.split(",")] if "=" in text else list(_curve_rows(Path(text)))
    found = tuple(
        (number(radius, what="a radius of the curve"), number(share, what="an accuracy of the curve"))
        for radius, share in pairs
    )
    finite = all(radius.is_finite() and share.is_finite() for radius, share in found)
    if not finite or not all(radius >= 0 and 0 <= share <= 1 for radius, share in found):
        remedy = "write accuracies as shares, not percentages"
        raise InputError(expected("radii of at least 0 with accuracies in 0 ... 1", got=text[:80], remedy=remedy))
    if [radius for radius, _ in found] != sorted({radius for radius, _ in found}):
        raise InputError(expected("a curve at ascending radii, each once", got=text[:80], remedy="sort it"))
    return found


def readable(path: Path, *, what: str) -> str:
    """The text of a small file; InputError where it can't be read."""
    try:
        with path.open(encoding="utf-8") as file:
            return file.read(MOST_IDS)
    except (OSError, UnicodeDecodeError) as error:
        got = error.strerror if isinstance(error, OSError) else "bytes that are no UTF-8"
        raise InputError(expected(what, got=f"{got}: {path}", remedy="check the name")) from error


def _id_range(text: str) -> range:
    parts = text.split(":")
    if not 2 <= len(parts) <= 3 or not all(part.isascii() and part.isdecimal() for part in parts):
        raise InputError(expected("ids as first:end:step, such as 0:10000:20", got=repr(text), remedy="correct them"))
    first, end, step = (int(part) for part in (*parts, "1")[:3])
    if not (step > 0 and first < end and end - first <= MOST_IDS * step):
        raise InputError(expected(f"first < end, step > 0, {MOST_IDS} ids at most", got=text, remedy="correct them"))
    return range(first, end, step)


def _id_lines(path: Path) -> Iterator[int]:
    for number_of_line, line in enumerate(readable(path, what="first:end:step or a file of ids").split(), start=1):
        if not (line.isascii() and line.isdecimal() and len(line) < 20):
            got = f"{line[:40]!r} at place {number_of_line} of {path.name}"
            raise InputError(expected("an id", got=got, remedy="one whole number a line"))
        yield int(line)


def _curve_rows(path: Path) -> Sequence[tuple[str, str]]:
    lines = readable(path, what="a curve such as 0.25=0.55 or a file").splitlines()
    rows = csv.DictReader(lines, delimiter="\t" if lines and "\t" in lines[0] else ",")
    if rows.fieldnames is None or not {"radius", "accuracy"} <= set(rows.fieldnames):
        got = f"{rows.fieldnames} in {path.name}"
        raise InputError(expected("the columns radius and accuracy", got=got[:120], remedy="name them in a first line"))
    return [(row["radius"] or "", row["accuracy"] or "") for row in rows]


def _require(holds: bool, what: str, got: object) -> None:
    if not holds:
        raise InputError(expected(what, got=got, remedy="correct it"))
