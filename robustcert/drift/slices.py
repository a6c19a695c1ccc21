"""Where in a window do columns lie off the reference? Their mean per slice: per segment, model and data version.

Memory is bounded by the number of slices told apart, never by rows. Shapes: B rows, Q columns, S slices of one kind.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robustcert.drift.quality import ReferenceColumns
from robustcert.drift.row_batch import RowBatch
from robustcert.drift.segments import SegmentNames

MOST_SLICES = 50
KINDS = {"segment": "segments", "model": "models", "data version": "data_versions"}

Float64 = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class SliceShift:
    """A slice of `rows` rows; `inside` and `outside`: means of the columns (Q,) in it and in all other rows.

    Both in spreads of the reference from its mean, NaN for categories and for columns that the reference does not vary.
    """

    kind: str
    name: str
    rows: int
    others: int
    inside: Float64
    outside: Float64


class SliceCounter:
    """Sums of standardised columns by slice."""

    def __init__(self, reference: ReferenceColumns) -> None:
        self._reference = reference
        self._names = {kind: SegmentNames(most=MOST_SLICES) for kind in KINDS}
        self._rows: dict[str, dict[int, int]] = {kind: {} for kind in KINDS}
        self._sums: dict[str, dict[int, Float64]] = {kind: {} for kind in KINDS}

    def add(self, batch: RowBatch) -> None:
        """Counts some rows; values that are missing count as the reference's mean."""
        texts = {kind: getattr(batch.answers, field) for kind, field in KINDS.items()}
        given = {kind: column for kind, column in texts.items() if column is not None}
        if not given:
            return
        z_BQ = np.nan_to_num(standardised(batch.values, self._reference))
        for kind, column in given.items():
            codes = self._names[kind].codes(column, rows=len(batch))
            order = np.argsort(codes, kind="stable")
            found, starts, counts = np.unique(codes[order], return_index=True, return_counts=True)
            sums = np.add.reduceat(z_BQ[order], starts, axis=0)
            for code, count, total in zip(found.tolist(), counts.tolist(), sums, strict=True):
                self._rows[kind][code] = self._rows[kind].get(code, 0) + count
                self._sums[kind][code] = self._sums[kind].get(code, 0.0) + total

    def shifts(self) -> Iterator[SliceShift]:
        """Every slice, of kinds that have more than one."""
        for kind, rows in self._rows.items():
            if len(rows) > 1:
                yield from self._of_kind(kind, rows, total=sum(rows.values()))

    def counts(self, kind: str) -> dict[str, int]:
        """Rows of each slice of a kind: segment, model or data version."""
        names = self._names[kind].names
        return {names[code]: rows for code, rows in self._rows[kind].items()}

    def _of_kind(self, kind: str, rows: dict[int, int], *, total: int) -> Iterator[SliceShift]:
        names, whole = self._names[kind].names, np.sum(list(self._sums[kind].values()), axis=0)
        known = np.isfinite(self._reference.spread) & (self._reference.spread > 0)
        for code, count in rows.items():
            inside = np.where(known, self._sums[kind][code] / count, np.nan)
            outside = np.where(known, (whole - self._sums[kind][code]) / (total - count), np.nan)
            yield SliceShift(kind=kind, name=names[code], rows=count, others=total - count,
                             inside=inside, outside=outside)  # fmt: skip


def standardised(values: NDArray[Any], reference: ReferenceColumns) -> Float64:
    """Columns (B, Q) in spreads of the reference from its mean, cut at 100; NaN where there is no spread or value."""
    varies = np.isfinite(reference.spread) & (reference.spread > 0)
    spread = np.where(varies, reference.spread, np.nan)
    z_BQ = (np.asarray(values, dtype=np.float64).reshape(len(values), -1) - reference.mean) / spread
    return np.clip(z_BQ, -100, 100)
