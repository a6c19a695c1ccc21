"""Rows of a logged window, streamed: a Parquet file, a folder of them as the payload log writes, CSV or .npz.

On disk or on S3. Memory does not grow with the rows (but for .npz, which is unpacked whole, within the limits of
robustcert.data.source_npz). What the columns mean is said by the contract of the certified data, and by
`robustcert.drift.row_columns` for what a log adds: id, time, prediction, outcome, margin, distance, segment,
model_sha256, data_version, and the contract's label. Ranges are not checked here: `robustcert.drift.quality` does.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robustcert.data.contract import contract_of
from robustcert.data.coordinates import encode, table_coordinates
from robustcert.data.raw import Cell
from robustcert.data.source_npz import read_npz
from robustcert.drift.row_batch import Answers, ClassColumn, RowBatch, joined
from robustcert.drift.row_columns import answer_columns, answers, equal_to, label_column, row_batch, value_columns
from robustcert.drift.row_files import RowFile, row_files
from robustcert.drift.table_batches import table_batches, table_columns, table_rows
from robustcert.errors import DataError, expected
from robustcert.specification import Contract, Data

CELLS_PER_BATCH = 1 << 19  # 4 MiB of float64; larger ones are no faster
MOST_ROWS_PER_BATCH = 1 << 16


@dataclass(frozen=True, kw_only=True)
class RowFilter:
    """Which rows of a log are the window: from `since` to before `until`, answered by the model of that SHA-256."""

    since: datetime | None = None
    until: datetime | None = None
    model_sha256: str | None = None

    def mask(self, found: Answers) -> NDArray[np.bool_]:
        """Which rows are meant, bool (B,); DataError where the log does not say what the filter asks."""
        kept = np.ones(len(found), dtype=np.bool_)
        if self.since is not None:
            kept &= _asked(found.times, "time") >= _moment(self.since)  # never so where there is no time
        if self.until is not None:
            kept &= _asked(found.times, "time") < _moment(self.until)
        if self.model_sha256 is not None:
            kept &= equal_to(_asked(found.models, "model_sha256"), self.model_sha256)
        return kept


EVERY_ROW = RowFilter()


@dataclass(frozen=True, kw_only=True)
class RowSource:
    """An opened window, read as often as asked. `source` is a name without folders of a machine, `place` where it lies.

    `files`: what was read, each with its digest; `sha256`: of the one file, empty where the window is a folder.
    `columns`: those that every file has; `absent`: columns of the contract that some file lacks.
    `file_rows`: rows of all files before the filter, None where a file does not tell (CSV, .npz).
    """

    source: str
    place: str
    sha256: str
    files: tuple[RowFile, ...]
    columns: frozenset[str]
    absent: tuple[str, ...]
    file_rows: int | None
    contract: Contract
    kept: RowFilter

    def batches(self) -> Iterator[RowBatch]:
        """The rows, some at a time; DataError for what can't be read."""
        wanted = (*answer_columns(self.contract), *value_columns(self.contract))
        return self._each(wanted, lambda table, row: row_batch(table, self.contract, first_row=row))

    @property
    def holds_labels(self) -> bool:
        """Whether it is one file that has the labels in itself, as a recertification needs them."""
        return bool(self.sha256) and (_is_npz(self.files[0]) or label_column(self.contract) in self.columns)

    def answers(self) -> Iterator[Answers]:
        """The rows without their inputs, which are then not even decoded."""
        if _is_npz(self.files[0]):
            return (batch.answers for batch in self.batches())
        wanted = answer_columns(self.contract)
        return self._each(wanted, lambda table, row: answers(table, self.contract, first_row=row))

    def _each(self, wanted: tuple[str, ...], of_table: Callable[[Any, int], Any]) -> Iterator[Any]:
        row = 0
        for file in self.files:
            for part in self._parts(file, wanted, first_row=row, of_table=of_table):
                row += len(part)
                kept = self.kept.mask(part.answers if isinstance(part, RowBatch) else part)
                if kept.any():
                    yield part if kept.all() else part.at(kept)
            file.refuse_changed()

    def _parts(
        self, file: RowFile, wanted: tuple[str, ...], *, first_row: int, of_table: Callable[[Any, int], Any]
    ) -> Iterator[Any]:
        if _is_npz(file):
            yield from _npz_batches(file.path, self.contract)
            return
        row = first_row
        for table in table_batches(file.path, name=file.name, columns=wanted, rows=rows_per_batch(self.contract)):
            yield of_table(table, row)
            row += table.num_rows


