"""The methods that compare one column of the reference with the same column of the window, by name.

Each takes the groups that suit it: Anderson-Darling and Kolmogorov-Smirnov the fine cells, PSI and JS up to ten groups
of equal mass, chi-square the categories. PSI and JS follow their law later than chi-square does: they need more rows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from robustcert.drift.anderson_darling import anderson_darling_measurement
from robustcert.drift.chi_square import chi_square_measurement
from robustcert.drift.grouping import Counts, by_mass, equal_levels, grouped, merge_neighbours, merge_rare
from robustcert.drift.histogram import ColumnCounts, NumberBins, category_counts
from robustcert.drift.js import js_measurement
from robustcert.drift.ks import ks_measurement
from robustcert.drift.psi import psi_measurement
from robustcert.drift.thresholds import Measurement

GROUPS = 10
LEAST_EXPECTED = 20  # rows of the smaller sample in a group of PSI and JS; half as many where ties make groups unequal


@dataclass(frozen=True, kw_only=True)
class Pair:
    """One column of both samples, counted in the same cells."""

    column: str
    reference: ColumnCounts
    window: ColumnCounts

    @property
    def is_number(self) -> bool:
        return isinstance(self.reference.cells, NumberBins)

    def sizes(self, method: str) -> tuple[int, int]:
        """Rows that `method` compares: those with a value, or all."""
        both = self.reference, self.window
        nulls = method == "nulls"
        n, m = (counts.n + nulls * counts.nulls for counts in both)
        return n, m


_Measure = Callable[[Pair], Measurement]
_OfGroups = Callable[[Counts, Counts], Measurement]


def _fine(measure: _OfGroups) -> _Measure:
    return lambda pair: measure(pair.reference.counts, pair.window.counts)


def _equal_groups(measure: _OfGroups) -> _Measure:
    def of_pair(pair: Pair) -> Measurement:
        a_K, b_K = pair.reference.counts, pair.window.counts
        groups = max(2, min(GROUPS, min(pair.reference.n, pair.window.n) // LEAST_EXPECTED))
        both = grouped(a_K, b_K, by_mass(a_K, equal_levels(groups)))
        return measure(*merge_neighbours(*both, least=LEAST_EXPECTED / 2))

    return of_pair


def _frequent(measure: _OfGroups) -> _Measure:
    def of_pair(pair: Pair) -> Measurement:
        _, a_K, b_K, rest = category_counts(pair.reference, pair.window)
        both = grouped(a_K, b_K, np.arange(len(a_K)))
        return measure(*merge_rare(*both, rest=rest, least=LEAST_EXPECTED))

    return of_pair


def _chi_square(pair: Pair) -> Measurement:
    _, a_K, b_K, rest = category_counts(pair.reference, pair.window)
    return chi_square_measurement(a_K, b_K, rest=rest)


def _nulls(pair: Pair) -> Measurement:
    a_2, b_2 = (np.array([counts.n, counts.nulls]) for counts in (pair.reference, pair.window))
    return chi_square_measurement(a_2, b_2)


FOR_NUMBERS: Mapping[str, _Measure] = {
    "anderson_darling": _fine(anderson_darling_measurement),
    "ks": _fine(ks_measurement),
    "psi": _equal_groups(psi_measurement),
    "js": _equal_groups(js_measurement),
}
FOR_CATEGORIES: Mapping[str, _Measure] = {
    "chi_square": _chi_square,
    "psi": _frequent(psi_measurement),
    "js": _frequent(js_measurement),
}
METHODS = (*FOR_NUMBERS, "chi_square", "nulls")


def measure_of(pair: Pair, method: str) -> _Measure | None:
    """What takes `method`'s measurement of `pair`, or None where it does not apply.

    "nulls" applies where there are any: a column without nulls has nothing to test, and takes no share of alpha.
    """
    if method == "nulls":
        return _nulls if pair.reference.nulls + pair.window.nulls else None
    return (FOR_NUMBERS if pair.is_number else FOR_CATEGORIES).get(method)
