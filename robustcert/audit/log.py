"""Certification logs as text: locuslab/smoothing's tab-separated form, or CSV and TSV with a map of columns.

locuslab's form (`code/certify.py` of that repository) has the columns idx, label, predict, radius, correct, time, with
-1 for an abstention, and prints radii with three significant digits, rounded to nearest, trailing zeros dropped. Files
are streamed: nothing of them stays in memory but the line that is being read.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from io import TextIOWrapper
from pathlib import Path
from typing import NamedTuple

from robustcert.audit.claim import number
from robustcert.errors import InputError, expected

REQUIRED = ("idx", "label", "predict", "radius")
OPTIONAL = ("correct", "sigma")
LOCUSLAB = ("idx", "label", "predict", "radius", "correct", "time")
SIGNIFICANT = 3  # digits of a radius in locuslab's form
LONGEST_LINE = 100_000
LARGEST_ID = 1 << 63
TRUTH = {"1": True, "0": False, "true": True, "false": False, "1.0": True, "0.0": False}


class LogRow(NamedTuple):
    """One certified sample as a log has it: `predicted` None is an abstention, `correct` None an absent column.

    `unit` is the last place to which the radius was printed; `fault` is what recomputing it from votes refuted.
    """

    line: int
    sample: int
    label: int
    predicted: int | None
    radius: Decimal
    unit: Decimal
    correct: bool | None
    sigma: str | None
    fault: str | None


@dataclass(frozen=True, kw_only=True)
class LogForm:
    """How a text log is to be read: `columns` maps our names to the file's, `abstention` is its word for one."""

    columns: Mapping[str, str] = field(default_factory=dict)
    abstention: str = "-1"

    def name(self, column: str) -> str:
        """The file's name of a column."""
        return self.columns.get(column, column)


def parse_columns(text: str) -> dict[str, str]:
    """The map of `idx=sample,label=y`; InputError for other names than ours on the left."""
    pairs = dict(part.partition("=")[::2] for part in text.split(",")) if text else {}
    if not all(pairs.values()) or not set(pairs) <= {*REQUIRED, *OPTIONAL}:
        what = f"a map of {', '.join((*REQUIRED, *OPTIONAL))}, such as idx=sample,label=y"
        raise InputError(expected(what, got=repr(text[:80]), remedy="correct it"))
    return pairs


def read_log(path: Path, *, form: LogForm) -> Iterator[LogRow]:
    """Rows of the log at `path`, in its order; InputError with the line that can't be read."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            yield from _rows(file, path.name, form)
    except UnicodeDecodeError as error:
        got = f"bytes that are no UTF-8 in {path.name}"
        raise InputError(expected("a text log", got=got, remedy="save it as UTF-8")) from error
    except csv.Error as error:
        raise InputError(expected("a text log", got=f"{error} in {path.name}", remedy="check the file")) from error
    except OSError as error:
        raise InputError(expected("a log", got=f"{error.strerror}: {path}", remedy="check the name")) from error


def _rows(file: TextIOWrapper, name: str, form: LogForm) -> Iterator[LogRow]:
    lines = _bounded_lines(file, name)
    header = next(lines, "").lstrip("\ufeff").rstrip("\r\n")
    delimiter = next((mark for mark in "\t;" if mark in header), ",")
    titles = next(csv.reader([header], delimiter=delimiter), [])
    places = _places(titles, name, form)
    significant = SIGNIFICANT if tuple(titles) == LOCUSLAB else None
    for line, cells in enumerate(csv.reader(lines, delimiter=delimiter), start=2):
        if cells:
            yield _row(cells, line, places, form, name=name, width=len(titles), significant=significant)


def _bounded_lines(file: TextIOWrapper, name: str) -> Iterator[str]:
    while line := file.readline(LONGEST_LINE):
        if len(line) == LONGEST_LINE:
            raise InputError(
                expected("lines of a log", got=f"one longer than {LONGEST_LINE} in {name}", remedy="check the file")
            )
        yield line


def _places(titles: list[str], name: str, form: LogForm) -> dict[str, int]:
    found = {column: titles.index(form.name(column)) for column in REQUIRED + OPTIONAL if form.name(column) in titles}
    missing = [form.name(column) for column in REQUIRED if column not in found]
    missing += [title for column, title in form.columns.items() if column not in found and title not in missing]
    if missing or len(set(titles)) < len(titles):
        got = f"{titles} in {name}"[:160]
        remedy = "map them, such as --columns idx=sample,label=y, or check the delimiter (tab, comma or semicolon)"
        raise InputError(expected(f"a first line with the columns {', '.join(missing)}", got=got, remedy=remedy))
    return found


def _row(
    cells: list[str],
    line: int,
    places: dict[str, int],
    form: LogForm,
    *,
    name: str,
    width: int,
    significant: int | None,
) -> LogRow:
    where = f"line {line} of {name}"
    if len(cells) != width:
        got = f"{len(cells)} in {where}"
        raise InputError(expected(f"{width} fields in every line", got=got, remedy="complete or remove it"))
    told = cells[places["predict"]].strip()
    radius = number(cells[places["radius"]], what=f"a radius in {where}")
    return LogRow(
        line=line,
        sample=_whole(cells[places["idx"]], f"an id in {where}"),
        label=_whole(cells[places["label"]], f"a label in {where}"),
        predicted=None if told == form.abstention else _whole(told, f"a class, or {form.abstention}, in {where}"),
        radius=radius,
        unit=_unit(radius, significant),
        correct=_truth(cells[places["correct"]], where) if "correct" in places else None,
        sigma=cells[places["sigma"]].strip() if "sigma" in places else None,
        fault=None,
    )


def _unit(radius: Decimal, significant: int | None) -> Decimal:
    """Last place of a printed radius: of `significant` digits where the form fixes them, else of the digits shown."""
    if not radius.is_finite():
        return Decimal(0)
    exponent = radius.as_tuple().exponent if significant is None or not radius else radius.adjusted() + 1 - significant
    return Decimal(1).scaleb(int(exponent))


def _whole(text: str, what: str) -> int:
    digits = text.strip()
    if not (digits.isascii() and digits.isdecimal() and len(digits) < 20 and int(digits) < LARGEST_ID):
        raise InputError(expected(what, got=repr(text[:40]), remedy="whole numbers from 0 on; check --columns"))
    return int(digits)


def _truth(text: str, where: str) -> bool:
    found = TRUTH.get(text.strip().lower())
    if found is None:
        raise InputError(expected(f"0 or 1 for correct in {where}", got=repr(text[:40]), remedy="check --columns"))
    return found
