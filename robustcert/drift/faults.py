"""Faults of sensors and pipelines, planted into a logged window: missing, noisy, stuck, other unit, swapped, bright.

What comes out is a window like any other, to be replayed offline through the same drift step: does it find the fault,
and what does the model make of it? Logged answers are dropped, since they were given to other inputs. Everything
depends on seed and row number only. Shapes: B rows, Q columns: the features of a table, the pixels of an image.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from robustcert.data.raw import Cell
from robustcert.drift.fault_columns import FaultColumns, fault_columns
from robustcert.drift.row_batch import RowBatch
from robustcert.drift.row_random import normals, uniforms
from robustcert.drift.rows import RowSource
from robustcert.drift.window_file import WindowWriter
from robustcert.errors import InputError, expected
from robustcert.specification import Contract

Float64 = NDArray[np.float64]
FaultKind = Literal["missing", "noise", "stuck", "unit", "swapped", "brightness"]

STUCK_ROWS = 100

# What severity 1 to 5 means: shares of the cells (missing), of the range (noise, brightness), of blocks of STUCK_ROWS
# rows (stuck) or of the rows (swapped); a factor (unit).
SEVERITIES: dict[FaultKind, tuple[float, ...]] = {
    "missing": (0.01, 0.05, 0.1, 0.25, 0.5),
    "noise": (0.02, 0.05, 0.1, 0.2, 0.4),
    "stuck": (0.1, 0.25, 0.5, 0.75, 1.0),
    "unit": (2.54, 10.0, 25.4, 100.0, 1000.0),
    "swapped": (0.2, 0.4, 0.6, 0.8, 1.0),
    "brightness": (0.05, 0.1, 0.2, 0.3, 0.5),
}


@dataclass(frozen=True, kw_only=True)
class Fault:
    """`kind` at `severity` 1 to 5 in `columns` of a table: all that can have it where none are named.

    Images have their faults in all pixels. `swapped` is of two columns. Raises: InputError for another severity.
    """

    kind: FaultKind
    severity: int = 3
    columns: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.kind not in SEVERITIES or not 1 <= self.severity <= len(SEVERITIES[self.kind]):
            what = f"a fault ({', '.join(SEVERITIES)}) of severity 1 to 5"
            raise InputError(expected(what, got=f"{self.kind} of {self.severity}", remedy="choose one"))

    @property
    def size(self) -> float:
        """What the severity means."""
        return SEVERITIES[self.kind][self.severity - 1]


@dataclass(frozen=True, kw_only=True)
class FaultyWindow:
    """The window that was written: `changed` of its `rows` rows differ from the log's."""

    path: Path
    sha256: str
    rows: int
    changed: int


@dataclass(frozen=True, kw_only=True, eq=False)
class Planting:
    """One batch to be changed: values (B, Q), row numbers (B,), the columns that get the fault, and what is known."""

    values_BQ: Float64
    rows: NDArray[np.int64]
    chosen: NDArray[np.int64]
    columns: FaultColumns
    first_Q: Float64
    size: float
    seed: int

    def chance(self, purpose: str, column: int) -> Float64:
        """A number from 0 to 1 for each row (B,)."""
        return uniforms(self.seed, purpose, self.rows, column=column)


def inject(source: RowSource, fault: Fault, target: Path, *, seed: int) -> FaultyWindow:
    """Writes the window with the fault as Parquet, whole or not at all; memory does not grow with the rows.

    Cells that could not be read become empty. Raises: InputError where the fault fits no column; StorageError where the
    disk refuses.
    """
    columns = fault_columns(source.contract)
    chosen = _chosen(fault, columns)
    first: Float64 | None = None
    rows = changed = 0
    with WindowWriter(target, contract=source.contract) as writer:
        for batch in source.batches():
            first = _first_values(batch) if first is None else first
            found = with_fault(batch, fault, chosen=chosen, columns=columns, first_Q=first, seed=seed)
            before, after = (part.values.reshape(len(batch), -1) for part in (batch, found))
            changed += int(np.sum(~((before == after) | (np.isnan(before) & np.isnan(after))).all(axis=1)))
            rows += len(batch)
            writer.write(found)
    return FaultyWindow(path=target, sha256=writer.sha256, rows=rows, changed=changed)


def with_fault(
    batch: RowBatch, fault: Fault, *, chosen: NDArray[np.int64], columns: FaultColumns, first_Q: Float64, seed: int
) -> RowBatch:
    """The batch with the fault in the `chosen` columns; `first_Q`: the values at which a column gets stuck."""
    shape = batch.values.shape
    planting = Planting(
        values_BQ=np.array(batch.values, dtype=np.float64).reshape(len(batch), -1),
        rows=batch.answers.rows, chosen=chosen, columns=columns, first_Q=first_Q, size=fault.size, seed=seed,
    )  # fmt: skip
    values_BQ = PLANTERS[fault.kind](planting)
    cells = batch.cells
    if cells is not None:
        cells = np.where(np.isnan(values_BQ) & (cells == Cell.READ), np.uint8(Cell.ABSENT), cells)
    return replace(batch, values=values_BQ.reshape(shape), cells=cells)


