"""Small data sets that keep their contract; each test breaks one thing."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np

from robustcert.data.checks.facts import Facts
from robustcert.data.contract import contract_of, provenance_of
from robustcert.data.raw import RawData
from robustcert.data.splits import splits_of
from robustcert.specification import Data

TODAY = date(2026, 5, 17)
SHA256 = "ab" * 32
PROVENANCE = {"source": "made for a test", "licence": "CC0-1.0", "collectedAt": "2026-01"}
IMAGES = {"kind": "image", "classes": ("cat", "dog"), "shape": (1, 4, 4), "range": (0.0, 255.0), "divideBy": 255.0}
FEATURES = (
    {"name": "age", "kind": "integer", "unit": "years", "minimum": 0.0, "maximum": 120.0},
    {"name": "dose", "unit": "mg", "minimum": 0.0, "maximum": 10.0},
    {"name": "smoker", "kind": "binary"},
    {"name": "site", "kind": "categorical", "categories": ("north", "south", "east")},
)
TABLE = {"kind": "tabular", "classes": ("ill", "well"), "features": FEATURES, "label": "state"}


def image_data(*, source: str = "images.npz", provenance: dict[str, Any] | None = None, **contract: Any) -> Data:
    """Data of images; `contract` replaces fields of the contract by their YAML names."""
    return _data(source, {**IMAGES, **contract}, provenance)


def table_data(*, source: str = "table.csv", provenance: dict[str, Any] | None = None, **contract: Any) -> Data:
    """Data of a table; `contract` replaces fields of the contract by their YAML names."""
    return _data(source, {**TABLE, **contract}, provenance)


def raw_images(n: int = 40, *, seed: int = 5, **changes: Any) -> RawData:
    """Random 1x4x4 uint8 images, all far from each other, labels alternating."""
    values = np.random.default_rng(seed).integers(0, 256, size=(n, 1, 4, 4), dtype=np.uint8)
    return _raw(n, **{"values": values, "label_names": IMAGES["classes"], **changes})


def raw_table(n: int = 40, *, seed: int = 5, **changes: Any) -> RawData:
    """A table as the contract above asks for, all rows different, labels alternating."""
    rng = np.random.default_rng(seed)
    columns = (rng.permutation(n), rng.uniform(0, 10, n), rng.integers(0, 2, n), rng.integers(0, 3, n))
    names = tuple(str(feature["name"]) for feature in FEATURES)
    values = np.column_stack(columns).astype(np.float64)
    return _raw(n, **{"values": values, "label_names": TABLE["classes"], "columns": names, **changes})


def facts(data: Data, raw: RawData, **changes: Any) -> Facts:
    """The facts that validation would gather, seed 0, standard profile."""
    given: dict[str, Any] = {
        "contract": contract_of(data),
        "provenance": provenance_of(data),
        "raw": raw,
        "split": splits_of(raw, fractions=data.splits, seed=0),
        "profile": "standard",
        "today": TODAY,
    }
    return Facts(**{**given, **changes})


def planted(array: np.ndarray[Any, Any], place: Any, value: Any) -> np.ndarray[Any, Any]:
    """A copy of `array` with one value changed."""
    changed = array.copy()
    changed[place] = value
    return changed


def _raw(n: int, **fields: Any) -> RawData:
    given: dict[str, Any] = {
        "labels": np.arange(n, dtype=np.int64) % 2,
        "sample_ids": np.arange(n, dtype=np.int64),
        "source": "made.npz",
        "source_sha256": SHA256,
    }
    return RawData(**{**given, **fields})


def _data(source: str, contract: dict[str, Any], provenance: dict[str, Any] | None) -> Data:
    written = {"source": source, "contract": contract, "provenance": {**PROVENANCE, **(provenance or {})}}
    return Data.model_validate(written)
