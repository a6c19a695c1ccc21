"""Near duplicates between two sets of rows: exact, in bounded memory, by blocks of matrix products.

Rows within a distance of each other also lie within it along any direction (Cauchy-Schwarz). So both sets are sorted
along the references' main direction, and a block of queries meets only the references of its window. Distances come
from |a|^2 + |b|^2 - 2ab; where that is too close to the limit for its rounding error, the difference itself decides.
Shapes: Q queries, R references, D coordinates; at most BLOCK x D and CHUNK x D values are held at a time.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

BLOCK = 1024
CHUNK = 4096
SAMPLE = 256
SLACK = 1e-9  # relative, on windows only; a wider window costs time, never exactness

Float64 = NDArray[np.float64]
Index = NDArray[np.int64]
Rows = Callable[[Index], Float64]


def has_near_duplicate(queries: Index, references: Index, *, rows: Rows, distance: float) -> NDArray[np.bool_]:
    """Which queries, bool (Q,), have a reference with sqrt(mean_D((query - reference)^2)) <= distance.

    `rows(index)` gives the rows of these indices as float64 (len(index), D), all finite.
    """
    found = np.zeros(len(queries), dtype=np.bool_)
    if not len(queries) or not len(references):
        return found
    direction_D = _main_direction(rows(references[:: max(1, len(references) // SAMPLE)][:SAMPLE]))
    along_Q, along_R = _project(queries, rows, direction_D), _project(references, rows, direction_D)
    references, along_R = references[np.argsort(along_R)], np.sort(along_R)
    reach = distance * math.sqrt(len(direction_D))
    order = np.argsort(along_Q)
    for block in (order[start : start + BLOCK] for start in range(0, len(order), BLOCK)):
        window = _window(along_Q[block], along_R, reach=reach)
        found[block] = _search(rows(queries[block]), references[window], rows=rows, distance=distance)
    return found


def _main_direction(sample_SD: Float64) -> Float64:
    """Unit vector (D,) of largest variance in a sample; found through its S x S Gram matrix."""
    centred_SD = sample_SD - sample_SD.mean(axis=0)
    _, vectors = np.linalg.eigh(centred_SD @ centred_SD.T)
    direction_D = centred_SD.T @ vectors[:, -1]
    norm = float(np.linalg.norm(direction_D))
    return np.asarray(direction_D / norm if norm > 0 else np.eye(1, len(direction_D))[0])


def _project(index: Index, rows: Rows, direction_D: Float64) -> Float64:
    parts = [rows(chunk) @ direction_D for chunk in _chunks(index)]
    return np.concatenate(parts)


def _chunks(index: Index) -> Iterator[Index]:
    return (index[start : start + CHUNK] for start in range(0, len(index), CHUNK))


def _window(along_block: Float64, along_R: Float64, *, reach: float) -> slice:
    slack = SLACK * (1 + reach + float(np.abs(along_R[[0, -1]]).max()))
    low = np.searchsorted(along_R, along_block.min() - reach - slack, side="left")
    high = np.searchsorted(along_R, along_block.max() + reach + slack, side="right")
    return slice(int(low), int(high))


def _search(queries_BD: Float64, references: Index, *, rows: Rows, distance: float) -> NDArray[np.bool_]:
    found_B = np.zeros(len(queries_BD), dtype=np.bool_)
    for chunk in _chunks(references):
        open_B = np.flatnonzero(~found_B)
        if not len(open_B):
            break
        found_B[open_B] = _matches(queries_BD[open_B], rows(chunk), distance=distance)
    return found_B


def _matches(queries_BD: Float64, chunk_RD: Float64, *, distance: float) -> NDArray[np.bool_]:
    limit = distance**2 * queries_BD.shape[1]
    squares_B, squares_R = (queries_BD**2).sum(axis=1), (chunk_RD**2).sum(axis=1)
    gap_BR = squares_B[:, None] + squares_R - 2 * (queries_BD @ chunk_RD.T) - limit
    error = _rounding_error(queries_BD.shape[1], float(squares_B.max() + squares_R.max()) + limit)
    found_B = np.asarray((gap_BR < -error).any(axis=1))
    for query in np.flatnonzero(~found_B & (gap_BR <= error).any(axis=1)):
        near_RD = chunk_RD[gap_BR[query] <= error] - queries_BD[query]
        found_B[query] = bool(np.any(np.sqrt((near_RD**2).mean(axis=1)) <= distance))
    return found_B


def _rounding_error(dimension: int, size: float) -> float:
    """Bound of the error of a float64 sum of 3 D products whose squares add up to `size` (Higham 2002, section 3.1)."""
    return 4 * (dimension + 4) * float(np.finfo(np.float64).eps) * size