def _missing(planting: Planting) -> Float64:
    """Empty cells of a table, dead pixels of an image."""
    values_BQ = planting.values_BQ
    for column in planting.chosen.tolist():
        lost = planting.chance("missing", column) < planting.size
        values_BQ[lost, column] = planting.columns.low[column] if planting.columns.pixels else np.nan
    return values_BQ


def _noise(planting: Planting) -> Float64:
    """Normal noise within the range; of a category or a yes/no the draw of another one."""
    values_BQ, columns = planting.values_BQ, planting.columns
    for column in planting.chosen.tolist():
        low, high = columns.low[column], columns.high[column]
        if columns.coded[column]:
            other = low + np.floor(planting.chance("other", column) * (high - low + 1))
            drawn = np.where(planting.chance("noise", column) < planting.size, other, values_BQ[:, column])
        else:
            noise = normals(planting.seed, "noise", planting.rows, column=column)
            drawn = np.clip(values_BQ[:, column] + planting.size * (high - low) * noise, low, high)
        values_BQ[:, column] = _kept_kind(drawn, planting, column)
    return values_BQ


def _stuck(planting: Planting) -> Float64:
    """The window's first value again and again, in some blocks of STUCK_ROWS rows."""
    blocks = planting.rows // STUCK_ROWS
    for column in planting.chosen.tolist():
        stuck = uniforms(planting.seed, "stuck", blocks, column=column) < planting.size
        planting.values_BQ[stuck, column] = planting.first_Q[column]
    return planting.values_BQ


def _unit(planting: Planting) -> Float64:
    """Every number divided by a factor."""
    for column in planting.chosen.tolist():
        planting.values_BQ[:, column] = _kept_kind(planting.values_BQ[:, column] / planting.size, planting, column)
    return planting.values_BQ


def _swapped(planting: Planting) -> Float64:
    """Two columns with each other's values, in some rows."""
    one, other = planting.chosen.tolist()
    rows = np.flatnonzero(planting.chance("swapped", 0) < planting.size)
    planting.values_BQ[rows[:, None], [one, other]] = planting.values_BQ[rows[:, None], [other, one]]
    return planting.values_BQ


def _brightness(planting: Planting) -> Float64:
    """All pixels brighter, up to the end of the range."""
    low, high = planting.columns.low, planting.columns.high
    return np.asarray(np.clip(planting.values_BQ + planting.size * (high - low), low, high))


PLANTERS: dict[FaultKind, Callable[[Planting], Float64]] = {
    "missing": _missing,
    "noise": _noise,
    "stuck": _stuck,
    "unit": _unit,
    "swapped": _swapped,
    "brightness": _brightness,
}


def _kept_kind(values: Float64, planting: Planting, column: int) -> Float64:
    return np.rint(values) if planting.columns.whole[column] else values


def _chosen(fault: Fault, columns: FaultColumns) -> NDArray[np.int64]:
    """The columns that get the fault; InputError where it does not fit them."""
    able = columns.able(fault.kind)
    named = [number for number, name in enumerate(columns.names) if name in fault.columns]
    chosen = named if fault.columns else able
    wrong = sorted(set(fault.columns) - {columns.names[number] for number in able})
    if fault.kind == "swapped":
        chosen = chosen[:2] if not fault.columns else chosen
    if wrong or not chosen or (fault.kind == "swapped" and len(chosen) != 2):
        what = "two columns of numbers to swap" if fault.kind == "swapped" else f"columns for the fault {fault.kind!r}"
        got = ", ".join(map(repr, wrong or fault.columns)) or "a window without such"
        raise InputError(expected(what, got=got, remedy="name features of the contract that can have it"))
    return np.array(chosen, dtype=np.int64)


def _first_values(batch: RowBatch) -> Float64:
    """The first value of each column that is a number, (Q,), NaN where the batch has none."""
    values_BQ: NDArray[Any] = np.asarray(batch.values, dtype=np.float64).reshape(len(batch), -1)
    given = np.isfinite(values_BQ)
    first = values_BQ[given.argmax(axis=0), np.arange(values_BQ.shape[1])]
    return np.where(given.any(axis=0), first, np.nan)


def fits(kind: FaultKind, contract: Contract) -> bool:
    """Whether data of this contract can have that fault."""
    return len(fault_columns(contract).able(kind)) >= (2 if kind == "swapped" else 1)