@contextmanager
def open_rows(uri: str, *, data: Data, kept: RowFilter = EVERY_ROW) -> Iterator[RowSource]:
    """The window at a path or s3:// URI, by the contract of `data`; open for as long as the context lasts.

    Raises: DataError for everything that is wrong with it, StorageError where S3 fails.
    """
    contract = contract_of(data)
    with row_files(uri) as found:
        _refuse_kind(found.files[0].path, contract)
        columns = frozenset.intersection(*(_columns(file, contract) for file in found.files))
        counts = [_file_rows(file) for file in found.files]
        yield RowSource(
            source=found.source,
            place=uri if uri.startswith("s3://") else str(Path(uri.removeprefix("file://")).resolve()),
            sha256="" if found.folder else found.files[0].sha256,
            files=found.files,
            columns=columns,
            absent=tuple(name for name in value_columns(contract) if name not in columns),
            file_rows=None if None in counts else sum(count or 0 for count in counts),
            contract=contract,
            kept=kept,
        )


def sampled(source: RowSource, *, rows: int, seed: int) -> RowBatch:
    """At most `rows` rows drawn without replacement, in the order of the window; memory for twice as many.

    Whether a row is drawn depends on `seed` and its number only. DataError for a window without any row.
    """
    from robustcert.drift.row_random import uniforms

    kept: RowBatch | None = None
    for batch in source.batches():
        together = batch if kept is None else joined([kept, batch])
        order = np.argsort(uniforms(seed, "sample", together.answers.rows), kind="stable")[:rows]
        kept = together.at(np.sort(order))
    if kept is None:
        raise DataError(expected(f"rows in {source.source!r}", got="none", remedy="name a window that holds some"))
    return kept


def inputs(batch: RowBatch, contract: Contract) -> NDArray[np.float64]:
    """The raw inputs of the model, float64: images (B, C, H, W) over `divideBy`, tables (B, D) one-hot.

    A row with a missing or unreadable value has NaN in it.
    """
    if contract.kind == "image":
        return np.asarray(batch.values, dtype=np.float64) / contract.divide_by
    x_BD = encode(batch.values, table_coordinates(contract))
    for number, coordinate in enumerate(table_coordinates(contract)):
        if batch.cells is not None and coordinate.category is not None:
            x_BD[batch.cells[:, coordinate.column] != Cell.READ, number] = np.nan
    return x_BD


def rows_per_batch(contract: Contract) -> int:
    """How many rows are held at a time."""
    width = math.prod(contract.shape) if contract.shape is not None else len(contract.features)
    return max(1, min(MOST_ROWS_PER_BATCH, CELLS_PER_BATCH // width))


def _npz_batches(path: Path, contract: Contract) -> Iterator[RowBatch]:
    samples = read_npz(path, contract=contract)
    _refuse_shape(samples.values, contract)
    size, n_classes = rows_per_batch(contract), len(contract.classes)
    for start in range(0, len(samples), size):
        values, labels = samples.values[start : start + size], samples.labels[start : start + size]
        known = (labels >= 0) & (labels < n_classes)
        column = ClassColumn(index=np.where(known, labels, 0), known=known, foreign=~known)
        rows = np.arange(start, start + len(values), dtype=np.int64)
        cells = None if contract.kind == "image" else np.zeros(values.shape, dtype=np.uint8)
        yield RowBatch(values=values, cells=cells, answers=Answers(rows=rows, labels=column))


def _is_npz(file: RowFile) -> bool:
    return file.path.suffix.lower() == ".npz"


def _columns(file: RowFile, contract: Contract) -> frozenset[str]:
    if _is_npz(file):
        return frozenset((*value_columns(contract), label_column(contract)))
    return frozenset(table_columns(file.path, name=file.name))


def _file_rows(file: RowFile) -> int | None:
    return None if _is_npz(file) else table_rows(file.path, name=file.name)


def _refuse_kind(path: Path, contract: Contract) -> None:
    if path.suffix.lower() == ".csv" and contract.kind == "image":
        got, remedy = "a .csv file", "give .npz, or Parquet with the pixels in column 'x'"
        raise DataError(expected("images", got=got, remedy=remedy))


def _refuse_shape(values: NDArray[Any], contract: Contract) -> None:
    wanted = contract.shape if contract.kind == "image" else (len(contract.features),)
    if values.shape[1:] != wanted or values.dtype.kind not in "biuf":
        got = f"{values.dtype} of shape {list(values.shape[1:])}"
        what = f"numbers of shape {list(wanted or ())} a row"
        raise DataError(expected(what, got=got, remedy="reshape x or correct the contract"))


def _asked(column: Any, name: str) -> Any:
    if column is None:
        remedy = "leave the filter out, or log that column"
        raise DataError(expected(f"a column {name!r} to choose rows by", got="none", remedy=remedy))
    return column


def _moment(moment: datetime) -> np.datetime64:
    return np.datetime64(moment.astimezone(UTC).replace(tzinfo=None), "us")
