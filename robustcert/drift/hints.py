"""What changed? Ranked hints at the cause of drift: which model or data version, feature, slice, with its effect size.

A hint is a place to look first, not a finding: it never decides anything. Each kind of cause is one small function;
together they are a list that can be read aloud. Effects are from 0 to 1, so that unlike causes can be ranked.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np

from robustcert.drift.quality import QualityFinding, ReferenceColumns, spread_factors
from robustcert.drift.quality_counts import ColumnFacts
from robustcert.drift.segments import Segment
from robustcert.drift.slices import SliceShift
from robustcert.drift.thresholds import DriftTest

MOST_HINTS = 10
MOST_PAIRED = 100  # columns looked at for pairs that were swapped
FEWEST_ROWS = 30
SMALLEST_SHIFT = 0.5  # spreads of the reference
SWAPPED = 0.2  # spreads within which a column looks like another one
SAME_FACTOR = 0.1  # relative, between the factors of mean and spread

# Factors between units that get mixed up. Temperatures need an offset too and are recognised by their spread alone.
UNITS = {
    1000.0: "a factor of 1000, as between milli- and whole units",
    100.0: "a factor of 100, as between per cent and shares",
    10.0: "a factor of 10, as between millimetres and centimetres",
    60.0: "a factor of 60, as between minutes and seconds",
    3600.0: "a factor of 3600, as between hours and seconds",
    255.0: "a factor of 255, as between pixels and shares",
    16.0: "a factor of 16, as between counts of a 4x4 block and shares",
    2.54: "a factor of 2.54, as between inches and centimetres",
    25.4: "a factor of 25.4, as between inches and millimetres",
    2.2046: "a factor of 2.2, as between kilograms and pounds",
    1.6093: "a factor of 1.6, as between miles and kilometres",
}

Kind = Literal["model", "data", "quality", "feature", "slice", "accuracy"]


@dataclass(frozen=True, kw_only=True)
class Hint:
    """What may have changed. `subject`: a column, a slice or a version; `effect`, from 0 to 1, ranks it."""

    kind: Kind
    subject: str
    effect: float
    text: str


@dataclass(frozen=True, kw_only=True)
class HintFacts:
    """What hints are made of; whatever is not known is empty or None.

    `tests`: of columns. `models`, `data_versions`: rows that each version answered or produced, by its name in the log;
    `certified_model` is a SHA-256.
    """

    tests: Sequence[DriftTest] = ()
    columns: ColumnFacts | None = None
    reference: ReferenceColumns | None = None
    quality: Sequence[QualityFinding] = ()
    slices: Sequence[SliceShift] = ()
    segments: Sequence[Segment] = ()
    models: Mapping[str, int] | None = None
    certified_model: str = ""
    data_versions: Mapping[str, int] | None = None


def ranked_hints(facts: HintFacts, *, most: int = MOST_HINTS) -> tuple[Hint, ...]:
    """The hints with the largest effects first, at most one for each kind and subject."""
    found: dict[tuple[Kind, str], Hint] = {}
    for hints in HINTS:
        for hint in hints(facts):
            found.setdefault((hint.kind, hint.subject), hint)
    return tuple(sorted(found.values(), key=lambda hint: (-hint.effect, hint.kind, hint.subject))[:most])


def _other_models(facts: HintFacts) -> Iterator[Hint]:
    """Rows that another model than the certified one answered."""
    total = sum((facts.models or {}).values())
    for model, rows in (facts.models or {}).items():
        if model != facts.certified_model:
            text = f"{rows} of {total} rows were answered by model {model[:12]}, not by the certified one"
            yield Hint(kind="model", subject=model[:12], effect=rows / total, text=text)


def _swapped(facts: HintFacts) -> Iterator[Hint]:
    """Two columns each of which looks like the other one did."""
    if facts.columns is None or facts.reference is None or facts.columns.pixels:
        return
    moved = _moved(facts)[:MOST_PAIRED]
    for one, other in combinations(moved, 2):
        apart = max(_unlike(facts, one, other), _unlike(facts, other, one))
        if apart < SWAPPED and min(_unlike(facts, one, one), _unlike(facts, other, other)) > SMALLEST_SHIFT:
            names = [facts.columns.names[column] for column in (one, other)]
            text = f"{names[0]!r} and {names[1]!r} look swapped: each has the mean and spread of the other's reference"
            for name in names:
                yield Hint(kind="feature", subject=name, effect=1.0, text=text)


def _units(facts: HintFacts) -> Iterator[Hint]:
    """A column, or all pixels together, whose mean and spread moved by one well-known factor."""
    for name, of_spread, of_mean in _factors(facts):
        for unit, words in UNITS.items():
            close = math.isclose(max(of_spread, 1 / of_spread), unit, rel_tol=SAME_FACTOR)
            if close and math.isclose(of_mean, of_spread, rel_tol=SAME_FACTOR):
                text = f"{name!r} may be in another unit: mean and spread moved by {of_spread:.4g}, {words}"
                yield Hint(kind="feature", subject=name, effect=1.0, text=text)


def _quality(facts: HintFacts) -> Iterator[Hint]:
    """Checks of the data's quality that failed."""
    for finding in facts.quality:
        if not finding.passed:
            excess = 1.0 if finding.limit == 0 else 1 - finding.limit / max(finding.observed, finding.limit)
            yield Hint(kind="quality", subject=finding.check, effect=excess, text=f"{finding.check}: {finding.detail}")


