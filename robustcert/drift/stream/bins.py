"""Bins of one quantity: where a value falls, and edges that give each bin about the same share of a reference.

With edges e_1 < ... < e_m there are m + 1 bins: values below e_1, from e_i up to but not including e_(i+1), and from
e_m on. Edges lie between values of the reference, so that no bin of it is empty and the last bits of a value decide
nothing. Shapes: N values of the reference.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from robustcert.errors import DataError, expected

MOST_BINS = 10
FEWEST_ROWS = 10  # of the reference in each bin: fewer say little about its share
DIGITS = 6  # significant ones of an edge

Float64 = NDArray[np.float64]


def bin_of(value: float, edges: Sequence[float]) -> int:
    """Number of the bin of a value, from 0.

    >>> [bin_of(value, (1.0, 2.0)) for value in (0.5, 1.0, 2.5)]
    [0, 1, 2]
    """
    return bisect_right(edges, value)


def equal_mass_edges(values_N: Float64, *, most: int = MOST_BINS) -> tuple[float, ...]:
    """Edges of at most `most` bins that the values fill about equally; fewer where values tie or rows are few.

    DataError where a value is missing or there is none.
    """
    sorted_N = np.sort(values_N)
    if not (sorted_N.size and np.isfinite(sorted_N).all()):
        got = "NaN or infinity" if sorted_N.size else "none"
        raise DataError(expected("finite values to make bins of", got=got, remedy="check model and data set"))
    bins = max(1, min(most, len(sorted_N) // FEWEST_ROWS))
    found = {_edge(sorted_N, round(number * len(sorted_N) / bins)) for number in range(1, bins)}
    return _without_empty_bins(sorted_N, sorted(edge for edge in found if edge is not None))


def counts_in(values_N: Float64, edges: Sequence[float]) -> tuple[int, ...]:
    """How many values fall into each bin."""
    bins_N = np.searchsorted(np.asarray(edges, dtype=np.float64), values_N, side="right")
    return tuple(np.bincount(bins_N, minlength=len(edges) + 1).tolist())


def shares(counts: Sequence[int]) -> tuple[float, ...]:
    """Each count as a share of all, 0 to 1."""
    total = sum(counts)
    return tuple(count / total for count in counts)


def _edge(sorted_N: Float64, place: int) -> float | None:
    """An edge just below the run of equal values at `place`, None where the run begins with the first value."""
    start = int(np.searchsorted(sorted_N, sorted_N[place], side="left"))
    return _rounded((sorted_N[start - 1] + sorted_N[start]) / 2) if start else None


def _rounded(value: float) -> float:
    """The value with DIGITS significant digits, so that the last bits of a platform's logits move no edge."""
    return float(f"{value:.{DIGITS - 1}e}")


def _without_empty_bins(sorted_N: Float64, edges: list[float]) -> tuple[float, ...]:
    """Edges with at least one value between any two, below the first and from the last on."""
    below = [0, *np.searchsorted(sorted_N, edges, side="left").tolist()]
    kept = [edge for edge, (before, after) in zip(edges, pairwise(below), strict=True) if before < after]
    return tuple(edge for edge in kept if edge <= sorted_N[-1])
