"""Delayed labels: what became known later of rows that were answered, in columns `id`, `label` and maybe `time`.

Parquet, a folder of it, or CSV, streamed, on disk or on S3. `time`: when a label became known. Labels are class names,
or class numbers where no text names a class; an empty one says nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robustcert.data.contract import contract_of
from robustcert.drift.row_batch import ClassColumn, Texts
from robustcert.drift.row_columns import class_column, texts_of, times
from robustcert.drift.row_files import RowFile, row_files
from robustcert.drift.table_batches import table_batches, table_columns
from robustcert.errors import DataError, expected
from robustcert.specification import Data

COLUMNS = ("id", "label", "time")
ROWS = 1 << 16


@dataclass(frozen=True, kw_only=True)
class LabelBatch:
    """Some labels: `ids` texts (B,), `labels` (B,), `times` datetime64[us] (B,) in UTC or None without a column."""

    ids: Texts
    labels: ClassColumn
    times: NDArray[np.datetime64] | None


@dataclass(frozen=True, kw_only=True)
class LabelSource:
    """Opened labels, read as often as asked; `files` were read, `sha256` is empty where they are several."""

    source: str
    sha256: str
    files: tuple[RowFile, ...]
    classes: tuple[str, ...]

    def batches(self) -> Iterator[LabelBatch]:
        """The labels, some at a time."""
        for file in self.files:
            for table in table_batches(file.path, name=file.name, columns=COLUMNS, rows=ROWS):
                yield self._batch(table)
            file.refuse_changed()

    def _batch(self, table: Any) -> LabelBatch:
        return LabelBatch(
            ids=texts_of(table["id"], "id"),
            labels=class_column(table["label"], self.classes),
            times=times(table["time"], "time") if "time" in table.column_names else None,
        )


@contextmanager
def open_labels(uri: str, *, data: Data) -> Iterator[LabelSource]:
    """The labels at a path or s3:// URI, of the classes of `data`; DataError for everything that is wrong with them."""
    with row_files(uri) as found:
        for file in found.files:
            _refuse_without_columns(file)
        yield LabelSource(
            source=found.source,
            sha256="" if found.folder else found.files[0].sha256,
            files=found.files,
            classes=contract_of(data).classes,
        )


def _refuse_without_columns(file: RowFile) -> None:
    if file.path.suffix.lower() == ".npz":
        raise DataError(expected("labels as Parquet or CSV", got=repr(file.name), remedy="write columns id and label"))
    names = table_columns(file.path, name=file.name)
    if not {"id", "label"} <= set(names):
        got = f"{', '.join(names[:10]) or 'none'} in {file.name!r}"
        raise DataError(expected("columns 'id' and 'label'", got=got, remedy="name the labels' columns so"))
