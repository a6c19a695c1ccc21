"""The columns in which a window's inputs are compared with the reference, row by row of any number.

Tables: the contract's features, in their units; categories by their index. Images: brightness, contrast, and the mean
of each cell of a grid of at most 8 x 8 per channel (of an 8 x 8 image these are its pixels). Both sides are rounded to
the grid of the certified data, where equal inputs are equal numbers. Shapes: N rows, F features, C channels, H, W.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robustcert.data.coordinates import table_coordinates
from robustcert.data.dataset import Dataset
from robustcert.drift.histogram import Cells, ColumnCounts, categories, number_bins
from robustcert.drift.row_batch import RowBatch
from robustcert.drift.rows import inputs
from robustcert.specification import Contract

MOST_CELLS = 8  # of an image, along each side
NUMBERS = ("continuous", "integer")

Float64 = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class FeatureColumns:
    """How rows of one certified data set become columns; `contract` is that of its specification."""

    contract: Contract
    dataset: Dataset

    def of_dataset(self, rows: Dataset) -> dict[str, Float64]:
        """Columns (N,) of rows of the certified data set."""
        x_NX = rows.x()
        if self.contract.kind == "image":
            return dict(_image_columns(x_NX))
        return {
            feature.name: _values(x_NX[:, list(self._places(number))], categorical=feature.kind == "categorical")
            for number, feature in enumerate(self.contract.features)
        }

    def of_batch(self, batch: RowBatch) -> dict[str, Float64]:
        """Columns (N,) of rows of a window, NaN where a row holds no value."""
        if self.contract.kind == "image":
            return dict(_image_columns(self.inputs(batch)))
        return {
            feature.name: self._window_column(batch.values[:, number], number)
            for number, feature in enumerate(self.contract.features)
        }

    def inputs(self, batch: RowBatch) -> Float64:
        """What the model is given for each row, on the grid of the certified data; NaN where a value is missing."""
        return self._on_grid(inputs(batch, self.contract))

    def label(self, column: str, index: int) -> str:
        """What a category's index stands for."""
        for feature in self.contract.features:
            if feature.name == column and index < len(feature.categories):
                return feature.categories[index]
        return str(index)

    def texts(self, column: str, values_N: Float64) -> NDArray[Any]:
        """Values of a column for readers: categories by their names (None for nothing), numbers as they are."""
        if self._kinds.get(column, NUMBERS[0]) in NUMBERS:
            return values_N
        named = [self.label(column, int(value)) if np.isfinite(value) else None for value in values_N]
        return np.array(named, dtype=object)

    def cells(self, reference: Mapping[str, Float64]) -> dict[str, Cells]:
        """The cells that the reference cuts each column into."""
        return {
            name: number_bins(values) if self._kinds.get(name, NUMBERS[0]) in NUMBERS else categories(values)
            for name, values in reference.items()
        }

    @property
    def _kinds(self) -> dict[str, str]:
        return {feature.name: feature.kind for feature in self.contract.features}

    def _places(self, number: int) -> Iterator[int]:
        """The coordinates that a feature takes."""
        return (place for place, part in enumerate(table_coordinates(self.contract)) if part.column == number)

    def _window_column(self, values_N: Float64, number: int) -> Float64:
        if self.contract.features[number].kind not in NUMBERS:
            return values_N
        unit = self.dataset.unit[next(self._places(number))]
        return _rounded(values_N, unit)

    def _on_grid(self, x_NX: Float64) -> Float64:
        return _rounded(x_NX, self.dataset.unit)


def empty_counts(cells: Mapping[str, Cells]) -> dict[str, ColumnCounts]:
    """Counts of nothing yet, column by column."""
    return {name: ColumnCounts(cells=found) for name, found in cells.items()}


def add_columns(counts: Mapping[str, ColumnCounts], columns: Mapping[str, Float64]) -> None:
    """Counts a batch."""
    for name, values in columns.items():
        counts[name].add(values)


def _rounded(values: Float64, unit: Float64) -> Float64:
    """Each value as the nearest multiple of its unit; one that is too large for that as infinity."""
    with np.errstate(over="ignore"):
        return np.asarray(np.rint(values / unit) * unit)


def _values(x_NP: Float64, *, categorical: bool) -> Float64:
    """One feature's column from its coordinates: the one it has, or the index of the one that is 1."""
    return np.asarray(x_NP.argmax(axis=1), dtype=np.float64) if categorical else np.asarray(x_NP[:, 0])


def _image_columns(x_NCHW: Float64) -> Iterator[tuple[str, Float64]]:
    x_NP = x_NCHW.reshape(len(x_NCHW), -1)
    yield "brightness", x_NP.mean(axis=1)
    yield "contrast", x_NP.std(axis=1)
    rows, columns = (_cuts(side) for side in x_NCHW.shape[2:])
    sums = np.add.reduceat(np.add.reduceat(x_NCHW, rows, axis=2), columns, axis=3)
    sizes = np.outer(np.diff(rows, append=x_NCHW.shape[2]), np.diff(columns, append=x_NCHW.shape[3]))
    for channel, row, column in np.ndindex(*sums.shape[1:]):
        yield (
            _cell_name(channel, row, column, channels=sums.shape[1]),
            sums[:, channel, row, column] / sizes[row, column],
        )


def _cuts(side: int) -> NDArray[np.int64]:
    """Where each of at most MOST_CELLS cells of a side begins."""
    return np.linspace(0, side, min(side, MOST_CELLS) + 1).astype(np.int64)[:-1]


def _cell_name(channel: int, row: int, column: int, *, channels: int) -> str:
    return f"row {row + 1}, column {column + 1}" + (f", channel {channel + 1}" if channels > 1 else "")
