"""Failures in production, frozen as a regression set: every later model is asked whether it gets them right.

The rows are an object of the store, a Parquet file as `robustcert.drift.rows` reads it; what they are stands in a
document `regressions/<name>/<model sha256>/<object sha256>.json`, written once. Rows that a model got wrong say nothing
about its accuracy: they were chosen for being wrong.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, ValidationError

from robustcert.document import IssuedPart, Name, Sha256, Text, Timestamp, rfc3339
from robustcert.drift.row_batch import RowBatch, joined
from robustcert.drift.rows import RowSource, inputs, open_rows
from robustcert.drift.window_file import WindowWriter
from robustcert.errors import DataError, StorageError, expected
from robustcert.specification import Data
from robustcert.storage.store import Store

if TYPE_CHECKING:
    from robustcert.models.model import LoadedModel

REGRESSIONS = "regressions/"
MOST_ROWS = 1000

Count = Annotated[int, Field(ge=0)]


class RegressionSet(IssuedPart):
    """`rows` inputs with labels that the model of `model_sha256` got wrong, in the object `rows_sha256`.

    `failures`: how many the window held; more than `rows` where it held too many to keep. `window` is its name.
    """

    schema_version: Literal["1"]
    name: Name
    model_sha256: Sha256
    rows_sha256: Sha256
    rows: Count
    failures: Count
    window: Text
    window_sha256: Sha256 | Literal[""]
    reason: Text
    frozen_at: Timestamp


@dataclass(frozen=True, kw_only=True)
class RegressionResult:
    """A model on a regression set: `fixed` of `of` rows are right now; `failing`: ids of the rest, else row numbers."""

    model_sha256: str
    fixed: int
    of: int
    failing: tuple[str, ...]


def failures(source: RowSource, *, most: int = MOST_ROWS) -> tuple[RowBatch | None, int]:
    """The first `most` complete rows of a labelled window that were answered wrongly; and how many there are.

    Raises: DataError for a window without answers or labels.
    """
    kept: list[RowBatch] = []
    found = 0
    for batch in source.batches():
        predictions, labels = batch.answers.predictions, batch.answers.labels
        if predictions is None or labels is None:
            what, remedy = f"predictions and labels in {source.source!r}", "give a window that holds both"
            raise DataError(expected(what, got="a log without them", remedy=remedy))
        whole = ~np.isnan(inputs(batch, source.contract).reshape(len(batch), -1)).any(axis=1)
        wrong = np.flatnonzero(predictions.known & labels.known & (predictions.index != labels.index) & whole)
        room = max(0, most - found)
        if room and len(wrong):
            kept.append(batch.at(wrong[:room]))
        found += len(wrong)
    return (joined(kept) if kept else None), found


def freeze(
    store: Store, source: RowSource, *, name: str, model_sha256: str, reason: str, now: datetime, most: int = MOST_ROWS
) -> RegressionSet:
    """Freezes the failures of a labelled window; the same failures of the same model are frozen once.

    Raises: DataError for a window without a failure, or without answers or labels; StorageError.
    """
    rows, found = failures(source, most=most)
    if rows is None:
        raise DataError(expected(f"failures in {source.source!r}", got="none", remedy="nothing is to be frozen"))
    with tempfile.TemporaryDirectory(prefix="robustcert-") as folder:
        path = Path(folder) / "rows.parquet"
        with WindowWriter(path, contract=source.contract) as writer:
            writer.write(rows)
        rows_sha256 = store.put_file(path)
    regression = RegressionSet(
        schema_version="1", name=name, model_sha256=model_sha256, rows_sha256=rows_sha256, rows=len(rows),
        failures=found, window=source.source, window_sha256=source.sha256, reason=reason, frozen_at=rfc3339(now),
    )  # fmt: skip
    document = regression_name(regression)
    there = read_regression(store, document)
    if there is not None:
        return there
    store.write_document_once(document, regression.model_dump_json(by_alias=True, indent=2).encode() + b"\n")
    return regression


def regression_name(regression: RegressionSet) -> str:
    """Name of a regression set's document."""
    return f"{REGRESSIONS}{regression.name}/{regression.model_sha256}/{regression.rows_sha256}.json"


def read_regression(store: Store, document: str) -> RegressionSet | None:
    """The regression set in a document, None where there is none; StorageError where it is something else."""
    data = store.read_document(document)
    if data is None:
        return None
    try:
        found = RegressionSet.model_validate_json(data)
    except ValidationError as error:
        raise _damaged(document) from error
    if regression_name(found) != document:
        raise _damaged(document)
    return found


def regressions(store: Store, name: str) -> list[RegressionSet]:
    """All regression sets of a name, whichever model they were found on, in the order of their freezing."""
    documents = store.list_documents(f"{REGRESSIONS}{name}/")
    found = [read_regression(store, document) for document in documents]
    return sorted((item for item in found if item is not None), key=lambda item: (item.frozen_at, item.rows_sha256))


def run_regression(store: Store, regression: RegressionSet, *, data: Data, model: LoadedModel) -> RegressionResult:
    """Which of the frozen failures a model gets right, on the CPU, as certificates are made."""
    from robustcert.drift.model_outputs import model_outputs

    with tempfile.TemporaryDirectory(prefix="robustcert-") as folder:
        path = Path(folder) / "rows.parquet"
        store.fetch(regression.rows_sha256, path)
        with open_rows(str(path), data=data) as source:
            batch = joined(list(source.batches()))
            answers = model_outputs(model, inputs(batch, source.contract)).predictions
    return _result(batch, answers, model_sha256=model.sha256)


def regression_lines(results: Sequence[tuple[RegressionSet, RegressionResult]]) -> list[str]:
    """One line for each set, for people."""
    return [
        f"{regression.rows_sha256[:12]}  {result.fixed} of {result.of} fixed  (from {regression.window}, "
        f"model {regression.model_sha256[:12]})"
        for regression, result in results
    ]


def _result(batch: RowBatch, answers: NDArray[np.int64], *, model_sha256: str) -> RegressionResult:
    labels = batch.answers.labels
    if labels is None:
        raise DataError(expected("labels in a regression set", got="none", remedy="freeze it again"))
    right = answers == labels.index
    ids = [None] * len(batch) if batch.answers.ids is None else batch.answers.ids.to_pylist()
    named = [text if text is not None else f"row {row}" for row, text in enumerate(ids)]
    failing = tuple(text for text, is_right in zip(named, right.tolist(), strict=True) if not is_right)
    return RegressionResult(model_sha256=model_sha256, fixed=int(right.sum()), of=len(batch), failing=failing)


def _damaged(document: str) -> StorageError:
    got, remedy = "another document", "restore it, or remove it and freeze the failures again"
    return StorageError(expected(f"a regression set in the store's '{document}'", got=got, remedy=remedy))
