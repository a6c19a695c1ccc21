"""Deterministic l1 certificates by splitting noise (DSSN), in integers throughout: exact, without samples or alpha.

Levine and Feizi (2021), "Improved, deterministic smoothing for l1 certified robustness", section 4. Shapes: D
coordinates of one sample, L = `width` inputs that are evaluated for it, B rows of a batch, K classes.

A sample has coordinates x in 0 ... q (`levels`), in steps of 1/q of their range. For every shift s0 of 0 ... L - 1,
coordinate i is cut at s + 1/2 + m L, s = (s0 + offset_i) mod L, and replaced by the middle of its piece of [0, q]. Two
values that differ by t steps lie in the same piece for all but min(t, L) of the L shifts, so a change of ||d||_1 = t
steps changes at most t inputs and as many votes: the first class keeps its lead wherever 2 t < c1 - c2.

Votes are counted, never divided: with fractions c / L and a radius in floating point, ties pass as certificates
(tests/smoothing/test_splitting_noise.py finds them). The claim is about samples on the grid of 1/q.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from robustcert.errors import InputError, ModelError, expected
from robustcert.evaluation.statistics import round_down
from robustcert.smoothing.noise import Stream
from robustcert.smoothing.philox_words import draw_words

PARTS = 4  # middles of pieces are whole quarters of a step
BATCH = 256
FRAGILE = -1

Classify = Callable[[NDArray[np.int64]], NDArray[np.int64]]
"""Class of each row (B, D) of integers, FRAGILE (-1) where it can't be told for sure."""


@dataclass(frozen=True, kw_only=True)
class Splitting:
    """`levels` = q, `width` = L in steps (2 lambda q; noise of half-width lambda), an offset per coordinate (D,)."""

    levels: int
    width: int
    offsets: tuple[int, ...]

    def __post_init__(self) -> None:
        if self.levels < 1 or self.width < 1 or not self.offsets:
            got = f"{self.levels} levels, width {self.width}, {len(self.offsets)} offsets"
            remedy = "give the grid's steps per range, the width in steps and an offset per coordinate"
            raise InputError(expected("levels, width and offsets above 0", got=got, remedy=remedy))


def splitting(key0: int, *, coordinates: int, levels: int, width: int) -> Splitting:
    """Offsets 0, 1, 2, ... mod L dealt to the coordinates in an order drawn from `key0`; any others are as sound."""
    words_1D = draw_words(key0, sample_id=0, stream=Stream.SELECTION, first_draw=0, draws=1, coordinates=coordinates)
    order = np.argsort(words_1D[0], kind="stable")
    offsets = np.empty(coordinates, dtype=np.int64)
    offsets[order] = np.arange(coordinates) % width
    return Splitting(levels=levels, width=width, offsets=tuple(offsets.tolist()))


def split_inputs(x_D: NDArray[np.integer], splitting: Splitting) -> NDArray[np.int64]:
    """The L inputs of one sample, in quarters of a step: int64 (L, D), each 0 ... 4 q."""
    _require_on_grid(x_D, splitting)
    L, q = splitting.width, splitting.levels
    shift_LD = (np.arange(L)[:, None] + np.array(splitting.offsets)) % L
    piece_LD = (x_D.astype(np.int64) - shift_LD - 1) // L + 1
    upper_LD = np.minimum(2 * shift_LD + 1 + 2 * L * piece_LD, 2 * q)
    lower_LD = np.maximum(2 * shift_LD + 1 + 2 * L * (piece_LD - 1), 0)
    inputs_LD: NDArray[np.int64] = upper_LD + lower_LD
    return inputs_LD


def splitting_votes(
    classify: Classify, x_D: NDArray[np.integer], *, splitting: Splitting, n_classes: int
) -> tuple[tuple[int, ...], int]:
    """Votes per class (K,) and fragile ones of the L inputs of one sample; `classify` is given 256 rows at most."""
    inputs_LD = split_inputs(x_D, splitting)
    tally = np.zeros(n_classes + 1, dtype=np.int64)
    for first in range(0, len(inputs_LD), BATCH):
        tally += tally_of(classify(inputs_LD[first : first + BATCH]), n_classes=n_classes)
    *counts, fragile = tally.tolist()
    return tuple(counts), fragile


def tally_of(votes_B: NDArray[np.int64], *, n_classes: int) -> NDArray[np.int64]:
    """Votes per class, then fragile ones (K + 1,); ModelError for a vote outside -1 ... K - 1."""
    if len(votes_B) and not (votes_B.min() >= FRAGILE and votes_B.max() < n_classes):
        got = f"{votes_B.min()} to {votes_B.max()}"
        raise ModelError(expected(f"classes {FRAGILE} to {n_classes - 1}", got=got, remedy="return class indices"))
    return np.bincount(np.where(votes_B == FRAGILE, n_classes, votes_B), minlength=n_classes + 1)


def certified_steps(counts: Sequence[int], fragile: int = 0) -> int | None:
    """Largest ||d||_1, in steps of 1/q, that can't change the class of most votes; None where there is none: abstain.

    Fragile votes count for the rival. Strictly 2 t < c1 - c2, so that no rule about ties matters.

    >>> certified_steps((9, 4, 1)), certified_steps((9, 4, 1), fragile=1), certified_steps((5, 5))
    (2, 1, None)
    """
    first, second = sorted(counts, reverse=True)[:2]
    lead = first - second - fragile
    return (lead - 1) // 2 if lead > 0 else None


def certified_l1(steps: int, *, levels: int) -> str:
    """The certified l1 radius in units of the coordinates' range, a decimal rounded down to six places.

    >>> certified_l1(5, levels=3)
    '1.666666'
    """
    return round_down(Fraction(steps, levels))


def _require_on_grid(x_D: NDArray[np.integer], splitting: Splitting) -> None:
    if not np.issubdtype(x_D.dtype, np.integer) or x_D.shape != (len(splitting.offsets),):
        what = f"{len(splitting.offsets)} integer coordinates"
        remedy = "flatten the sample and pass its steps on the grid"
        raise InputError(expected(what, got=f"{x_D.dtype} {x_D.shape}", remedy=remedy))
    if x_D.min() < 0 or x_D.max() > splitting.levels:
        got = f"{x_D.min()} to {x_D.max()}"
        remedy = "subtract the lower end of the range and divide by a step"
        raise InputError(expected(f"coordinates in 0 to {splitting.levels}", got=got, remedy=remedy))
