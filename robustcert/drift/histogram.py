"""Counts of a column that take memory constant in rows: what all tests of columns compare.

Numbers fall into fine cells that the reference's quantiles cut, so that each holds about 1/1024 of the reference; a
value that the reference repeats often gets a cell of its own, and what lies below or above the reference has one cell
each. Categories are those of the reference, with one more cell for what it did not hold. Reference and window are
counted in the same cells, batch by batch, in any order and by any number of processes: counts add up (`merge`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from robustcert.drift.moments import Moments, moments_of
from robustcert.errors import DataError, expected

BINS = 1024  # a binned distance of distribution functions is at most 1/1024 below the exact one
MOST_CATEGORIES = 1000
MOST_UNSEEN = 1000  # names kept of categories that the reference did not hold; all of them are counted
UNSEEN = "(not in the reference)"


@dataclass(frozen=True, kw_only=True, eq=False)
class NumberBins:
    """Cells of a number: below `edges_E[0]`, [edges_E[i], edges_E[i+1]) for each i, at least `edges_E[-1]`."""

    edges_E: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.edges_E) + 1

    def same_as(self, other: object) -> bool:
        return isinstance(other, NumberBins) and np.array_equal(self.edges_E, other.edges_E)


@dataclass(frozen=True, kw_only=True)
class Categories:
    """Cells of a category: one for each of `labels`, and a last one for everything else."""

    labels: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.labels) + 1

    def same_as(self, other: object) -> bool:
        return self == other


Cells = NumberBins | Categories


def number_bins(sample: ArrayLike, *, bins: int = BINS) -> NumberBins:
    """Cells of equal mass on `sample`, numbers of the reference (100,000 are plenty); nulls and infinities don't count.

    Where `sample` has at most `bins / 2` different values each of them is a cell: counts then lose nothing.
    """
    if bins < 2:
        raise DataError(expected("at least 2 bins", got=bins, remedy=f"the usual number is {BINS}"))
    values = _numbers(sample)
    values = np.sort(values[np.isfinite(values)])
    if not len(values):
        return NumberBins(edges_E=np.empty(0))
    distinct = np.unique(values)
    if len(distinct) <= bins // 2:
        return NumberBins(edges_E=_with_own_cells(distinct, distinct))
    quantiles, times = np.unique(np.quantile(values, np.linspace(0, 1, bins + 1)), return_counts=True)
    return NumberBins(edges_E=_with_own_cells(quantiles, np.append(quantiles[times > 1], distinct[-1])))


def categories(sample: Sequence[Any] | NDArray[Any], *, most: int = MOST_CATEGORIES) -> Categories:
    """The labels of `sample`, values of the reference, the `most` frequent of them; nulls don't count."""
    counts, _ = _labels(sample)
    ranked = sorted(counts, key=lambda label: (-counts[label], label))
    return Categories(labels=tuple(sorted(ranked[:most])))


