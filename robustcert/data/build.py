"""Build the Dataset: splits, integer grid, ranges and scales from raw data that validation has passed.

Grid: images of integers n have x_int = 16 n and unit 1 / (16 divide_by); float images x_int = rint(4096 x), unit
1/4096; a table's continuous and integer features the power of two nearest to std / 4096, std over the training split.
Shapes: N samples, *shape, D coordinates.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from robustcert.data.contract import contract_of, provenance_of
from robustcert.data.coordinates import Coordinate, encode, image_bounds, image_shape, table_coordinates
from robustcert.data.dataset import Dataset, DatasetCard, refuse_inconsistent
from robustcert.data.raw import RawData
from robustcert.data.splits import SPLITS, splits_of
from robustcert.errors import DataError, expected
from robustcert.specification import Contract, Data

STEPS_PER_INTEGER = 16
STEPS_PER_FLOAT = 4096
GRID_BITS = 12  # a table's standard deviation spans about 2**12 grid steps
INT32_MAX = 2**31 - 1

Float64 = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Grid:
    """x: rounded but unclipped grid steps, float64 (N, *shape); the rest per coordinate, in input units."""

    x: Float64
    unit: Float64
    scale: Float64
    lower: Float64
    upper: Float64
    perturbable: NDArray[np.bool_]


def build_dataset(data: Data, raw: RawData, *, seed: int) -> Dataset:
    """The data set of `raw` in the order of its sample ids; DataError for what makes building impossible."""
    contract = contract_of(data)
    order = np.argsort(raw.sample_ids, kind="stable")
    split = splits_of(raw, fractions=data.splits, seed=seed)
    _refuse_missing_values(raw)
    _refuse_empty_split(split)
    grid = _image_grid(raw, contract) if contract.kind == "image" else _table_grid(raw, contract, split)
    dataset = Dataset(
        card=_card(data, raw), x_int=grid_steps(grid)[order], y=raw.labels[order], sample_ids=raw.sample_ids[order],
        split=split[order], unit=grid.unit, scale=grid.scale, lower=grid.lower, upper=grid.upper,
        perturbable=grid.perturbable,
    )  # fmt: skip
    refuse_inconsistent(dataset)
    return dataset


def _refuse_missing_values(raw: RawData) -> None:
    if not np.all(np.isfinite(raw.values)):
        raise DataError(expected("finite values", got="a missing value, NaN or inf", remedy="validate the data first"))


def _refuse_empty_split(split: NDArray[np.int8]) -> None:
    empty = [name for code, name in enumerate(SPLITS) if not np.any(split == code)]
    if empty:
        remedy = "give more samples or other fractions"
        raise DataError(expected("samples in every split", got=f"none in {empty[0]}", remedy=remedy))


def _image_grid(raw: RawData, contract: Contract) -> Grid:
    shape = image_shape(contract)
    steps, unit, low, high = _image_steps(raw, contract)
    return Grid(
        x=np.rint(raw.values.astype(np.float64) * steps),
        unit=np.full(shape, unit), scale=np.ones(shape), perturbable=np.ones(shape, dtype=np.bool_),
        lower=np.full(shape, low), upper=np.full(shape, high),
    )  # fmt: skip


def _image_steps(raw: RawData, contract: Contract) -> tuple[float, float, float, float]:
    """Grid steps per stored value, input units per step, and the range in input units.

    The range of integers goes through the same product as the inputs, so that its ends equal inputs bit for bit.
    """
    (low, high), divide_by = image_bounds(contract), contract.divide_by
    if _stores_integers(raw):
        unit = 1 / (STEPS_PER_INTEGER * divide_by)
        return STEPS_PER_INTEGER, unit, low * STEPS_PER_INTEGER * unit, high * STEPS_PER_INTEGER * unit
    return STEPS_PER_FLOAT / divide_by, 1 / STEPS_PER_FLOAT, low / divide_by, high / divide_by


def _stores_integers(raw: RawData) -> bool:
    return raw.values.dtype.kind in "biu"


def _table_grid(raw: RawData, contract: Contract, split: NDArray[np.int8]) -> Grid:
    coordinates = table_coordinates(contract)
    x_ND = encode(raw.values, coordinates)
    scale_D = np.array([_scale(x_N, c) for x_N, c in zip(x_ND[split == 0].T, coordinates, strict=True)])
    unit_D = np.array([_unit(scale, c) for scale, c in zip(scale_D, coordinates, strict=True)])
    return Grid(
        x=np.rint(x_ND / unit_D), unit=unit_D, scale=scale_D,
        lower=np.array([c.lower for c in coordinates]), upper=np.array([c.upper for c in coordinates]),
        perturbable=np.array([c.perturbable for c in coordinates], dtype=np.bool_),
    )  # fmt: skip


def _scale(x_N: Float64, coordinate: Coordinate) -> float:
    return population_std(x_N.tolist()) if coordinate.scaled else 1.0


def population_std(values: Sequence[float]) -> float:
    """Population standard deviation by exact sums, hence the same in any order; 1 where all values are equal.

    >>> population_std([1.0, 3.0])
    1.0
    """
    if min(values) == max(values):
        return 1.0
    mean = math.fsum(values) / len(values)
    return math.sqrt(math.fsum((value - mean) ** 2 for value in values) / len(values))


def _unit(scale: float, coordinate: Coordinate) -> float:
    return math.ldexp(1.0, nearest_power_of_two(scale) - GRID_BITS) if coordinate.scaled else 1.0


def nearest_power_of_two(value: float) -> int:
    """round(log2(value)) for value > 0, without a logarithm's rounding.

    >>> [nearest_power_of_two(value) for value in (1.0, 1.4, 1.5, 0.3)]
    [0, 0, 1, -2]
    """
    mantissa, exponent = math.frexp(value)
    return exponent if mantissa >= math.sqrt(0.5) else exponent - 1


def grid_steps(grid: Grid) -> NDArray[np.int32]:
    """Grid steps as int32; an input that rounding pushed over an end of its range goes back by the one step."""
    if np.abs(grid.x).max() > INT32_MAX:
        got = "a value more than 500,000 standard deviations from 0"
        raise DataError(expected("values on a grid of 32 bits", got=got, remedy="store them from another zero point"))
    inside = np.clip(grid.x, *_inner_steps(grid))
    return np.where(np.abs(inside - grid.x) <= 1, inside, grid.x).astype(np.int32)


def _inner_steps(grid: Grid) -> tuple[Float64, Float64]:
    """The first and the last grid step whose input, in float64, is within the range."""
    first, last = np.ceil(grid.lower / grid.unit) - 1, np.floor(grid.upper / grid.unit) + 1
    for _ in range(2):
        first = np.where(first * grid.unit < grid.lower, first + 1, first)
        last = np.where(last * grid.unit > grid.upper, last - 1, last)
    return first, last


def _card(data: Data, raw: RawData) -> DatasetCard:
    contract, provenance = contract_of(data), provenance_of(data)
    coordinates = table_coordinates(contract)
    return DatasetCard(
        kind=contract.kind,
        shape=image_shape(contract) if contract.kind == "image" else (len(coordinates),),
        classes=contract.classes,
        coordinates=tuple(coordinate.name for coordinate in coordinates),
        units=tuple(coordinate.unit for coordinate in coordinates),
        source=raw.source,
        source_sha256=raw.source_sha256,
        provenance=provenance,
        transforms=provenance.transforms + _transforms(contract, raw),
    )


def _transforms(contract: Contract, raw: RawData) -> tuple[str, ...]:
    """What was done to the stored values, in order, in words."""
    if contract.kind == "tabular":
        coding = "categorical features one-hot in the contract's order"
        grid = "grid: x_int = round(x / unit), unit = 2**(round(log2(std)) - 12) of the training split"
        return (coding, grid) if any(f.kind == "categorical" for f in contract.features) else (grid,)
    scaling = f"input = stored value / {contract.divide_by:g}"
    steps = "16 per stored integer" if _stores_integers(raw) else f"{STEPS_PER_FLOAT} per input unit"
    return (scaling, f"grid: x_int = round(input / unit), steps {steps}")
