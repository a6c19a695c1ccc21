"""What a row of input must be, by the certificate's contract, and how far it lies from the certified data.

Raw rows are float64 in the contract's own units, as a client sends them: an image's stored values, a table's columns
with a category as its index. Shapes: B rows, R raw values of one row, D coordinates of the model's input.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robustcert.drift.reference import ColumnPart, DriftReference, distances, floats
from robustcert.errors import DataError, expected

Float64 = NDArray[np.float64]

AS_CERTIFIED = "send rows as the certificate's contract describes them"


class InputRows:
    """Checks and measures rows of input against one reference; holds nothing of them."""

    def __init__(self, reference: DriftReference) -> None:
        self.reference = reference
        self.row_shape = reference.shape if reference.kind == "image" else (len(reference.columns),)
        self._centre_D, self._scale_D = floats(reference.centre), floats(reference.scale)
        limits = [_limits(column) for column in reference.columns] or [_image_limits(reference)] * self.width
        self._lower_R, self._upper_R = (np.array(ends) for ends in zip(*limits, strict=True))
        self._whole_R = np.array([column.kind != "continuous" for column in reference.columns] or [False])
        self._any_whole = bool(self._whole_R.any())
        self._plain = all(column.kind != "categorical" for column in reference.columns)
        self._divide_by = float(reference.image.divide_by) if reference.image is not None else 1.0

    @property
    def width(self) -> int:
        """R, how many raw values a row has."""
        return int(np.prod(self.row_shape))

    def read(self, values: Any) -> Float64:
        """Raw rows (B, R) of nested lists or an array (B, *row_shape), (B, R), or one row; DataError otherwise."""
        raw = _numbers(values)
        if raw.shape == self.row_shape:
            raw = raw[None]
        if raw.shape[1:] not in (self.row_shape, (self.width,)) or not len(raw):
            what = f"rows of shape {list(self.row_shape)}"
            raise DataError(expected(what, got=f"shape {list(raw.shape)}", remedy=AS_CERTIFIED))
        return raw.reshape(len(raw), self.width)

    def valid(self, raw_BR: Float64) -> NDArray[np.bool_]:
        """Whether each row is finite, within the contract's ranges, and whole where the contract says so; (B,)."""
        return np.asarray(np.logical_and.reduce(self._inside(raw_BR), axis=1))

    def fault(self, raw_BR: Float64) -> str:
        """What is wrong with the first invalid value, in words; "" where none is."""
        wrong_N2 = np.argwhere(~self._inside(raw_BR))
        if not len(wrong_N2):
            return ""
        row, place = wrong_N2[0]
        whole = "a whole number" if self._whole_R[place % len(self._whole_R)] else "a number"
        wanted = f"{whole} from {self._lower_R[place]:g} to {self._upper_R[place]:g}"
        return f"expected {wanted} as {self._name(place)} of row {row}, got {raw_BR[row, place]:g}; {AS_CERTIFIED}"

    def coordinates(self, raw_BR: Float64) -> Float64:
        """The model's input (B, D) of valid rows, in its units, before rounding to the data set's grid."""
        if self._plain:
            return raw_BR / self._divide_by if self._divide_by != 1 else raw_BR
        columns = zip(self.reference.columns, raw_BR.T, strict=True)
        return np.column_stack([value for column, values_B in columns for value in _encoded(column, values_B)])

    def distances(self, x_BD: Float64) -> Float64:
        """Root mean square standardised distance of each row of the model's input to the certified data's centre."""
        return distances(x_BD, centre_D=self._centre_D, scale_D=self._scale_D)

    def _inside(self, raw_BR: Float64) -> NDArray[np.bool_]:
        """Whether each value keeps the contract (B, R); NaN does not."""
        inside_BR = (raw_BR >= self._lower_R) & (raw_BR <= self._upper_R)
        if self._any_whole:
            inside_BR &= ~self._whole_R | (raw_BR == np.rint(raw_BR))
        return inside_BR

    def _name(self, place: int) -> str:
        columns = self.reference.columns
        return f"{columns[place].name!r}" if columns else f"value {place}"


def category_index(column: ColumnPart, value: object) -> float:
    """A category given by name or by index, as its index; NaN where it is neither."""
    if isinstance(value, str):
        return float(column.categories.index(value)) if value in column.categories else np.nan
    return number(value)


def number(value: object) -> float:
    """A number of a request as float64; NaN where it is none, or too large for one.

    >>> number(2), number("2"), number(10**400)
    (2.0, nan, nan)
    """
    try:
        return float(value) if isinstance(value, int | float) else np.nan
    except OverflowError:
        return np.nan


def _numbers(values: Any) -> Float64:
    try:
        return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        got = "lists of different lengths, or something that is no number"
        raise DataError(expected("rows of numbers", got=got, remedy=AS_CERTIFIED)) from error


def _limits(column: ColumnPart) -> tuple[float, float]:
    if column.kind == "categorical":
        return 0.0, float(len(column.categories) - 1)
    return float(column.lower or 0), float(column.upper if column.upper is not None else 1)


def _image_limits(reference: DriftReference) -> tuple[float, float]:
    assert reference.image is not None
    return float(reference.image.lower), float(reference.image.upper)


def _encoded(column: ColumnPart, values_B: Float64) -> Iterator[Float64]:
    """The coordinates of one column: itself, or a 0/1 coordinate of each category."""
    if column.kind != "categorical":
        yield values_B
        return
    for number in range(len(column.categories)):
        yield (values_B == number).astype(np.float64)
