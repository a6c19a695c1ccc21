"""Logged windows of the chain's digits, as the payload log writes them: rows that training saw, and what changed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import parquet
from sklearn.datasets import load_digits

from robustcert.data.dataset import load_dataset
from tests.chain import Chain

FIRST = datetime(2026, 11, 21, 13, 0, 0, tzinfo=UTC)
NOW = datetime(2026, 11, 21, 15, 0, 0, tzinfo=UTC)


def certified_split(chain: Chain, split: Any) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Raw rows (N, 64) of a certified split and their labels, straight from the source."""
    assert chain.files.dataset is not None
    ids, found = load_dataset(chain.files.dataset).select(split).sample_ids, load_digits()
    return found.data[ids], found.target[ids].astype(np.int64)


def training_rows(chain: Chain, *, rows: int = 600) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Rows that are not in the reference, drawn as its rows were: in their own order, writers come one by one."""
    x, y = certified_split(chain, "train")
    drawn = np.random.default_rng(1).permutation(len(x))[:rows]
    return x[drawn], y[drawn]


def noisy(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Within the contract, and unlike anything certified."""
    return np.clip(np.rint(x + np.random.default_rng(0).normal(0, 4, x.shape)), 0, 16)


def write_window(path: Path, x_ND: NDArray[np.float64], **columns: Any) -> Path:
    """A Parquet log of digits with ids and times, one row a second; `columns` are added."""
    n = len(x_ND)
    flat = pa.array(np.asarray(x_ND, dtype=np.float32).ravel())
    written: dict[str, Any] = {
        "id": [f"event-{number:06d}" for number in range(n)],
        "time": pa.array([FIRST + timedelta(seconds=number) for number in range(n)], pa.timestamp("us", "UTC")),
        "x": pa.FixedSizeListArray.from_arrays(flat, 64),
    }
    parquet.write_table(pa.table(written | columns), path)
    return path


def write_labels(path: Path, y: NDArray[np.int64], *, every: int = 1) -> Path:
    """Labels that came a minute after each row, of one row in `every`."""
    numbers = range(0, len(y), every)
    times = [FIRST + timedelta(seconds=number + 60) for number in numbers]
    found = {
        "id": [f"event-{number:06d}" for number in numbers],
        "label": [str(int(y[number])) for number in numbers],
        "time": pa.array(times, pa.timestamp("us", "UTC")),
    }
    parquet.write_table(pa.table(found), path)
    return path
