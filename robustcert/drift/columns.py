"""Which columns drifted: one test or more for each, corrected for how many there are.

Two gates stand beside significance: with few rows nothing is tested (and the result says so), and with many rows a
difference also has to be worth an alarm, since then every real column differs significantly from itself a week ago.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from robustcert.drift.column_methods import FOR_CATEGORIES, FOR_NUMBERS, METHODS, Pair, measure_of
from robustcert.drift.effect_size import standardised_mean_difference
from robustcert.drift.histogram import ColumnCounts, category_counts
from robustcert.drift.multiplicity import Correction, adjusted_p_values, level
from robustcert.drift.thresholds import DriftTest, Measurement, Signal, decide, not_tested, require_alpha
from robustcert.errors import DataError, InputError, expected

__all__ = ["DEFAULT_METHODS", "TOO_FEW", "DriftTest", "column_tests"]

ALPHA = 0.01
MINIMUM_ROWS = 100
MINIMUM_EFFECT = 0.1  # half of what Cohen calls a small shift
TOO_FEW = "too few rows"
DEFAULT_METHODS = ("anderson_darling", "chi_square", "nulls")


def column_tests(
    reference: Mapping[str, ColumnCounts],
    window: Mapping[str, ColumnCounts],
    *,
    alpha: float = ALPHA,
    minimum_rows: int = MINIMUM_ROWS,
    minimum_effect: float = MINIMUM_EFFECT,
    correction: Correction = "holm",
    methods: Sequence[str] = DEFAULT_METHODS,
    signal: Signal = "features",
) -> list[DriftTest]:
    """One result for each column and each of `methods` that applies to it, in the order of `reference`.

    `alpha` is the error rate of all results together, as `correction` understands it. A sample of fewer than
    `minimum_rows` values that are not null is not tested. `minimum_effect` is in the unit of the result's
    `effect_name`: standard deviations of a normal column (`equivalent_shift`), or Cramer's V. Methods for numbers are
    anderson_darling, ks, psi and js; for categories chi_square, psi and js; "nulls" compares the shares of nulls of a
    column that has any.

    DataError where the columns, or the cells of one, differ; InputError for an unknown method, and for a column to
    which none applies.
    """
    require_alpha(alpha)
    pairs = list(_pairs(reference, window))
    _require_methods(pairs, methods)
    plans = [plan for pair, method in product(pairs, methods) for plan in _plans(pair, method, minimum_rows)]
    measured = [plan.found.p_value for plan in plans if plan.found]
    adjusted = iter(adjusted_p_values(measured, correction=correction).tolist())
    cut = level(measured, alpha=alpha, correction=correction)
    gates = _Gates(signal=signal, alpha=cut, minimum_effect=minimum_effect)
    return [gates.result(plan, next(adjusted) if plan.found else None) for plan in plans]


@dataclass(frozen=True, kw_only=True)
class _Plan:
    """A test that is to be judged, or (`found` is None) one that could not be made."""

    pair: Pair
    method: str
    found: Measurement | None


@dataclass(frozen=True, kw_only=True)
class _Gates:
    """What a measurement is judged by."""

    signal: Signal
    alpha: float
    minimum_effect: float

    def result(self, plan: _Plan, adjusted_p: float | None) -> DriftTest:
        column, method = plan.pair.column, plan.method
        if plan.found is None:
            n, m = plan.pair.sizes(method)
            return not_tested(signal=self.signal, column=column, method=method, n=n, m=m, note=TOO_FEW)
        return decide(
            plan.found,
            signal=self.signal,
            column=column,
            method=method,
            alpha=self.alpha,
            minimum_effect=self.minimum_effect,
            adjusted_p=adjusted_p,
            note=_change(plan.pair, method),
        )


def _plans(pair: Pair, method: str, minimum_rows: int) -> Iterator[_Plan]:
    measure = measure_of(pair, method)
    if measure is not None:
        enough = min(pair.sizes(method)) >= max(1, minimum_rows)
        yield _Plan(pair=pair, method=method, found=measure(pair) if enough else None)


def _pairs(reference: Mapping[str, ColumnCounts], window: Mapping[str, ColumnCounts]) -> Iterator[Pair]:
    if reference.keys() != window.keys():
        differing = ", ".join(sorted(reference.keys() ^ window.keys()))
        remedy = "count the same columns of both"
        raise DataError(expected("the reference's columns", got=f"others; only one has {differing}", remedy=remedy))
    for column, counts in reference.items():
        if not counts.cells.same_as(window[column].cells):
            remedy = "cut both by the reference"
            raise DataError(expected(f"column {column!r} counted in the same cells", got="others", remedy=remedy))
        yield Pair(column=column, reference=counts, window=window[column])


def _require_methods(pairs: Sequence[Pair], methods: Sequence[str]) -> None:
    for method in methods:
        if method not in METHODS:
            raise InputError(expected(f"one of {', '.join(METHODS)}", got=repr(method), remedy="choose among them"))
    for pair in pairs:
        fitting = FOR_NUMBERS if pair.is_number else FOR_CATEGORIES
        if not fitting.keys() & set(methods):
            what = f"a method for {pair.column!r} (one of {', '.join(fitting)})"
            raise InputError(expected(what, got=", ".join(methods), remedy="add one"))


def _change(pair: Pair, method: str) -> str:
    """What a person would say first about how the window differs."""
    if method == "nulls":
        before, after = (counts.nulls / (counts.n + counts.nulls) for counts in (pair.reference, pair.window))
        return f"share of nulls {before:.3f} to {after:.3f}"
    return _number_change(pair) if pair.is_number else _category_change(pair)


def _number_change(pair: Pair) -> str:
    before, after = pair.reference.moments, pair.window.moments
    spread = f"{after.deviation / before.deviation:.2f}" if before.deviation else "any"
    return f"mean {standardised_mean_difference(before, after):+.2f} sd, spread x {spread}"


def _category_change(pair: Pair) -> str:
    """Of the label whose share changed most; the pair's cells hold at least one."""
    labels, a_K, b_K, _ = category_counts(pair.reference, pair.window)
    before_K, after_K = a_K / pair.reference.n, b_K / pair.window.n
    place = int(np.abs(after_K - before_K).argmax())
    return f"share of {labels[place]} {before_K[place]:.3f} to {after_K[place]:.3f}"
