"""Failures of a window are frozen once, byte for byte, and a model is asked again; numpy is the oracle."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch
from torch import nn

from robustcert.data.raw import RawData
from robustcert.data.sources import load_raw
from robustcert.drift.regression import (
    MOST_ROWS,
    RegressionSet,
    freeze,
    read_regression,
    regression_lines,
    regression_name,
    regressions,
    run_regression,
)
from robustcert.drift.rows import open_rows
from robustcert.errors import DataError, StorageError
from robustcert.models.model import LoadedModel
from robustcert.specification import Data
from robustcert.storage.store import Store, open_store
from tests.drift.logs import image_columns, write_log

DIGITS = Data.model_validate({"source": "builtin:digits"})
NOW = datetime(2026, 11, 21, 13, 5, 11, tzinfo=UTC)
MODEL = "5a" * 32
N = 60


def raw() -> RawData:
    return load_raw(DIGITS)


def window(path: Path, *, wrong: int = 3) -> str:
    """60 digits, of which each `wrong`th was answered with the next class; each tenth label never came."""
    found = raw()
    y = found.labels[:N]
    answers = np.where(np.arange(N) % wrong == 0, (y + 1) % 10, y)
    labels = [None if row % 10 == 9 else str(label) for row, label in enumerate(y)]
    columns = image_columns(found.values[:N]) | {"prediction": pa.array(answers, pa.int32()), "label": labels}
    return write_log(path, columns)


def frozen_set(store: Store, path: Path, *, now: datetime = NOW, most: int = MOST_ROWS) -> RegressionSet:
    with open_rows(window(path), data=DIGITS) as source:
        return freeze(store, source, name="digits", model_sha256=MODEL, reason="drift alert", now=now, most=most)


def failures() -> list[int]:
    return [row for row in range(N) if row % 3 == 0 and row % 10 != 9]


def test_failures_are_frozen_once_and_listed(tmp_path: Path) -> None:
    store = open_store(str(tmp_path / "store"))
    found = frozen_set(store, tmp_path / "w.parquet")
    assert (found.rows, found.failures, found.window, found.frozen_at) == (
        len(failures()), len(failures()), "w.parquet", "2026-11-21T13:05:11Z",
    )  # fmt: skip
    again = frozen_set(store, tmp_path / "w.parquet", now=datetime(2027, 1, 1, tzinfo=UTC))
    assert again == found, "the first freezing stays"
    assert regressions(store, "digits") == [found]
    assert regressions(store, "other") == []
    assert store.list_documents("regressions/") == [f"regressions/digits/{MODEL}/{found.rows_sha256}.json"]
    store.fetch(found.rows_sha256, tmp_path / "rows.parquet")
    with open_rows(str(tmp_path / "rows.parquet"), data=DIGITS) as source:
        (batch,) = source.batches()
    assert np.array_equal(batch.values, raw().values[failures()])
    assert batch.answers.labels is not None
    assert batch.answers.labels.index.tolist() == raw().labels[failures()].tolist()


def test_of_too_many_failures_the_first_are_kept_and_all_are_counted(tmp_path: Path) -> None:
    found = frozen_set(open_store(str(tmp_path / "store")), tmp_path / "w.parquet", most=4)
    assert (found.rows, found.failures) == (4, len(failures()))


class _Fixed(nn.Module):
    """Answers what a table of known images says."""

    def __init__(self, x: torch.Tensor, answers: torch.Tensor) -> None:
        super().__init__()
        self.x, self.answers = x, answers

    def forward(self, x_BX: torch.Tensor) -> torch.Tensor:
        nearest = torch.cdist(x_BX.flatten(1), self.x).argmin(dim=1)
        return nn.functional.one_hot(self.answers[nearest], 10).float()


def model(right: int) -> LoadedModel:
    """Right on the first `right` failures, wrong on the others."""
    found = raw()
    x = torch.from_numpy(found.values[failures()].reshape(-1, 64) / 16).float()
    y = torch.from_numpy(found.labels[failures()])
    answers = torch.where(torch.arange(len(y)) < right, y, (y + 5) % 10)
    return LoadedModel(module=_Fixed(x, answers), card=None, sha256="c0" * 32)  # type: ignore[arg-type]


@pytest.mark.parametrize("right", [0, 7, 18])
def test_a_model_is_asked_again_and_what_still_fails_is_named(tmp_path: Path, right: int) -> None:
    store = open_store(str(tmp_path / "store"))
    found = frozen_set(store, tmp_path / "w.parquet")
    result = run_regression(store, found, data=DIGITS, model=model(right))
    assert len(failures()) == 18
    assert (result.fixed, result.of, result.model_sha256) == (right, 18, "c0" * 32)
    assert result.failing == tuple(f"event-{row:08d}" for row in failures()[right:])
    assert regression_lines([(found, result)]) == [
        f"{found.rows_sha256[:12]}  {right} of 18 fixed  (from w.parquet, model {MODEL[:12]})"
    ]


def test_a_window_without_failures_answers_or_labels_freezes_nothing(tmp_path: Path) -> None:
    store = open_store(str(tmp_path / "store"))
    for change, message in (
        ({"prediction": pa.array(raw().labels[:N], pa.int32())}, "failures in 'w.parquet'"),
        ({"label": None}, "predictions and labels in 'w.parquet'"),
    ):
        columns = image_columns(raw().values[:N]) | {"label": [str(label) for label in raw().labels[:N]]} | change
        uri = write_log(
            tmp_path / "w.parquet", {name: column for name, column in columns.items() if column is not None}
        )
        with open_rows(uri, data=DIGITS) as source, pytest.raises(DataError, match=message):
            freeze(store, source, name="digits", model_sha256=MODEL, reason="none", now=NOW)
    assert store.list_documents("") == []


def test_a_document_that_is_something_else_is_refused(tmp_path: Path) -> None:
    store = open_store(str(tmp_path / "store"))
    found = frozen_set(store, tmp_path / "w.parquet")
    name = regression_name(found).replace(MODEL, "00" * 32)
    assert read_regression(store, name) is None
    store.write_document(name, found.model_dump_json(by_alias=True).encode())
    with pytest.raises(StorageError, match="a regression set in the store's"):
        read_regression(store, name)
    store.write_document(name, b"{}")
    with pytest.raises(StorageError, match="another document"):
        regressions(store, "digits")
