"""Hashes of ids, and how many rows repeat an id: in memory that does not grow with the rows.

Once there are too many ids to keep, only those are counted whose hash is below a limit (Wegman's adaptive sampling;
Flajolet, Computing 43 (1990) 369-385). Of such an id every row is seen, so that the share of repeats stays unbiased.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from robustcert.drift.row_batch import Texts
from robustcert.drift.row_random import GOLDEN, mixed

MOST_IDS = 1 << 18
HALF = np.uint64(1)
ALL = np.uint64(2**64 - 1)

Words = NDArray[np.uint64]


@dataclass(frozen=True, kw_only=True)
class Repeats:
    """`repeated` of `of` counted rows have the id of another row before them; `exact`: all rows were counted."""

    repeated: int
    of: int
    exact: bool

    @property
    def share(self) -> float:
        """0 to 1; 0 where no row has an id."""
        return self.repeated / self.of if self.of else 0.0


def text_hashes(texts: Texts) -> Words:
    """64-bit hashes of texts (B,), the same for the same text everywhere; a null has that of the empty text."""
    n, (_, starts, data) = len(texts), texts.buffers()
    if not n:
        return np.zeros(0, dtype=np.uint64)
    offsets = np.frombuffer(starts, dtype=np.int32)[texts.offset : texts.offset + n + 1].astype(np.int64)
    letters = np.frombuffer(data or b"", dtype=np.uint8)[offsets[0] : offsets[-1]].astype(np.uint64)
    lengths = np.diff(offsets)
    places = (np.arange(len(letters)) - np.repeat(offsets[:-1] - offsets[0], lengths)).astype(np.uint64)
    with np.errstate(over="ignore"):
        sums = np.concatenate([np.zeros(1, dtype=np.uint64), np.cumsum(mixed((places << np.uint64(8)) + letters))])
        ends = offsets - offsets[0]
        return mixed(sums[ends[1:]] - sums[ends[:-1]] + lengths.astype(np.uint64) * GOLDEN)


class IdCounts:
    """Counts ids, at most `most` different ones at a time (twice as many in between)."""

    def __init__(self, *, most: int = MOST_IDS) -> None:
        self._most = most
        self._limit = ALL
        self._hashes = np.zeros(0, dtype=np.uint64)
        self._times = np.zeros(0, dtype=np.int64)
        self._waiting: list[Words] = []
        self._n_waiting = 0

    def add(self, ids: Texts) -> None:
        """Counts the ids of some rows; a null is no id."""
        hashes = text_hashes(ids.drop_null())
        hashes = hashes[hashes <= self._limit]
        self._waiting.append(hashes)
        self._n_waiting += len(hashes)
        if self._n_waiting > self._most:
            self._merge()

    def repeats(self) -> Repeats:
        """What was counted so far."""
        self._merge()
        of = int(self._times.sum())
        return Repeats(repeated=of - len(self._times), of=of, exact=bool(self._limit == ALL))

    def _merge(self) -> None:
        hashes = np.concatenate([self._hashes, *self._waiting])
        times = np.concatenate([self._times, np.ones(self._n_waiting, dtype=np.int64)])
        self._hashes, place = np.unique(hashes, return_inverse=True)
        self._times = np.bincount(place, weights=times, minlength=len(self._hashes)).astype(np.int64)
        self._waiting, self._n_waiting = [], 0
        while len(self._hashes) > self._most:
            self._limit >>= HALF
            kept = self._hashes <= self._limit
            self._hashes, self._times = self._hashes[kept], self._times[kept]
