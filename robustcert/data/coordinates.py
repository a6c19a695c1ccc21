"""Coordinates: how a contract's features become the coordinates that threats and noise act on.

An image's coordinates are its pixels. A table's continuous, integer and binary features are one coordinate each; a
categorical feature is one 0/1 coordinate per category (one-hot), in the contract's order. Categories and binary
features are not perturbable. Shapes: N samples, F features, D coordinates.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robustcert.errors import DataError, expected
from robustcert.specification import Contract, Feature

Float64 = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Coordinate:
    """One coordinate of a table: `column` is its feature's index, `category` the index of its category, if any."""

    name: str
    unit: str
    column: int
    category: int | None
    lower: float
    upper: float
    scaled: bool
    perturbable: bool


def table_coordinates(contract: Contract) -> tuple[Coordinate, ...]:
    """The D coordinates of a table, in order."""
    return tuple(
        coordinate
        for column, feature in enumerate(contract.features)
        for coordinate in _coordinates(feature, column=column)
    )


def _coordinates(feature: Feature, *, column: int) -> Iterator[Coordinate]:
    if feature.kind in ("continuous", "integer"):
        yield Coordinate(
            name=feature.name, unit=feature.unit, column=column, category=None, scaled=True,
            lower=finite(feature.minimum), upper=finite(feature.maximum), perturbable=feature.perturbable,
        )  # fmt: skip
        return
    codes: list[tuple[str, int | None]] = [(feature.name, None)] if feature.kind == "binary" else _one_hot(feature)
    for name, category in codes:
        yield Coordinate(
            name=name, unit=feature.unit, column=column, category=category, scaled=False,
            lower=0.0, upper=1.0, perturbable=False,
        )  # fmt: skip


def _one_hot(feature: Feature) -> list[tuple[str, int | None]]:
    return [(f"{feature.name}={category}", number) for number, category in enumerate(feature.categories)]


def encode(values_NF: NDArray[Any], coordinates: Sequence[Coordinate]) -> Float64:
    """Table rows (N, F) as coordinates (N, D), float64, in each feature's own unit."""
    x_ND = np.empty((len(values_NF), len(coordinates)), dtype=np.float64)
    for number, coordinate in enumerate(coordinates):
        column_N = values_NF[:, coordinate.column]
        x_ND[:, number] = column_N if coordinate.category is None else column_N == coordinate.category
    return x_ND


def image_bounds(contract: Contract) -> tuple[float, float]:
    """Lowest and highest stored value of an image contract."""
    if contract.range is None:
        raise DataError(expected("'range' in an image contract", got="none", remedy="add range: [low, high]"))
    return contract.range[0], contract.range[1]


def image_shape(contract: Contract) -> tuple[int, ...]:
    """(C, H, W) of an image contract."""
    if contract.shape is None:
        raise DataError(expected("'shape' in an image contract", got="none", remedy="add shape: [C, H, W]"))
    return contract.shape


def relative_rows(values: NDArray[Any], contract: Contract) -> Float64:
    """Rows of raw values as (n, D) float64 coordinates, each from 0 to 1 within its range."""
    if contract.kind == "image":
        low, high = image_bounds(contract)
        return np.asarray((values.reshape(len(values), -1).astype(np.float64) - low) / (high - low))
    coordinates = table_coordinates(contract)
    lower_D = np.array([coordinate.lower for coordinate in coordinates])
    upper_D = np.array([coordinate.upper for coordinate in coordinates])
    return np.asarray((encode(values, coordinates) - lower_D) / (upper_D - lower_D))


def finite(limit: float | None) -> float:
    """A limit that the contract's type guarantees; DataError where it is missing all the same."""
    if limit is None:
        raise DataError(expected("'minimum' and 'maximum' of a feature", got="none", remedy="add them to the contract"))
    return limit
