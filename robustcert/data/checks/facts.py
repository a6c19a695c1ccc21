"""Facts: everything that a check may look at; and Breach, what a check gives where the facts breach the contract."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from robustcert.data.raw import RawData
from robustcert.specification import Contract, Provenance

Profile = Literal["standard", "high-stakes"]
Severity = Literal["error", "warning"]


@dataclass(frozen=True, kw_only=True)
class Breach:
    """`message`: expected, got, remedy, in one line. `affected`: bool (N,), None where it is not about samples.

    `of`: how many samples could have been affected, None for all.
    """

    message: str
    affected: NDArray[np.bool_] | None = None
    severity: Severity = "error"
    of: int | None = None


@dataclass(frozen=True, kw_only=True)
class Facts:
    """Raw data, what they promise, their splits (int8, (N,)), and the day on which approvals must be current."""

    contract: Contract
    provenance: Provenance
    raw: RawData
    split: NDArray[np.int8]
    profile: Profile
    today: date

    @cached_property
    def first_copy(self) -> NDArray[np.int64]:
        """For each sample, the row of the first sample with the same input; int64 (N,)."""
        return first_copies(self.raw.values)

    @property
    def table_cells(self) -> NDArray[Any]:
        """State of each cell, uint8 (N, F); all READ where the source has no notion of an empty cell."""
        if self.raw.cells is not None:
            return self.raw.cells
        return np.zeros(self.raw.values.shape, dtype=np.uint8)

    def name(self, row: int) -> str:
        """How a message names the sample of that row."""
        return f"sample {self.raw.sample_ids[row]}"


Check = Callable[[Facts], Breach | None]


def first_copies(values: NDArray[Any]) -> NDArray[np.int64]:
    """For each row, the first row with the same values; 0.0 and -0.0 are the same, as are all NaN."""
    seen: dict[bytes, int] = {}
    first = np.empty(len(values), dtype=np.int64)
    for row, value in enumerate(values):
        key = hashlib.blake2b(_canonical(value), digest_size=16).digest()
        first[row] = seen.setdefault(key, row)
    return first


def _canonical(value: NDArray[Any]) -> bytes:
    if value.dtype.kind != "f":
        return value.tobytes()
    return np.where(np.isnan(value), np.nan, value + 0.0).tobytes()


def any_coordinate(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which samples, bool (N,), have a True anywhere in `mask` (N, ...)."""
    return np.asarray(mask.reshape(len(mask), -1).any(axis=1))


def first_of(mask: NDArray[np.bool_]) -> tuple[int, ...]:
    """Index of the first True in C order."""
    return tuple(int(index) for index in np.unravel_index(int(np.argmax(mask)), mask.shape))