def _slices(facts: HintFacts) -> Iterator[Hint]:
    """A segment, model or data version in which a column lies off the reference, while elsewhere it does not."""
    if facts.reference is None:
        return
    for found in facts.slices:
        apart = np.nan_to_num(np.abs(found.inside) - np.abs(found.outside))
        column = int(np.argmax(apart))
        if found.rows < FEWEST_ROWS or apart[column] < max(SMALLEST_SHIFT, 5 / math.sqrt(found.rows)):
            continue
        text = (
            f"{found.kind} {found.name!r} ({found.rows} of {found.rows + found.others} rows): "
            f"{facts.reference.names[column]!r} lies {found.inside[column]:+.2f} spreads off the reference, "
            f"elsewhere {found.outside[column]:+.2f}"
        )
        kind: Kind = "data" if found.kind == "data version" else "slice"
        yield Hint(kind=kind, subject=f"{found.kind} {found.name}", effect=_squashed(apart[column]), text=text)


def _segment_accuracy(facts: HintFacts) -> Iterator[Hint]:
    """Segments that are surely less accurate than certified."""
    for segment in facts.segments:
        if segment.drifted and segment.of:
            wrong = 1 - (segment.correct or 0) / segment.of
            text = (
                f"segment {segment.segment!r} is less accurate than certified: {segment.correct} of {segment.of} right"
            )
            yield Hint(kind="accuracy", subject=segment.segment, effect=wrong, text=text)


def _data_versions(facts: HintFacts) -> Iterator[Hint]:
    """More than one data version in one window."""
    versions = facts.data_versions or {}
    if len(versions) > 1:
        total, named = sum(versions.values()), sorted(versions, key=lambda name: -versions[name])
        parts = ", ".join(f"{name} ({versions[name]} rows)" for name in named[:5])
        share = 1 - versions[named[0]] / total
        yield Hint(kind="data", subject="versions", effect=share, text=f"{len(versions)} data versions: {parts}")


def _drifted_columns(facts: HintFacts) -> Iterator[Hint]:
    """Columns that drifted, each by its largest effect."""
    largest: dict[str, DriftTest] = {}
    for test in facts.tests:
        if test.drifted and (test.column not in largest or abs(test.effect) > abs(largest[test.column].effect)):
            largest[test.column] = test
    for column, test in largest.items():
        moved = _movement(facts, column)
        text = f"{column!r} drifted: {test.effect_name} {test.effect:.3g}{moved}"
        yield Hint(kind="feature", subject=column, effect=_squashed(abs(test.effect)), text=text)


# The more specific a cause, the earlier: of hints at one column the first is kept.
HINTS: tuple[Callable[[HintFacts], Iterator[Hint]], ...] = (
    _other_models,
    _swapped,
    _units,
    _quality,
    _slices,
    _segment_accuracy,
    _data_versions,
    _drifted_columns,
)


def _factors(facts: HintFacts) -> Iterator[tuple[str, float, float]]:
    """Name of each moved column, and the factors between window and reference of its spread and of its mean."""
    here, there = facts.columns, facts.reference
    if here is None or there is None:
        return
    if here.pixels:
        of_spread, of_mean = float(spread_factors(here, there)[0]), _ratio(np.nansum(here.mean), np.nansum(there.mean))
        yield "the pixels", of_spread, of_mean
        return
    for column in _moved(facts):
        yield here.names[column], _ratio(here.spread[column], there.spread[column]), _ratio(
            here.mean[column], there.mean[column]
        )  # fmt: skip


def _ratio(here: float, there: float) -> float:
    return float(here / there) if there else math.nan


def _moved(facts: HintFacts) -> list[int]:
    """Numeric columns whose mean or spread left the reference."""
    assert facts.columns is not None
    assert facts.reference is not None
    here, there = facts.columns, facts.reference
    known = (there.spread > 0) & (here.spread > 0) & np.isfinite(here.mean)
    return [int(column) for column in np.flatnonzero(known) if _unlike(facts, int(column), int(column)) > SWAPPED]


def _unlike(facts: HintFacts, here: int, there: int) -> float:
    """How far a window's column is from a column of the reference: in mean, by its spread, and in log spread."""
    assert facts.columns is not None
    assert facts.reference is not None
    spread = float(facts.reference.spread[there])
    shift = abs(float(facts.columns.mean[here]) - float(facts.reference.mean[there])) / spread
    return max(shift, abs(math.log(float(facts.columns.spread[here]) / spread)))


def _movement(facts: HintFacts, column: str) -> str:
    if facts.columns is None or facts.reference is None or column not in facts.columns.names:
        return ""
    place = facts.columns.names.index(column)
    here, there = float(facts.columns.mean[place]), float(facts.reference.mean[place])
    return "" if math.isnan(there) or math.isnan(here) else f", mean {there:.4g} in the reference, {here:.4g} here"


def _squashed(effect: float) -> float:
    """A size from 0 on as a number from 0 to 1.

    >>> _squashed(0.0), _squashed(1.0)
    (0.0, 0.5)
    """
    return float(effect / (1 + effect))
