"""Rows in blocks that are exchanged as wholes: what a permutation test of correlated rows may permute.

Rows of one session or day resemble each other; permuting them one by one would make any window of few sessions look
drifted. A block is a group within one sample: reference and window stay apart though a session spans both.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from robustcert.errors import DataError, InputError, expected


@dataclass(frozen=True, kw_only=True, eq=False)
class Pooled:
    """L rows of both samples, reference first: `window_L` is 1 for rows of the window, `block_L` their block."""

    rows_LD: NDArray[np.float64]
    window_L: NDArray[np.float64]
    block_L: NDArray[np.int64]

    def permuted(self, permutations: int, rng: np.random.Generator) -> NDArray[np.float64]:
        """(L, P): `window_L`, dealt anew to the blocks P times."""
        first_B = np.unique(self.block_L, return_index=True)[1]
        windows_PB = rng.permuted(np.tile(self.window_L[first_B], (permutations, 1)), axis=1)
        return np.ascontiguousarray(windows_PB[:, self.block_L].T)

    def require_arrangements(self, alpha: float) -> None:
        """InputError where the blocks can be dealt in fewer than 1 / alpha ways: nothing could be significant."""
        blocks_2 = [len(np.unique(self.block_L[self.window_L == side])) for side in (0, 1)]
        if math.comb(sum(blocks_2), blocks_2[0]) < 1 / alpha:
            got = f"{blocks_2[0]} of the reference and {blocks_2[1]} of the window"
            remedy = "take more sessions or days, or a larger alpha"
            raise InputError(expected(f"enough groups for alpha {alpha}", got=got, remedy=remedy))


def pool(
    x_ND: ArrayLike, y_MD: ArrayLike, *, groups: tuple[ArrayLike, ArrayLike] | None, most: int, seed: int
) -> Pooled:
    """Both samples as one, with at most `most` rows of each, drawn by `seed`; `groups` names each row's group.

    DataError unless both are tables of the same columns, finite and not empty, with a group for each row.
    """
    x_ND, y_MD = _table(x_ND), _table(y_MD)
    if x_ND.shape[1] != y_MD.shape[1]:
        got = f"{x_ND.shape[1]} and {y_MD.shape[1]}"
        raise DataError(expected("as many columns in both samples", got=got, remedy="embed both by the same model"))
    rng = np.random.default_rng(seed)
    places = [np.sort(rng.permutation(len(rows_ND))[:most]) for rows_ND in (x_ND, y_MD)]
    names = [_names(given, rows_ND) for given, rows_ND in zip(groups or (None, None), (x_ND, y_MD), strict=True)]
    blocks_x, blocks_y = (name[place] for name, place in zip(names, places, strict=True))
    window_L = np.repeat([0.0, 1.0], [len(place) for place in places])
    block_L = np.concatenate([blocks_x, blocks_y + (names[0].max() + 1)])
    rows_LD = np.concatenate([x_ND[places[0]], y_MD[places[1]]])
    return Pooled(rows_LD=rows_LD, window_L=window_L, block_L=np.unique(block_L, return_inverse=True)[1])


def _table(rows: ArrayLike) -> NDArray[np.float64]:
    rows_ND = np.asarray(rows, dtype=np.float64)
    if rows_ND.ndim != 2 or len(rows_ND) < 2 or not np.isfinite(rows_ND).all():
        got = f"shape {rows_ND.shape}, {int((~np.isfinite(rows_ND)).sum())} not finite"
        remedy = "give rows x columns, nulls replaced or left out"
        raise DataError(expected("a table of at least two rows of finite numbers", got=got, remedy=remedy))
    return rows_ND


def _names(given: ArrayLike | None, rows_ND: NDArray[np.float64]) -> NDArray[np.int64]:
    names = np.arange(len(rows_ND)) if given is None else np.asarray(given)
    if names.shape != (len(rows_ND),):
        got = f"{names.shape} for {len(rows_ND)} rows"
        raise DataError(expected("one group for each row", got=got, remedy="give groups of both samples"))
    return np.asarray(np.unique(names, return_inverse=True)[1])
