"""Rounds of votes: what samples that are still undecided want is drawn in full batches that mix them.

Samples are begun in order, and only when those under way do not fill a batch; so a handful is under way at a time, one
batch of noise is alive, and finished samples come out at an even pace. When no further sample can be begun, a batch is
filled with draws ahead of the next look; those of a sample that is decided meanwhile are dropped. A run's course
depends on its own votes only (`sample_runs`), so what shares a batch changes no row.

B = 256 rows of a batch, K classes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice

import numpy as np
from numpy.typing import NDArray

from robustcert.smoothing.sample_runs import SampleRun
from robustcert.smoothing.tallies import Piece

ROWS = 256
ROUND_BATCHES = 64


@dataclass(frozen=True, kw_only=True)
class Draws:
    """Some draws of the sample in row `place` of the data set."""

    place: int
    sample_id: int
    piece: Piece


Count = Callable[[Sequence[Draws]], NDArray[np.int64]]


class Rounds:
    """The runs of many samples; those at `places` are begun in their order, by `begin`, which may resume them."""

    def __init__(self, places: Iterable[int], *, begin: Callable[[int], SampleRun]) -> None:
        self._waiting = iter(places)
        self._begin = begin
        self.active: dict[int, SampleRun] = {}

    def next_round(self, count: Count, *, batches: int | None = None) -> Iterator[tuple[int, SampleRun]]:
        """At most that many batches, ROUND_BATCHES for None; gives the samples that are finished.

        `count` gives the votes (P, K + 1) of P draws, fragile ones in the last column.
        """
        for _ in range(batches or ROUND_BATCHES):
            drawn = self._next_batch()
            if drawn:
                self._tell(drawn, count(drawn))
            yield from self._finished()
            if not self.active:
                return

    def _next_batch(self) -> list[Draws]:
        """Draws of full batches where there are enough of them: those that are wanted, then draws ahead."""
        drawn: list[Draws] = []
        room = ROWS
        for place, run in chain(list(self.active.items()), self._begun()):
            room -= self._take(drawn, place, run, islice(run.upcoming(), 1), room)
            if not room:
                return drawn
        for place, run in self.active.items():
            room -= self._take(drawn, place, run, islice(run.upcoming(), 1, None), room)
        return drawn

    def _begun(self) -> Iterator[tuple[int, SampleRun]]:
        for place in self._waiting:
            run = self.active[place] = self._begin(place)
            yield place, run

    @staticmethod
    def _take(drawn: list[Draws], place: int, run: SampleRun, pieces: Iterable[Piece], room: int) -> int:
        """Appends draws of `pieces`, `room` at most; returns how many."""
        taken = 0
        for piece in pieces:
            if taken == room:
                break
            drawn.append(Draws(place=place, sample_id=run.facts.sample, piece=piece.cut(room - taken)))
            taken += drawn[-1].piece.draws
        return taken

    def _tell(self, drawn: Sequence[Draws], votes_PK: NDArray[np.int64]) -> None:
        for draws, (*counts, fragile) in zip(drawn, votes_PK.tolist(), strict=True):
            run = self.active[draws.place]
            if run.wanted() is not None:
                run.tell(draws.piece, counts, fragile)

    def _finished(self) -> Iterator[tuple[int, SampleRun]]:
        for place in [place for place, run in self.active.items() if run.wanted() is None]:
            yield place, self.active.pop(place)
