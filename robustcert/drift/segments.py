"""Segments of a window: how many rows each has, and how accurate the model is in it; at most a fixed number is shown.

Names come from clients, so their number is bounded twice: so many are told apart while counting, and of these the
largest are shown; every other row is counted under "other". Shapes: B rows, S segments told apart.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import bdtr

from robustcert.drift.multiplicity import adjusted_p_values
from robustcert.drift.row_batch import Texts

MOST_SHOWN = 20
MOST_TRACKED = 10_000
OTHER = "other"
NAME = re.compile(r"[A-Za-z0-9_.:/ -]{1,64}")

Codes = NDArray[np.int64]


class SegmentNames:
    """Numbers for segment names, in the order in which they come; 0 is "other"."""

    def __init__(self, *, most: int = MOST_TRACKED) -> None:
        self._most = most
        self._codes: dict[str | None, int] = {OTHER: 0}

    @property
    def names(self) -> tuple[str, ...]:
        """The names (S,), by number."""
        return tuple(str(name) for name in self._codes)

    def codes(self, segments: Texts | None, *, rows: int) -> Codes:
        """The number of each row's segment, int64 (B,); "other" where it has none, a strange name, or one too many."""
        if segments is None:
            return np.zeros(rows, dtype=np.int64)
        encoded = segments.dictionary_encode()
        codes = np.array([*map(self._code, encoded.dictionary.to_pylist()), 0], dtype=np.int64)
        places = encoded.indices.fill_null(len(codes) - 1).to_numpy(zero_copy_only=False)
        return np.asarray(codes[places])

    def _code(self, name: str) -> int:
        if name not in self._codes:
            if len(self._codes) > self._most or not NAME.fullmatch(name):
                return 0
            self._codes[name] = len(self._codes)
        return self._codes[name]


@dataclass(frozen=True, kw_only=True, eq=False)
class SegmentTable:
    """Counts per segment (S,): `rows`; `of` of them with answer and label, `correct` of these with equal ones."""

    names: tuple[str, ...]
    rows: Codes
    correct: Codes
    of: Codes


@dataclass(frozen=True, kw_only=True)
class Segment:
    """One segment; `correct` and `of` are None where no label came. `drifted`: surely less accurate than certified."""

    segment: str
    rows: int
    correct: int | None
    of: int | None
    drifted: bool


class SegmentCounter:
    """Counts rows by their segment's number."""

    def __init__(self) -> None:
        self._rows, self._correct, self._of = (np.zeros(1, dtype=np.int64) for _ in range(3))

    def add(self, codes: Codes) -> None:
        """Counts rows."""
        self._rows = _grown(self._rows, codes)

    def add_judged(self, codes: Codes, correct: NDArray[np.bool_]) -> None:
        """Counts answers of which the label is known, bool (B,)."""
        self._of = _grown(self._of, codes)
        self._correct = _grown(self._correct, codes[correct])

    def table(self, names: SegmentNames) -> SegmentTable:
        """What was counted so far."""
        none = np.zeros(0, dtype=np.int64)
        size = len(names.names)
        rows, correct, of = (_grown(counts, none, size=size) for counts in (self._rows, self._correct, self._of))
        return SegmentTable(names=names.names, rows=rows, correct=correct, of=of)


def judge_segments(
    table: SegmentTable, *, certified_lower: float, alpha: float, most: int = MOST_SHOWN
) -> tuple[Segment, ...]:
    """The `most` largest segments, then "other" with all the rest, each tested against the certificate.

    A segment is drifted where its accuracy is below `certified_lower`, the lower end of the certified clean accuracy:
    one-sided exact binomial test, adjusted by Holm for the number of segments with labels, at `alpha` together.
    """
    shown = capped(table, most=most)
    p_values = bdtr(shown.correct, np.maximum(shown.of, 1), certified_lower)
    judged = np.flatnonzero(shown.of > 0)
    drifted = np.zeros(len(shown.names), dtype=np.bool_)
    if len(judged):
        drifted[judged] = adjusted_p_values(p_values[judged], correction="holm") <= alpha
    return tuple(
        Segment(
            segment=name,
            rows=int(shown.rows[number]),
            correct=int(shown.correct[number]) if shown.of[number] else None,
            of=int(shown.of[number]) if shown.of[number] else None,
            drifted=bool(drifted[number]),
        )
        for number, name in enumerate(shown.names)
    )


def capped(table: SegmentTable, *, most: int = MOST_SHOWN) -> SegmentTable:
    """The `most` segments with the most rows, those of equal size by name, then "other" unless it is empty."""
    real = [number for number in range(1, len(table.names)) if table.rows[number] or table.of[number]]
    kept = sorted(real, key=lambda number: (-table.rows[number], table.names[number]))[:most]
    rest = np.setdiff1d(np.arange(len(table.names)), kept)
    rows, correct, of = (
        np.append(counts[kept], counts[rest].sum()) for counts in (table.rows, table.correct, table.of)
    )
    end = len(kept) + (1 if rows[-1] or of[-1] else 0)
    names = (*(table.names[number] for number in kept), OTHER)
    return SegmentTable(names=names[:end], rows=rows[:end], correct=correct[:end], of=of[:end])


def _grown(counts: Codes, codes: Codes, *, size: int = 0) -> Codes:
    """The counts with these rows added, as long as the largest number asks."""
    found = np.bincount(codes, minlength=max(len(counts), size)).astype(np.int64)
    found[: len(counts)] += counts
    return found