@dataclass(kw_only=True, eq=False)
class ColumnCounts:
    """How many values fell into each cell, how many were null; of numbers also mean and spread.

    `counts` has one entry for each of `cells`; `n` is their sum, without `nulls`.
    """

    cells: Cells
    counts: NDArray[np.int64] = field(init=False)
    nulls: int = field(default=0, init=False)
    moments: Moments = field(default=Moments(), init=False)
    unseen: Counter[str] = field(default_factory=Counter, init=False)

    def __post_init__(self) -> None:
        self.counts = np.zeros(len(self.cells), dtype=np.int64)

    @property
    def n(self) -> int:
        return int(self.counts.sum())

    def add(self, values: Sequence[Any] | NDArray[Any]) -> ColumnCounts:
        """Counts one batch; itself again. DataError where numbers were expected and text came."""
        if isinstance(self.cells, NumberBins):
            self._add_numbers(_numbers(values), self.cells.edges_E)
        else:
            self._add_labels(values, self.cells.labels)
        return self

    def merge(self, other: ColumnCounts) -> ColumnCounts:
        """Adds what `other` counted in the same cells; itself again. DataError where its cells are others."""
        if not self.cells.same_as(other.cells):
            raise DataError(expected("counts in the same cells", got="others", remedy="cut both by one reference"))
        self.counts += other.counts
        self.nulls += other.nulls
        self.moments = self.moments.merge(other.moments)
        self._add_unseen(other.unseen)
        return self

    def _add_numbers(self, values: NDArray[np.float64], edges_E: NDArray[np.float64]) -> None:
        """Sorted once, a batch is cut by looking for 1,024 edges in it, not for each value among the edges."""
        ordered = np.sort(values)
        nulls_at = int(np.searchsorted(ordered, np.nan))
        self.nulls += len(ordered) - nulls_at
        ordered = ordered[:nulls_at]
        cuts = np.searchsorted(ordered, edges_E)
        self.counts += np.diff(cuts, prepend=0, append=nulls_at)
        finite = ordered[np.searchsorted(ordered, -np.inf, "right") : np.searchsorted(ordered, np.inf)]
        self.moments = self.moments.merge(moments_of(finite))

    def _add_labels(self, values: Sequence[Any] | NDArray[Any], labels: tuple[str, ...]) -> None:
        counts, nulls = _labels(values)
        self.nulls += nulls
        self.counts[:-1] += [counts.pop(label, 0) for label in labels]
        self.counts[-1] += counts.total()
        self._add_unseen(counts)

    def _add_unseen(self, counts: Counter[str]) -> None:
        for label, times in counts.items():
            if label in self.unseen or len(self.unseen) < MOST_UNSEEN:
                self.unseen[label] += times


def category_counts(
    reference: ColumnCounts, window: ColumnCounts
) -> tuple[tuple[str, ...], NDArray[np.int64], NDArray[np.int64], tuple[int, int]]:
    """Labels of either sample, how often both hold each, and how many rows of both have labels that were not kept.

    A label that came up in the window only is a cell like any other. One cell for all of them would hold none of the
    reference's rows by construction, and so find drift wherever there are rare labels.
    """
    assert isinstance(reference.cells, Categories)
    more = tuple(sorted(reference.unseen.keys() | window.unseen.keys()))
    both = []
    for sample in (reference, window):
        added = np.array([sample.unseen[label] for label in more], dtype=np.int64)
        both.append((np.append(sample.counts[:-1], added), int(sample.counts[-1] - added.sum())))
    return (*reference.cells.labels, *more), both[0][0], both[1][0], (both[0][1], both[1][1])


def _with_own_cells(edges: NDArray[np.float64], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """`edges`, and just above each of `values` one more: [v, next number) holds v and nothing else."""
    return np.unique(np.concatenate([edges, np.nextafter(values, np.inf)]))


def _numbers(values: ArrayLike) -> NDArray[np.float64]:
    try:
        return np.asarray(values, dtype=np.float64).ravel()
    except (TypeError, ValueError) as error:
        remedy = "count text as categories, or clean the column"
        raise DataError(expected("a column of numbers", got=str(error), remedy=remedy)) from error


def _labels(values: Sequence[Any] | NDArray[Any]) -> tuple[Counter[str], int]:
    """How often each label came, and how many values were null (None or not a number)."""
    found: Counter[str] = Counter()
    nulls = 0
    for value, times in _distinct(values).items():
        if value is None or value != value:
            nulls += times
        else:
            found[_label(value)] += times
    return found, nulls


def _distinct(values: Sequence[Any] | NDArray[Any]) -> Counter[Any]:
    if isinstance(values, np.ndarray) and values.dtype.kind in "biuf":
        distinct, times = np.unique(values, return_counts=True)
        return Counter(dict(zip(distinct.tolist(), times.tolist(), strict=True)))
    return Counter(values.tolist() if isinstance(values, np.ndarray) else values)


def _label(value: object) -> str:
    """A whole number reads the same whether it came as 1 or, for a null elsewhere in its column, as 1.0."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
