"""Dataset: samples on an integer grid with splits, ranges and scales; what every later step reads.

An input is x = x_int * unit, float64. `scale` is the training split's standard deviation of a table's continuous and
integer features, 1 elsewhere. The file is safetensors with one metadata key, `robustcert`, that holds the card as
canonical JSON; equal data sets give equal bytes. Shapes: N samples, *shape = (C, H, W) for images, (D,) for tables.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from robustcert.data.splits import SPLITS
from robustcert.document import IssuedPart, Sha256
from robustcert.errors import DataError, StorageError, expected
from robustcert.provenance.digests import canonical_json
from robustcert.specification import Provenance
from robustcert.storage.atomic import disk_failure, draft
from robustcert.threat_model import Unit

METADATA_KEY = "robustcert"
PER_SAMPLE = {"x_int": np.int32, "y": np.int64, "sample_ids": np.int64, "split": np.int8}
PER_COORDINATE = {
    "unit": np.float64, "scale": np.float64, "lower": np.float64, "upper": np.float64, "perturbable": np.bool_,
}  # fmt: skip
REMEDY = "build the data set again with data validation"


class DatasetCard(IssuedPart):
    """What the arrays mean: kind, shape, classes, coordinate names and units, source, provenance, transform chain."""

    kind: Literal["image", "tabular"]
    shape: tuple[int, ...]
    classes: tuple[str, ...]
    coordinates: tuple[str, ...] = ()
    units: tuple[str, ...] = ()
    source: str
    source_sha256: Sha256
    provenance: Provenance
    transforms: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """x_int: int32 (N, *shape); y, sample_ids: int64 (N,); split: int8 (N,), 0 train, 1 validation, 2 test;
    unit, scale, lower, upper: float64 (*shape), input units; perturbable: bool (*shape).
    """

    card: DatasetCard
    x_int: NDArray[np.int32]
    y: NDArray[np.int64]
    sample_ids: NDArray[np.int64]
    split: NDArray[np.int8]
    unit: NDArray[np.float64]
    scale: NDArray[np.float64]
    lower: NDArray[np.float64]
    upper: NDArray[np.float64]
    perturbable: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.y)

    @property
    def n_classes(self) -> int:
        """K, the number of classes."""
        return len(self.card.classes)

    def x(self) -> NDArray[np.float64]:
        """The inputs, float64 (N, *shape), in input units."""
        return self.x_int * self.unit

    def select(self, split: Literal["train", "validation", "test"]) -> Dataset:
        """The samples of one split, in order."""
        return self._at(np.flatnonzero(self.split == SPLITS.index(split)))

    def rows(self, sample_ids: Sequence[int] | NDArray[np.int64]) -> Dataset:
        """The samples of these ids, in the order asked for; DataError for an id that is not there."""
        position = {int(sample): row for row, sample in enumerate(self.sample_ids)}
        missing = [int(sample) for sample in sample_ids if int(sample) not in position]
        if missing:
            remedy = "name ids of this data set"
            raise DataError(expected("sample ids of the data set", got=f"unknown id {missing[0]}", remedy=remedy))
        return self._at(np.array([position[int(sample)] for sample in sample_ids], dtype=np.int64))

    def perturbation_scale(self, unit: Unit) -> NDArray[np.float64]:
        """Input units per one `unit` of perturbation, float64 (*shape); 0 where nothing may be changed."""
        fixed = {"input": 1.0, "1/255": 1 / 255}
        scale = self.scale if unit == "feature_std" else np.full_like(self.scale, fixed[unit])
        return np.where(self.perturbable, scale, 0.0)

    def _at(self, index: NDArray[np.int64]) -> Dataset:
        return replace(
            self, x_int=self.x_int[index], y=self.y[index], sample_ids=self.sample_ids[index], split=self.split[index]
        )


def save_dataset(dataset: Dataset, path: Path) -> None:
    """Write `dataset` to `path` at once or not at all; StorageError where the disk refuses."""
    card = canonical_json(dataset.card.model_dump(mode="json", by_alias=True)).decode("ascii")
    arrays = {name: np.ascontiguousarray(getattr(dataset, name)) for name in (*PER_SAMPLE, *PER_COORDINATE)}
    try:
        with draft(path.parent) as part:
            part.write([save(arrays, metadata={METADATA_KEY: card})])
            part.replace(path)
    except OSError as error:
        raise StorageError(disk_failure(error, wanted="to write the data set", path=path)) from error


def load_dataset(path: Path) -> Dataset:
    """The data set in `path`, every array checked against its card; DataError says what is wrong."""
    dataset = _read(path)
    refuse_inconsistent(dataset)
    return dataset


def refuse_inconsistent(dataset: Dataset) -> None:
    """DataError unless shapes, types, labels, splits, ids, scales and ranges fit together."""
    for name in (field.name for field in fields(dataset) if field.name != "card"):
        _refuse_shape(dataset, name)
    for holds, what in _content(dataset):
        if not holds:
            raise DataError(expected(what, got="a data set where that does not hold", remedy=REMEDY))


def _read(path: Path) -> Dataset:
    what = f"a data set file at {path.name!r}"
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (safe_open is no mapping)
        card = DatasetCard.model_validate_json(metadata[METADATA_KEY])
        return Dataset(card=card, **arrays)
    except OSError as error:
        raise DataError(expected(what, got=error.strerror or error, remedy="name a readable file")) from error
    except (SafetensorError, KeyError, TypeError, ValidationError) as error:
        raise DataError(expected(what, got=f"something else ({_first_line(error)})", remedy=REMEDY)) from error


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)


def _refuse_shape(dataset: Dataset, name: str) -> None:
    array, shape, n = getattr(dataset, name), dataset.card.shape, len(dataset.sample_ids)
    per_coordinate = shape if name not in PER_SAMPLE or name == "x_int" else ()
    wanted = ((n,) if name in PER_SAMPLE else ()) + per_coordinate
    dtype = np.dtype({**PER_SAMPLE, **PER_COORDINATE}[name])
    if array.shape != wanted or array.dtype != dtype:
        raise DataError(expected(f"{name} as {dtype} {wanted}", got=f"{array.dtype} {array.shape}", remedy=REMEDY))


def _content(dataset: Dataset) -> tuple[tuple[bool, str], ...]:
    unit, scale, lower, upper, x = dataset.unit, dataset.scale, dataset.lower, dataset.upper, dataset.x()
    return (
        (bool(np.all((dataset.y >= 0) & (dataset.y < dataset.n_classes))), "every label to be the index of a class"),
        (bool(np.isin(dataset.split, range(len(SPLITS))).all()), "every split to be 0, 1 or 2"),
        (len(np.unique(dataset.sample_ids)) == len(dataset), "every sample id once"),
        (bool(np.all(np.isfinite(unit) & (unit > 0))), "every unit to be finite and positive"),
        (bool(np.all(np.isfinite(scale) & (scale > 0))), "every scale to be finite and positive"),
        (bool(np.all(np.isfinite(lower) & np.isfinite(upper) & (lower < upper))), "finite ranges with lower < upper"),
        (bool(np.all((lower <= x) & (x <= upper))), "every input within its range"),
    )
