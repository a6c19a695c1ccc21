"""Logged windows as files: rows in the payload log's columns, and the contracts that they are held to."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import parquet

from tests.data.examples import image_data, table_data

TABLE = table_data()
IMAGES = image_data()
MODEL_SHA256 = "5a" * 32
FIRST = datetime(2026, 11, 21, 13, 0, 0, tzinfo=UTC)
SITES = ("north", "south", "east")


def table_columns(n: int, *, seed: int = 5) -> dict[str, Any]:
    """Columns of a clean log of the table contract: age, dose, smoker, site, and what a payload log adds."""
    rng = np.random.default_rng(seed)
    return {
        **answer_columns(n, rng=rng),
        "age": rng.integers(18, 90, n),
        "dose": rng.uniform(0, 10, n),
        "smoker": rng.integers(0, 2, n),
        "site": np.array(SITES)[rng.integers(0, 3, n)].tolist(),
    }


def answer_columns(n: int, *, rng: np.random.Generator) -> dict[str, Any]:
    """What a payload log adds to the inputs: one row a second, all answered, two segments."""
    return {
        "id": [f"event-{number:08d}" for number in range(n)],
        "time": pa.array([FIRST + timedelta(seconds=number) for number in range(n)], pa.timestamp("us", "UTC")),
        "prediction": pa.array(rng.integers(0, 2, n), pa.int32()),
        "outcome": ["predicted"] * n,
        "margin": pa.array(rng.uniform(0, 5, n), pa.float32()),
        "distance": pa.array(rng.uniform(0.5, 1.5, n), pa.float32()),
        "segment": [("web", "app")[number % 2] for number in range(n)],
        "model_sha256": [MODEL_SHA256] * n,
    }


def image_columns(x_BX: NDArray[Any], *, seed: int = 5) -> dict[str, Any]:
    """Columns of a log of images as stored."""
    flat = np.asarray(x_BX, dtype=np.float32).reshape(len(x_BX), -1)
    pixels = pa.FixedSizeListArray.from_arrays(pa.array(flat.ravel()), flat.shape[1])
    return {**answer_columns(len(flat), rng=np.random.default_rng(seed)), "x": pixels}


def write_log(path: Path, columns: dict[str, Any], **options: Any) -> str:
    """Writes one Parquet file and returns its path as text."""
    path.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(pa.table(columns), path, **options)
    return str(path)
