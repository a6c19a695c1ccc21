"""Near duplicates between two sets of rows: exact, in bounded memory, by blocks of matrix products.

Rows within a distance of each other also lie within it when projected on orthonormal axes. So both sets are projected
on the references' few main axes and sorted along the first; a block of queries meets only the references of its
window, and only rows that are near on all axes are compared in full. Full distances come from |a|^2 + |b|^2 - 2ab;
where that is too close to the limit for its rounding error, the difference itself decides.
Shapes: N rows of a set, B queries of a block, R references of a chunk, D coordinates, K axes; at most BLOCK + CHUNK
rows and BLOCK x CHUNK distances are held at a time.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

BLOCK = 1024
CHUNK = 4096
AXES = 16
SAMPLE = 256  # references from which the axes are taken
SLACK = 1e-9  # relative, on projections only; more of it costs time, never exactness

Float64 = NDArray[np.float64]
Index = NDArray[np.int64]
Rows = Callable[[Index], Float64]


@dataclass(frozen=True, kw_only=True)
class Projected:
    """Indices (N,) of rows, and the rows along the main axes (N, K)."""

    index: Index
    along: Float64

    def at(self, where: slice | NDArray[np.bool_] | Index) -> Projected:
        """Some of the rows."""
        return Projected(index=self.index[where], along=self.along[where])


def has_near_duplicate(queries: Index, references: Index, *, rows: Rows, distance: float) -> NDArray[np.bool_]:
    """Which queries, bool (len(queries),), have a reference with sqrt(mean_D((query - reference)^2)) <= distance.

    `rows(index)` gives the rows of these indices as float64 (len(index), D), all finite.
    """
    found = np.zeros(len(queries), dtype=np.bool_)
    if not len(queries) or not len(references):
        return found
    axes_DK = _main_axes(rows(references[:: max(1, len(references) // SAMPLE)][:SAMPLE]))
    sorted_references = _sorted(_project(references, rows, axes_DK))
    projected = _project(queries, rows, axes_DK)
    reach = distance * math.sqrt(len(axes_DK))
    for block in _pieces(np.argsort(projected.along[:, 0]), BLOCK):
        near = sorted_references.at(_window(projected.along[block, 0], sorted_references.along[:, 0], reach=reach))
        found[block] = _search(projected.at(block), near, rows=rows, reach=reach, distance=distance)
    return found


def _main_axes(sample_SD: Float64) -> Float64:
    """Orthonormal axes (D, K), those of largest variance in a sample first; found through its S x S Gram matrix."""
    centred_SD = sample_SD - sample_SD.mean(axis=0)
    _, vectors = np.linalg.eigh(centred_SD @ centred_SD.T)
    axes_DK, _ = np.linalg.qr(centred_SD.T @ vectors[:, ::-1][:, :AXES])
    return np.asarray(axes_DK)


def _project(index: Index, rows: Rows, axes_DK: Float64) -> Projected:
    return Projected(index=index, along=np.concatenate([rows(piece) @ axes_DK for piece in _pieces(index, CHUNK)]))


def _sorted(projected: Projected) -> Projected:
    return projected.at(np.argsort(projected.along[:, 0]))


def _pieces(index: Index, size: int) -> Iterator[Index]:
    return (index[start : start + size] for start in range(0, len(index), size))


def _window(along_B: Float64, along_N: Float64, *, reach: float) -> slice:
    slack = SLACK * (1 + reach + float(np.abs(along_N[[0, -1]]).max()))
    low = np.searchsorted(along_N, along_B.min() - reach - slack, side="left")
    high = np.searchsorted(along_N, along_B.max() + reach + slack, side="right")
    return slice(int(low), int(high))


def _search(block: Projected, references: Projected, *, rows: Rows, reach: float, distance: float) -> NDArray[np.bool_]:
    found_B = np.zeros(len(block.index), dtype=np.bool_)
    for start in range(0, len(references.index), CHUNK):
        open_B = np.flatnonzero(~found_B)
        chunk, queries = references.at(slice(start, start + CHUNK)), block.at(open_B)
        near_BR = _near_on_axes(queries.along, chunk.along, reach=reach)
        some_B, some_R = near_BR.any(axis=1), near_BR.any(axis=0)
        if some_B.any():
            queries_BD, chunk_RD = rows(queries.index[some_B]), rows(chunk.index[some_R])
            found_B[open_B[some_B]] = _matches(queries_BD, chunk_RD, distance=distance)
    return found_B


def _near_on_axes(queries_BK: Float64, chunk_RK: Float64, *, reach: float) -> NDArray[np.bool_]:
    squares_BR, size = _squared_distances(queries_BK, chunk_RK)
    return np.asarray(squares_BR <= reach**2 + SLACK * (1 + size))


def _matches(queries_BD: Float64, chunk_RD: Float64, *, distance: float) -> NDArray[np.bool_]:
    limit = distance**2 * queries_BD.shape[1]
    squares_BR, size = _squared_distances(queries_BD, chunk_RD)
    error = _rounding_error(queries_BD.shape[1], size + limit)
    found_B = np.asarray((squares_BR < limit - error).any(axis=1))
    for query in np.flatnonzero(~found_B & (squares_BR <= limit + error).any(axis=1)):
        near_RD = chunk_RD[squares_BR[query] <= limit + error] - queries_BD[query]
        found_B[query] = bool(np.any(np.sqrt((near_RD**2).mean(axis=1)) <= distance))
    return found_B


def _squared_distances(a_BD: Float64, b_RD: Float64) -> tuple[Float64, float]:
    """Squared distances (B, R), and the size of the squares that they are made of."""
    squares_B, squares_R = (a_BD**2).sum(axis=1), (b_RD**2).sum(axis=1)
    squares_BR = a_BD @ b_RD.T
    squares_BR *= -2
    squares_BR += squares_B[:, None]
    squares_BR += squares_R
    return squares_BR, float(squares_B.max(initial=0) + squares_R.max(initial=0))


def _rounding_error(dimension: int, size: float) -> float:
    """Bound of the error of a float64 sum of 3 D products whose squares add up to `size` (Higham 2002, section 3.1)."""
    return 4 * (dimension + 4) * float(np.finfo(np.float64).eps) * size
