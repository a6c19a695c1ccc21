"""Write rows as a window's Parquet file, which `robustcert.drift.rows` reads back: inputs, id, time, segment, label.

Answers are not written. Equal rows give equal bytes with the same version of pyarrow.
"""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from robustcert.data.raw import Cell
from robustcert.drift.row_batch import RowBatch
from robustcert.drift.row_columns import IMAGE, label_column
from robustcert.errors import StorageError
from robustcert.provenance.digests import sha256_file
from robustcert.specification import Contract, Feature
from robustcert.storage.atomic import disk_failure, draft, make_folder

TEXTS = {"id": "ids", "segment": "segments", "data_version": "data_versions"}


class WindowWriter:
    """Writes batches to `path`, which appears whole when the context ends well, and not at all otherwise."""

    def __init__(self, path: Path, *, contract: Contract) -> None:
        self.sha256 = ""
        self._path, self._contract = path, contract
        self._open = ExitStack()
        self._part: Any = None
        self._writer: Any = None

    def __enter__(self) -> Self:
        try:
            make_folder(self._path.parent)
            self._part = self._open.enter_context(draft(self._path.parent))
        except OSError as error:
            raise StorageError(disk_failure(error, wanted="to write a window", path=self._path)) from error
        return self

    def write(self, batch: RowBatch) -> None:
        """Appends some rows; StorageError where the disk refuses."""
        from pyarrow import parquet

        table = window_table(batch, self._contract)
        try:
            if self._writer is None:
                self._writer = parquet.ParquetWriter(self._part.path, table.schema)
            self._writer.write_table(table)
        except OSError as error:
            raise StorageError(disk_failure(error, wanted="to write a window", path=self._path)) from error

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            with self._open:
                if self._writer is not None:
                    self._writer.close()
                if kind is None and self._writer is not None:
                    self._part.replace(self._path)
                    self.sha256 = sha256_file(self._path)
        except OSError as failure:
            raise StorageError(disk_failure(failure, wanted="to write a window", path=self._path)) from failure


def window_table(batch: RowBatch, contract: Contract) -> Any:
    """The rows as an Arrow table in the payload log's columns."""
    import pyarrow as pa

    answers = batch.answers
    columns: dict[str, Any] = {name: getattr(answers, field) for name, field in TEXTS.items()}
    if answers.times is not None:
        columns["time"] = pa.array(answers.times).cast(pa.timestamp("us", "UTC"))
    if answers.labels is not None:
        names = np.array([*contract.classes, None], dtype=np.object_)
        place = np.where(answers.labels.known, answers.labels.index, len(contract.classes))
        columns[label_column(contract)] = pa.array(names[place], pa.string())
    inputs = _pixels(batch) if contract.kind == "image" else _features(batch, contract)
    return pa.table({name: column for name, column in columns.items() if column is not None} | inputs)


def _pixels(batch: RowBatch) -> dict[str, Any]:
    import pyarrow as pa

    flat = np.asarray(batch.values, dtype=np.float32).reshape(len(batch), -1)
    return {IMAGE: pa.FixedSizeListArray.from_arrays(pa.array(flat.ravel()), flat.shape[1])}


def _features(batch: RowBatch, contract: Contract) -> dict[str, Any]:
    return {feature.name: _feature(batch, feature, column) for column, feature in enumerate(contract.features)}


def _feature(batch: RowBatch, feature: Feature, column: int) -> Any:
    import pyarrow as pa

    values = np.asarray(batch.values[:, column], dtype=np.float64)
    unread = False if batch.cells is None else batch.cells[:, column] != Cell.READ
    empty = np.isnan(values) | unread
    if feature.kind != "categorical":
        return pa.array(values, mask=empty)
    names = np.array([*feature.categories, None], dtype=np.object_)
    known = ~empty & (values >= 0) & (values < len(feature.categories))
    return pa.array(
        names[np.where(known, np.nan_to_num(values), len(feature.categories)).astype(np.int64)], pa.string()
    )
