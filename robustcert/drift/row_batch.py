"""RowBatch: some rows of a window, as arrays. Shapes: B rows, F features of a table, C, H, W of an image.

What a log does not hold is None, never a made-up value; what single rows lack is told by a mask beside the array.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

Texts = Any  # pyarrow.StringArray (B,), null where a row has none; pyarrow ships no types
Index = NDArray[np.bool_] | NDArray[np.int64] | slice


@dataclass(frozen=True, kw_only=True)
class ClassColumn:
    """Class indices, int64 (B,), meant only where `known`, bool (B,); `foreign`, bool (B,): says what is no class."""

    index: NDArray[np.int64]
    known: NDArray[np.bool_]
    foreign: NDArray[np.bool_]

    def at(self, index: Index) -> ClassColumn:
        """Some of the rows."""
        return ClassColumn(index=self.index[index], known=self.known[index], foreign=self.foreign[index])


@dataclass(frozen=True, kw_only=True)
class Answers:
    """What was answered to B rows, and what became known of them.

    `rows`: number of each row in the window, from 0, int64 (B,). `times`: datetime64[us] (B,), UTC, NaT where a row has
    none. `predictions` are known only where the model answered with a class; `labels` where the label is a class.
    `ids`, `outcomes`, `segments`, `models` (digests), `data_versions` are texts; `margins`, `distances` float64 (B,).
    """

    rows: NDArray[np.int64]
    ids: Texts | None = None
    times: NDArray[np.datetime64] | None = None
    predictions: ClassColumn | None = None
    labels: ClassColumn | None = None
    outcomes: Texts | None = None
    segments: Texts | None = None
    models: Texts | None = None
    data_versions: Texts | None = None
    margins: NDArray[np.float64] | None = None
    distances: NDArray[np.float64] | None = None

    def __len__(self) -> int:
        return len(self.rows)

    def at(self, index: Index) -> Answers:
        """Some of the rows, in the order of `index`: a mask, row numbers within the batch, or a slice."""
        return replace(self, **{name: _at(value, index) for name, value in _held(self)})


@dataclass(frozen=True, kw_only=True)
class RowBatch:
    """B rows: `values` as the contract names them, and their answers.

    Images: (B, C, H, W) as stored, before `divideBy`. Tables: float64 (B, F) in the order of the contract's features,
    a category as its index, NaN where `cells` (uint8, (B, F), robustcert.data.raw.Cell; None for images) says that
    there is no value or an unreadable one.
    """

    values: NDArray[Any]
    cells: NDArray[np.uint8] | None
    answers: Answers

    def __len__(self) -> int:
        return len(self.values)

    def at(self, index: Index) -> RowBatch:
        """Some of the rows, in the order of `index`."""
        cells = None if self.cells is None else self.cells[index]
        return RowBatch(values=self.values[index], cells=cells, answers=self.answers.at(index))


def joined(batches: Sequence[RowBatch]) -> RowBatch:
    """The rows of several batches of one window as one; at least one batch."""
    return RowBatch(
        values=np.concatenate([batch.values for batch in batches]),
        cells=_together([batch.cells for batch in batches]),
        answers=joined_answers([batch.answers for batch in batches]),
    )


def joined_answers(parts: Sequence[Answers]) -> Answers:
    """As `joined`, of answers."""
    columns = {field.name: [getattr(part, field.name) for part in parts] for field in fields(Answers)}
    return Answers(**{name: _together(column) for name, column in columns.items()})


def _held(answers: Answers) -> list[tuple[str, Any]]:
    pairs = [(field.name, getattr(answers, field.name)) for field in fields(answers)]
    return [(name, value) for name, value in pairs if value is not None]


def _at(value: Any, index: Index) -> Any:
    if isinstance(value, ClassColumn):
        return value.at(index)
    if isinstance(value, np.ndarray):
        return value[index]
    import pyarrow as pa

    if isinstance(index, slice):
        return value.take(pa.array(np.arange(len(value))[index]))
    return value.filter(pa.array(index)) if index.dtype == np.bool_ else value.take(pa.array(index))


def _together(columns: Sequence[Any]) -> Any:
    if any(column is None for column in columns):
        return None
    first = columns[0]
    if isinstance(first, ClassColumn):
        parts = {field.name: [getattr(column, field.name) for column in columns] for field in fields(ClassColumn)}
        return ClassColumn(**{name: np.concatenate(arrays) for name, arrays in parts.items()})
    if isinstance(first, np.ndarray):
        return np.concatenate(columns)
    import pyarrow as pa

    return pa.concat_arrays(columns)
