"""Draws that are asked for, and votes that were counted. No torch here.

K classes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from robustcert.errors import ValidityError, expected
from robustcert.smoothing.noise import Stream


@dataclass(frozen=True, kw_only=True)
class Piece:
    """Draws `first` ... `first + draws - 1` of one stream."""

    stream: Stream
    first: int
    draws: int

    def cut(self, most: int) -> Piece:
        """Its first draws, `most` of them at most."""
        return Piece(stream=self.stream, first=self.first, draws=min(self.draws, most))


@dataclass(kw_only=True)
class Tally:
    """Votes of one stream so far, from draw 0 on: `counts` per class (K) and `fragile` ones."""

    counts: list[int]
    fragile: int = 0
    draws: int = 0

    def add(self, counts: Sequence[int], fragile: int, *, draws: int) -> None:
        """ValidityError unless every draw was counted once."""
        if len(counts) != len(self.counts) or sum(counts) + fragile != draws or min(*counts, fragile) < 0:
            got = f"{sum(counts)} votes and {fragile} fragile ones of {len(counts)} classes"
            raise ValidityError(expected(f"{draws} votes", got=got, remedy="count every draw once"))
        self.counts = [before + new for before, new in zip(self.counts, counts, strict=True)]
        self.fragile += fragile
        self.draws += draws


def rest(stream: Stream, drawn: int, wanted: int) -> Iterator[Piece]:
    """One piece, of what `wanted` draws still lack; nothing where they lack none."""
    if drawn < wanted:
        yield Piece(stream=stream, first=drawn, draws=wanted - drawn)


def tally_of(state: Any, *, n_classes: int) -> Tally:
    """The tally that [[class, votes] ..., fragile] are; LookupError, TypeError or ValueError where they are none."""
    (pairs, fragile), tally = state, Tally(counts=[0] * n_classes)
    counts = np.zeros(n_classes, dtype=np.int64)
    for label, count in pairs:
        counts[range(n_classes)[label]] = count
    tally.add(counts.tolist(), int(fragile), draws=int(counts.sum()) + int(fragile))
    return tally
