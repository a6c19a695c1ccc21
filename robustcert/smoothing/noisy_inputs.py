"""Noisy copies of grid points, float32((x_int + noise) * unit), written where the model reads them. No torch here.

Shapes: B rows of a batch, R rows of a piece that fits in the processor's cache, D coordinates, W words of one draw,
N samples. The integers are those of `robustcert.smoothing.noise.integer_noise`, whatever shares a batch.

Noise in whole steps is a step function of the word that it is made of. Where all coordinates have one deviation, the
step is looked up by the word's first bits; words in whose cell the step changes, or might for a rounding error that is
a million times what the quantile's is, are computed in full: a few in a hundred.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from robustcert.errors import InputError, expected
from robustcert.smoothing.noise import QUANTILES, WORDS_PER_BLOCK, Stream, refuse_counters, refuse_steps
from robustcert.smoothing.noise_kinds import NoiseName

PIECE_WORDS = 1 << 15
HALF_RANGE = 1 << 52
MOST_TABLE_STEPS = 1 << 14
FEWEST_COORDINATES = 128  # for fewer, the table saves less than it costs
LARGEST_COORDINATE = 1 << 30
UNCLEAR = -(1 << 29)
SAFETY = 1e-6  # of a step, on either side of where it changes


@dataclass(frozen=True, kw_only=True)
class GridNoise:
    """Noise of one certification: `sigma_steps` is its standard deviation in steps of the grid, of `unit` input units.

    Both float64 (*shape). A coordinate with 0 steps is left alone.
    """

    key0: int
    sigma_steps: NDArray[np.float64]
    unit: NDArray[np.float64]
    kind: NoiseName = "gaussian"

    def __post_init__(self) -> None:
        refuse_steps(self.sigma_steps)


@dataclass(frozen=True, kw_only=True)
class Copies:
    """Draws `first` ... `first + draws - 1` of a stream of one sample, for the grid point x_int[place]."""

    place: int
    sample_id: int
    stream: Stream
    first: int
    draws: int


class NoisyInputs:
    """Writes noisy copies of the grid points x_int (N, *shape); InputError where they are no integers.

    Its memory: a few pieces of PIECE_WORDS numbers.
    """

    def __init__(self, x_int: NDArray[np.integer], noise: GridNoise) -> None:
        if not np.issubdtype(x_int.dtype, np.integer):
            raise InputError(expected("integer grid coordinates", got=x_int.dtype, remedy="pass x_int, not x"))
        width = int(np.prod(x_int.shape[1:]))
        self._x_ND, self._noise = x_int.reshape(len(x_int), width), noise
        self._steps_D, self._unit_D = noise.sigma_steps.ravel(), noise.unit.ravel()
        self._blocks = -(-width // WORDS_PER_BLOCK)
        self._rows = max(1, PIECE_WORDS // (self._blocks * WORDS_PER_BLOCK))
        self._words_RW = np.empty((self._rows, self._blocks * WORDS_PER_BLOCK), dtype=np.uint64)
        self._philox = np.random.Philox(key=0)
        self._state = self._philox.state
        self._table = _table_for(x_int, noise)
        self._steps_RD = np.empty((self._rows, width), dtype=np.int32 if self._table is not None else np.float64)

    def write(self, out_BD: NDArray[np.float32], copies: Iterable[Copies]) -> int:
        """Fills the first rows of `out_BD` with all the copies, in order; returns how many."""
        unclear: list[_Unclear] = []
        row = filled = 0
        for wanted in copies:
            done = 0
            while done < wanted.draws:
                size = min(wanted.draws - done, self._rows - filled)
                self._prepare(slice(filled, filled + size), wanted, first=wanted.first + done)
                filled, done = filled + size, done + size
                if filled == self._rows:
                    self._flush(out_BD, slice(row, row + filled), unclear)
                    row, filled = row + filled, 0
        self._flush(out_BD, slice(row, row + filled), unclear)
        self._compute(out_BD, unclear)
        return row + filled

    def _prepare(self, rows: slice, wanted: Copies, *, first: int) -> None:
        """Words of some draws, and the grid point that they are added to."""
        size = rows.stop - rows.start
        block, key0 = first * self._blocks, self._noise.key0
        refuse_counters(key0, sample_id=wanted.sample_id, first_block=block, blocks=size * self._blocks)
        self._state["state"]["key"][:] = key0, wanted.sample_id
        self._state["state"]["counter"][:] = block, 0, 0, wanted.stream
        self._state["buffer_pos"] = WORDS_PER_BLOCK  # nothing is left over of another counter
        self._philox.state = self._state
        words = self._philox.random_raw(size * self._words_RW.shape[1])
        self._words_RW[rows] = words.reshape(size, -1)
        self._steps_RD[rows] = self._x_ND[wanted.place]

    def _flush(self, out_BD: NDArray[np.float32], rows: slice, unclear: list[_Unclear]) -> None:
        x_RD = self._steps_RD[: rows.stop - rows.start]
        words = self._words_RW[: len(x_RD), : x_RD.shape[1]].reshape(-1)
        if self._table is None:
            x_RD += np.rint(_standard_noise(self._noise.kind, words).reshape(x_RD.shape) * self._steps_D)
        else:
            cells = (words >> np.uint64(65 - len(self._table).bit_length())).view(np.int64)
            found = self._table.take(cells, mode="clip")  # every cell is in the table; the other modes look first
            x_RD += found.reshape(x_RD.shape)
            places = np.flatnonzero(found == UNCLEAR)
            x = x_RD.reshape(-1)[places] - UNCLEAR
            unclear.append(_Unclear(places=places + rows.start * x_RD.shape[1], words=words[places], x=x))
        np.multiply(x_RD, self._unit_D, out=out_BD[rows], casting="same_kind")

    def _compute(self, out_BD: NDArray[np.float32], unclear: list[_Unclear]) -> None:
        """Writes the copies of coordinates that no table told."""
        if unclear:
            places = np.concatenate([some.places for some in unclear])
            words, x = (np.concatenate([getattr(some, name) for some in unclear]) for name in ("words", "x"))
            noise = np.rint(_standard_noise(self._noise.kind, words) * self._steps_D[0])
            out_BD.flat[places] = (x + noise) * self._unit_D[places % len(self._unit_D)]


@dataclass(frozen=True, kw_only=True)
class _Unclear:
    """Places in a batch, the words there, and the grid coordinates that the noise is added to."""

    places: NDArray[np.int64]
    words: NDArray[np.uint64]
    x: NDArray[np.int32]


def _standard_noise(kind: NoiseName, words: NDArray[np.uint64]) -> NDArray[np.float64]:
    """Noise of variance 1 of words of any shape, as `robustcert.smoothing.noise` has it."""
    centred = (words >> np.uint64(11)).view(np.int64)
    centred -= HALF_RANGE
    q = centred.astype(np.float64)
    q += 0.5
    q *= 2.0**-53
    return QUANTILES[kind](q.reshape(-1)).reshape(words.shape)


def _table_for(x_int: NDArray[np.integer], noise: GridNoise) -> NDArray[np.int32] | None:
    if noise.sigma_steps.size < FEWEST_COORDINATES:
        return None
    steps = float(noise.sigma_steps.flat[0])
    small = x_int.size == 0 or int(np.abs(x_int).max()) < LARGEST_COORDINATE
    if small and 0 < steps <= MOST_TABLE_STEPS and (noise.sigma_steps == steps).all():
        return _table(noise.kind, steps)
    return None


@lru_cache(maxsize=4)
def _table(kind: NoiseName, steps: float) -> NDArray[np.int32]:
    """The step of every cell of words with equal first bits, UNCLEAR where the cell has two or might have."""
    bits = 16 if steps < 256 else 18
    lowest = np.arange(1 << bits, dtype=np.uint64) << np.uint64(64 - bits)
    ends = [_standard_noise(kind, words) * steps for words in (lowest, lowest + np.uint64((1 << (64 - bits)) - 1))]
    clear = np.rint(ends[0]) == np.rint(ends[1])
    for end in ends:
        clear &= np.abs(end - np.floor(end) - 0.5) > SAFETY
    return np.where(clear, np.rint(ends[0]), UNCLEAR).astype(np.int32)
