"""What is counted of a window's rows to judge their quality: batch by batch, in memory that does not grow with them.

Shapes: B rows, Q columns: the features of a table, the pixels of an image.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robustcert.data.coordinates import finite, image_bounds
from robustcert.data.raw import Cell
from robustcert.drift.id_counts import IdCounts, Repeats
from robustcert.drift.row_batch import RowBatch
from robustcert.specification import Contract, Feature

Counts = NDArray[np.int64]
Float64 = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class ColumnFacts:
    """Per column (Q,): `nulls` (absent or NaN), `misread` (of another kind), `outside` the range, `unknown` categories.

    `mean` and `spread` (population standard deviation) are of the finite values, in stored units; `constant`: all are
    equal; `longest_run`: most rows in a row with one value, counted for the continuous features of a table.
    """

    names: tuple[str, ...]
    pixels: bool
    nulls: Counts
    misread: Counts
    outside: Counts
    unknown: Counts
    mean: Float64
    spread: Float64
    constant: NDArray[np.bool_]
    longest_run: Counts


@dataclass(frozen=True, kw_only=True, eq=False)
class WindowCounts:
    """`sound` of `rows` have no defect. `newest`: time of the newest row, None where rows carry none."""

    rows: int
    sound: int
    columns: ColumnFacts
    newest: np.datetime64 | None
    oldest: np.datetime64 | None
    repeats: Repeats | None
    labelled: int
    foreign_labels: int


class QualityCounter:
    """Counts one window."""

    def __init__(self, contract: Contract) -> None:
        self._contract = contract
        self._names = column_names(contract)
        self._low, self._high = _limits(contract)
        self._whole, self._coded, self._runs = (_which(contract, kind) for kind in ("integer", "coded", "continuous"))
        size = len(self._names)
        self._counts = {name: np.zeros(size, dtype=np.int64) for name in ("nulls", "misread", "outside", "unknown")}
        self._moments = _Moments(size)
        self._run_now, self._run_most = np.zeros(size, dtype=np.int64), np.zeros(size, dtype=np.int64)
        self._last = np.full(size, np.nan)
        self._rows = self._sound = self._labelled = self._foreign = 0
        self._ids: IdCounts | None = None
        self._newest: np.datetime64 | None = None
        self._oldest: np.datetime64 | None = None

    def add(self, batch: RowBatch) -> NDArray[np.bool_]:
        """Counts some rows; which of them have no defect, bool (B,)."""
        values_BQ = np.asarray(batch.values).reshape(len(batch), -1)
        defects = self._defects(values_BQ, batch.cells)
        sound_B = np.ones(len(batch), dtype=np.bool_)
        for name, mask_BQ in defects.items():
            self._counts[name] += mask_BQ.sum(axis=0)
            sound_B &= ~mask_BQ.any(axis=1)
        self._moments.add(values_BQ)
        self._add_runs(values_BQ)
        self._add_answers(batch)
        self._rows += len(batch)
        self._sound += int(sound_B.sum())
        return sound_B

    def counted(self) -> WindowCounts:
        """What was counted so far."""
        mean, spread, constant = self._moments.found()
        columns = ColumnFacts(
            names=self._names,
            pixels=self._contract.kind == "image",
            mean=mean,
            spread=spread,
            constant=constant,
            longest_run=self._run_most,
            **self._counts,
        )
        return WindowCounts(
            rows=self._rows, sound=self._sound, columns=columns, newest=self._newest, oldest=self._oldest,
            repeats=None if self._ids is None else self._ids.repeats(), labelled=self._labelled,
            foreign_labels=self._foreign,
        )  # fmt: skip

    def _defects(self, values_BQ: NDArray[Any], cells: NDArray[np.uint8] | None) -> dict[str, NDArray[np.bool_]]:
        unreadable = np.zeros(values_BQ.shape, dtype=np.bool_) if cells is None else cells == Cell.UNREADABLE
        nulls = np.isnan(values_BQ) & ~unreadable
        infinite = np.isinf(values_BQ)
        outside = ~infinite & ((values_BQ < self._low) | (values_BQ > self._high))
        fraction = np.zeros_like(outside)
        if self._whole.any():
            some = values_BQ[:, self._whole]
            fraction[:, self._whole] = np.isfinite(some) & (np.rint(some) != some)
        unknown = (unreadable | outside) & self._coded
        return {
            "nulls": nulls,
            "misread": (unreadable & ~self._coded) | infinite | fraction,
            "outside": outside & ~self._coded,
            "unknown": unknown,
        }

    def _add_runs(self, values_BQ: NDArray[Any]) -> None:
        for column in np.flatnonzero(self._runs):
            values = values_BQ[:, column]
            breaks = np.flatnonzero(values != np.append(self._last[column], values[:-1]))
            lengths = np.diff(np.concatenate([[-self._run_now[column]], breaks, [len(values)]]))
            self._run_most[column] = max(self._run_most[column], lengths.max())
            self._run_now[column] = lengths[-1]
            self._last[column] = values[-1]

    def _add_answers(self, batch: RowBatch) -> None:
        answers = batch.answers
        if answers.ids is not None:
            self._ids = self._ids or IdCounts()
            self._ids.add(answers.ids)
        if answers.labels is not None:
            self._labelled += int(answers.labels.known.sum())
            self._foreign += int(answers.labels.foreign.sum())
        if answers.times is not None and not np.isnat(answers.times).all():
            given = answers.times[~np.isnat(answers.times)]
            self._newest = given.max() if self._newest is None else max(self._newest, given.max())
            self._oldest = given.min() if self._oldest is None else min(self._oldest, given.min())


class _Moments:
    """Mean, spread and whether constant, per column, of finite values; batches merge as in robustcert.drift.moments."""

    def __init__(self, size: int) -> None:
        self._n, self._mean, self._squares = (np.zeros(size) for _ in range(3))
        self._low, self._high = np.full(size, np.inf), np.full(size, -np.inf)

    def add(self, values_BQ: NDArray[Any]) -> None:
        x = np.asarray(values_BQ, dtype=np.float64)
        given = np.isfinite(x)
        whole = bool(given.all())
        n = np.full(x.shape[1], len(x), dtype=np.float64) if whole else given.sum(axis=0).astype(np.float64)
        x0 = x if whole else np.where(given, x, 0.0)
        with np.errstate(over="ignore", invalid="ignore"):
            mean = x0.sum(axis=0) / np.maximum(n, 1)
            apart = x0 - mean if whole else np.where(given, x0 - mean, 0.0)
            squares = np.einsum("bq,bq->q", apart, apart)
            together = np.maximum(self._n + n, 1)
            shift = mean - self._mean
            self._squares = self._squares + squares + shift**2 * self._n * n / together
            self._mean = self._mean + shift * n / together
        self._n = self._n + n
        self._low = np.minimum(self._low, (x if whole else np.where(given, x, np.inf)).min(axis=0))
        self._high = np.maximum(self._high, (x if whole else np.where(given, x, -np.inf)).max(axis=0))

    def found(self) -> tuple[Float64, Float64, NDArray[np.bool_]]:
        spread = np.sqrt(self._squares / np.maximum(self._n, 1))
        return np.where(self._n > 0, self._mean, np.nan), spread, np.asarray((self._n > 1) & (self._low == self._high))


def column_names(contract: Contract) -> tuple[str, ...]:
    """Names of the Q columns: the features of a table, the pixels of an image by channel, row and column."""
    if contract.kind == "image":
        shape = contract.shape or ()
        places = (np.unravel_index(number, shape) for number in range(math.prod(shape)))
        return tuple("x[" + ",".join(str(int(axis)) for axis in place) + "]" for place in places)
    return tuple(feature.name for feature in contract.features)


def _limits(contract: Contract) -> tuple[Float64, Float64]:
    if contract.kind == "image":
        low, high = image_bounds(contract)
        return np.array(low), np.array(high)
    limits = [_feature_limits(feature) for feature in contract.features]
    return np.array([low for low, _ in limits]), np.array([high for _, high in limits])


def _feature_limits(feature: Feature) -> tuple[float, float]:
    if feature.kind == "categorical":
        return 0.0, len(feature.categories) - 1.0
    return (0.0, 1.0) if feature.kind == "binary" else (finite(feature.minimum), finite(feature.maximum))


def _which(contract: Contract, kind: str) -> NDArray[np.bool_]:
    """Which columns hold whole numbers, categories (coded), or continuous numbers; no pixel does."""
    kinds = {"integer": ("integer", "binary"), "coded": ("categorical",), "continuous": ("continuous",)}[kind]
    if contract.kind == "image":
        return np.zeros(math.prod(contract.shape or ()), dtype=np.bool_)
    return np.array([feature.kind in kinds for feature in contract.features], dtype=np.bool_)
