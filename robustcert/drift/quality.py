"""Is a window fit to be judged? An ordered list of small checks, each with a limit, on counts of its rows.

Schema, rows, type, nulls, range, categories, freshness, repeated ids, labels; and training-serving skew: columns that
stand still, numbers in another unit, logged answers that the certified model does not repeat. Where the window can't
tell (a log without times or ids), that check is left out rather than passed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from robustcert.data.coordinates import table_coordinates
from robustcert.data.dataset import Dataset
from robustcert.drift.quality_counts import ColumnFacts, WindowCounts, column_names
from robustcert.specification import Contract

CHANCE = 1e-9  # at which a run or a constant column is no accident, over all columns
FEWEST_FOR_SPREAD = 30
MOST_NAMED = 3

Float64 = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class QualityLimits:
    """Largest shares, 0 to 1: of a column's rows for nulls, types, range, categories; of all rows for ids and labels.

    `most_skew`: share of logged answers that the certified model does not repeat. `most_scale`: factor between the
    spreads of a column in window and reference. `oldest`: age of the newest row. `fewest_rows`: rows of a window.
    """

    fewest_rows: int = 1
    most_misread: float = 0.0
    most_nulls: float = 0.01
    most_out_of_range: float = 0.001
    most_new_categories: float = 0.0
    most_repeated: float = 0.001
    most_foreign_labels: float = 0.0
    most_skew: float = 0.01
    most_scale: float = 5.0
    oldest: timedelta = timedelta(hours=48)


@dataclass(frozen=True, kw_only=True, eq=False)
class ReferenceColumns:
    """Columns of the reference (Q,): mean and spread as stored, NaN for categories; the commonest value's share."""

    names: tuple[str, ...]
    mean: Float64
    spread: Float64
    commonest: Float64


@dataclass(frozen=True, kw_only=True)
class Repeated:
    """Of `of` logged answers the certified model gives `same` again."""

    same: int
    of: int


@dataclass(frozen=True, kw_only=True)
class QualityFacts:
    """Everything that a check may look at, the clock too. `absent`: columns of the contract that are not there."""

    counts: WindowCounts
    absent: tuple[str, ...]
    reference: ReferenceColumns | None
    repeated: Repeated | None
    now: datetime


@dataclass(frozen=True, kw_only=True)
class QualityFinding:
    """What one check observed against its limit, in the check's own unit, and a sentence; passed: within the limit."""

    check: str
    passed: bool
    observed: float
    limit: float
    detail: str


Check = Callable[[QualityFacts, QualityLimits], QualityFinding | None]


def judge_quality(facts: QualityFacts, limits: QualityLimits) -> tuple[QualityFinding, ...]:
    """What every check found, in order; without those for which the window holds nothing to check."""
    return tuple(_findings(facts, limits))


def quality_ratio(counts: WindowCounts) -> float:
    """Share of rows without any defect: null, unreadable, out of range, unknown category; 0 without rows."""
    return counts.sound / counts.rows if counts.rows else 0.0


def reference_columns(reference: Dataset, contract: Contract) -> ReferenceColumns:
    """The columns of certified data: of its test split, usually."""
    x_ND = reference.x().reshape(len(reference), -1)
    if contract.kind == "image":
        columns = [x_N * contract.divide_by for x_N in x_ND.T]
        coded = [False] * len(columns)
    else:
        coordinates = table_coordinates(contract)
        places = [
            [number for number, coordinate in enumerate(coordinates) if coordinate.column == column]
            for column in range(len(contract.features))
        ]
        columns = [x_ND[:, place[0]] if len(place) == 1 else x_ND[:, place].argmax(axis=1) for place in places]
        coded = [feature.kind == "categorical" for feature in contract.features]
    return ReferenceColumns(
        names=column_names(contract),
        mean=np.array([math.nan if code else x_N.mean() for x_N, code in zip(columns, coded, strict=True)]),
        spread=np.array([math.nan if code else x_N.std() for x_N, code in zip(columns, coded, strict=True)]),
        commonest=np.array([np.unique(x_N, return_counts=True)[1].max() / len(x_N) for x_N in columns]),
    )


def _findings(facts: QualityFacts, limits: QualityLimits) -> Iterator[QualityFinding]:
    for check in QUALITY_CHECKS:
        found = check(facts, limits)
        if found is not None:
            yield found


def _schema(facts: QualityFacts, limits: QualityLimits) -> QualityFinding:
    missing = facts.absent
    named = f"missing {', '.join(missing[:MOST_NAMED])}" if missing else "every column of the contract is there"
    return _finding("schema", len(missing), 0, named)


def _rows(facts: QualityFacts, limits: QualityLimits) -> QualityFinding:
    rows, least = facts.counts.rows, limits.fewest_rows
    detail = f"{rows} rows, at least {least} wanted"
    return QualityFinding(check="rows", passed=rows >= least, observed=rows, limit=least, detail=detail)


def _types(facts: QualityFacts, limits: QualityLimits) -> QualityFinding | None:
    what = "cells that are no number of their column's kind"
    return _worst("type", facts, facts.counts.columns.misread, limit=limits.most_misread, what=what)


def _nulls(facts: QualityFacts, limits: QualityLimits) -> QualityFinding | None:
    return _worst("null", facts, facts.counts.columns.nulls, limit=limits.most_nulls, what="empty cells")


def _range(facts: QualityFacts, limits: QualityLimits) -> QualityFinding | None:
    what = "values outside the contract's range"
    return _worst("range", facts, facts.counts.columns.outside, limit=limits.most_out_of_range, what=what)


def _categories(facts: QualityFacts, limits: QualityLimits) -> QualityFinding | None:
    what = "values that are no category of the contract"
    return _worst("category", facts, facts.counts.columns.unknown, limit=limits.most_new_categories, what=what)


