"""Parts of a batch are the rows that were asked for, in every column."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from robustcert.drift.row_batch import Answers, ClassColumn, Index, RowBatch, joined


def batch(n: int = 10) -> RowBatch:
    numbers = np.arange(n, dtype=np.int64)
    classes = ClassColumn(index=numbers, known=numbers % 2 == 0, foreign=numbers % 5 == 0)
    answers = Answers(
        rows=numbers, ids=pa.array([f"id-{number}" for number in numbers]), labels=classes,
        times=numbers.astype("datetime64[us]"), margins=numbers / 2,
    )  # fmt: skip
    return RowBatch(values=numbers[:, None] * 1.0, cells=(numbers[:, None] % 3).astype(np.uint8), answers=answers)


@pytest.mark.parametrize("index", [np.arange(10) % 4 == 1, np.array([7, 2, 2]), slice(3, 9)])
def test_every_column_is_cut_alike(index: Index) -> None:
    part, wanted = batch().at(index), np.arange(10)[index].tolist()
    answers = part.answers
    assert len(part) == len(answers) == len(wanted)
    assert part.values[:, 0].tolist() == answers.rows.tolist() == wanted
    assert part.cells is not None
    assert part.cells[:, 0].tolist() == [number % 3 for number in wanted]
    assert answers.ids.to_pylist() == [f"id-{number}" for number in wanted]
    assert answers.labels is not None
    assert answers.labels.index.tolist() == wanted
    assert answers.labels.known.tolist() == [number % 2 == 0 for number in wanted]
    assert answers.labels.foreign.tolist() == [number % 5 == 0 for number in wanted]
    assert answers.times is not None
    assert answers.times.astype(np.int64).tolist() == wanted
    assert answers.margins is not None
    assert answers.margins.tolist() == [number / 2 for number in wanted]
    assert (answers.segments, answers.predictions, answers.distances) == (None, None, None)


def test_parts_put_together_again_are_the_whole() -> None:
    whole = batch()
    again = joined([whole.at(slice(0, 4)), whole.at(slice(4, 10))])
    assert np.array_equal(again.values, whole.values)
    assert again.answers.ids.equals(whole.answers.ids)
    assert again.answers.labels is not None
    assert whole.answers.labels is not None
    assert np.array_equal(again.answers.labels.known, whole.answers.labels.known)
    assert again.answers.segments is None


def test_a_column_that_one_part_lacks_is_lacking() -> None:
    whole = batch()
    bare = RowBatch(values=whole.values, cells=whole.cells, answers=Answers(rows=whole.answers.rows))
    assert joined([whole, bare]).answers.ids is None
    assert len(joined([whole, bare])) == 20