def _freshness(facts: QualityFacts, limits: QualityLimits) -> QualityFinding | None:
    """Age of the newest row in seconds; a row from the future is one too."""
    if facts.counts.newest is None:
        return None
    newest = facts.counts.newest.astype("datetime64[us]").item().replace(tzinfo=UTC)
    age = abs((facts.now - newest).total_seconds())
    when = "old" if newest <= facts.now else "ahead of the clock"
    detail = f"the newest row is {age:.0f} s {when}, at most {limits.oldest.total_seconds():.0f} s wanted"
    return _finding("freshness", age, limits.oldest.total_seconds(), detail)


def _repeated_ids(facts: QualityFacts, limits: QualityLimits) -> QualityFinding | None:
    found = facts.counts.repeats
    if found is None or not found.of:
        return None
    how = "" if found.exact else " (of a sample of the ids)"
    detail = f"{found.repeated} of {found.of} rows repeat an id{how}"
    return _finding("repeated-id", found.share, limits.most_repeated, detail)


def _labels(facts: QualityFacts, limits: QualityLimits) -> QualityFinding | None:
    given = facts.counts.labelled + facts.counts.foreign_labels
    if not given:
        return None
    detail = f"{facts.counts.foreign_labels} of {given} labels are no class of the contract"
    return _finding("label", facts.counts.foreign_labels / given, limits.most_foreign_labels, detail)


def _constant(facts: QualityFacts, limits: QualityLimits) -> QualityFinding | None:
    """Columns that hold one value throughout, though with the reference's values that would be next to impossible."""
    if facts.reference is None:
        return None
    unlikely = _chance_of_run(facts.reference, facts.counts.rows) < CHANCE
    found = [facts.reference.names[column] for column in np.flatnonzero(facts.counts.columns.constant & unlikely)]
    detail = f"one value throughout in {', '.join(found[:MOST_NAMED])}" if found else "no column stands still"
    return _finding("constant", len(found), 0, detail)


def _stuck(facts: QualityFacts, limits: QualityLimits) -> QualityFinding | None:
    """Columns that repeat one value for longer than chance explains: a sensor that stopped, a cache that went stale."""
    columns = facts.counts.columns
    if facts.reference is None or not columns.longest_run.any():
        return None
    unlikely = _chance_of_run(facts.reference, columns.longest_run - 1) * max(1, facts.counts.rows) < CHANCE
    found = np.flatnonzero((columns.longest_run > 1) & unlikely)
    runs = [f"{columns.names[column]} for {columns.longest_run[column]} rows" for column in found[:MOST_NAMED]]
    detail = f"the same value again and again in {', '.join(runs)}" if runs else "no column repeats itself for long"
    return _finding("stuck", len(found), 0, detail)


def _scale(facts: QualityFacts, limits: QualityLimits) -> QualityFinding | None:
    """The largest factor between the spread of a column here and in the reference: another unit or encoding."""
    if facts.reference is None or facts.counts.rows < FEWEST_FOR_SPREAD:
        return None
    factors = spread_factors(facts.counts.columns, facts.reference)
    if np.isnan(factors).all():
        return None
    column = int(np.nanargmax(np.maximum(factors, 1 / factors)))
    factor = float(factors[column])
    detail = f"{_name(facts, column)} varies {factor:.3g} times as much as in the reference"
    return _finding("scale", max(factor, 1 / factor), limits.most_scale, detail)


def _skew(facts: QualityFacts, limits: QualityLimits) -> QualityFinding | None:
    """Whether what served these rows answers as the certified model does on the same rows."""
    if facts.repeated is None or not facts.repeated.of:
        return None
    other = facts.repeated.of - facts.repeated.same
    detail = f"{other} of {facts.repeated.of} logged answers are not those of the certified model"
    return _finding("skew", other / facts.repeated.of, limits.most_skew, detail)


QUALITY_CHECKS: tuple[Check, ...] = (
    _schema, _rows, _types, _nulls, _range, _categories, _freshness, _repeated_ids, _labels, _constant, _stuck, _scale,
    _skew,
)  # fmt: skip


def spread_factors(columns: ColumnFacts, reference: ReferenceColumns) -> Float64:
    """Spread here over spread in the reference, NaN where either is none; of an image one factor, of all its pixels."""
    here, there = columns.spread, reference.spread
    if columns.pixels:
        here, there = np.sqrt(np.mean(here**2, keepdims=True)), np.sqrt(np.mean(there**2, keepdims=True))
    varies = (here > 0) & (there > 0)
    return np.where(varies, here / np.where(varies, there, 1.0), np.nan)


def _chance_of_run(reference: ReferenceColumns, rows: int | NDArray[np.int64]) -> Float64:
    """At most how likely one value is to come `rows` times, in any of the columns."""
    return np.asarray(len(reference.names) * reference.commonest ** np.asarray(rows, dtype=np.float64))


def _worst(
    check: str, facts: QualityFacts, counts: NDArray[np.int64], *, limit: float, what: str
) -> QualityFinding | None:
    rows = facts.counts.rows
    if not rows:
        return None
    column = int(np.argmax(counts))
    detail = f"{counts[column]} of {rows} {what} in {_name(facts, column)}" if counts[column] else f"no {what}"
    return _finding(check, float(counts[column]) / rows, limit, detail)


def _name(facts: QualityFacts, column: int) -> str:
    columns = facts.counts.columns
    return "the pixels" if columns.pixels else repr(columns.names[column])


def _finding(check: str, observed: float, limit: float, detail: str) -> QualityFinding:
    return QualityFinding(check=check, passed=observed <= limit, observed=observed, limit=limit, detail=detail)
