"""Counts of a window, in batches of any size; whole-array numpy is the oracle."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from robustcert.drift import rows
from robustcert.drift.quality_counts import QualityCounter, WindowCounts, column_names
from robustcert.drift.rows import open_rows
from robustcert.specification import Contract, Data
from tests.drift.logs import IMAGES, TABLE, image_columns, table_columns, write_log


def contract(data: Data) -> Contract:
    return data.contract or pytest.fail("no contract")


def counted(path: str, data: Data) -> WindowCounts:
    counter = QualityCounter(contract(data))
    with open_rows(path, data=data) as source:
        for batch in source.batches():
            counter.add(batch)
    return counter.counted()


def test_every_kind_of_defect_is_counted_in_its_column(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "MOST_ROWS_PER_BATCH", 3)
    columns = table_columns(10) | {
        "age": pa.array([30.0, 30.5, None, 200, -1, float("inf"), float("nan"), 40, 41, 42]),
        "dose": ["1", "2", "x", "", "11", "3", "4", "5", "5", "5"],
        "smoker": pa.array([0, 1, 2, None, 0, 1, 1, 1, 1, 1]),
        "site": ["north", "west", None, "east", "south", "", "east", "east", "NA", "north"],
        "state": ["ill", "well", "dead", None, *["ill"] * 6],
    }
    found = counted(write_log(tmp_path / "w.parquet", columns), TABLE)
    by_name = dict(zip(found.columns.names, range(4), strict=True))
    assert found.columns.nulls.tolist() == [2, 1, 1, 3]
    assert found.columns.misread.tolist() == [2, 1, 0, 0], "30.5 years, infinity, and the text x"
    assert found.columns.outside.tolist() == [2, 1, 1, 0]
    assert found.columns.unknown.tolist() == [0, 0, 0, 1]
    assert by_name["site"] == 3
    assert (found.rows, found.sound) == (10, 3), "rows 0, 7 and 9"
    assert (found.labelled, found.foreign_labels) == (8, 1)


@pytest.mark.parametrize("size", [1, 7, 64])
def test_means_spreads_and_runs_do_not_depend_on_batches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr(rows, "MOST_ROWS_PER_BATCH", size)
    columns = table_columns(64)
    columns["dose"][20:33] = 4.25
    columns["smoker"] = np.ones(64, dtype=np.int64)
    found = counted(write_log(tmp_path / "w.parquet", columns), TABLE)
    assert np.allclose(found.columns.mean[:2], [columns["age"].mean(), columns["dose"].mean()], rtol=1e-13)
    assert np.allclose(found.columns.spread[:2], [columns["age"].std(), columns["dose"].std()], rtol=1e-13)
    assert found.columns.constant.tolist() == [False, False, True, False]
    assert found.columns.longest_run.tolist() == [0, 13, 0, 0], "counted for continuous features only"
    assert found.repeats is not None
    assert (found.repeats.repeated, found.repeats.of) == (0, 64)
    assert (found.oldest, found.newest) == (np.datetime64("2026-11-21T13:00:00"), np.datetime64("2026-11-21T13:01:03"))


def test_pixels_are_columns_named_by_their_place(tmp_path: Path) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (20, 1, 4, 4)).astype(np.float32)
    pixels[3, 0, 2, 1], pixels[5, 0, 0, 0] = 300, np.nan
    found = counted(write_log(tmp_path / "w.parquet", image_columns(pixels)), IMAGES)
    assert found.columns.names[9] == "x[0,2,1]"
    assert found.columns.outside.tolist() == [int(place == 9) for place in range(16)]
    assert found.columns.nulls.tolist() == [int(place == 0) for place in range(16)]
    assert found.sound == 18
    flat = pixels.astype(np.float64).reshape(20, -1)
    assert np.allclose(found.columns.mean, np.nanmean(flat, axis=0), rtol=1e-12)
    assert column_names(contract(TABLE)) == ("age", "dose", "smoker", "site")


def test_a_window_without_times_and_ids_says_so(tmp_path: Path) -> None:
    columns = {name: table_columns(5)[name] for name in ("age", "dose", "smoker", "site")}
    found = counted(write_log(tmp_path / "w.parquet", columns), TABLE)
    assert (found.newest, found.oldest, found.repeats, found.labelled) == (None, None, None, 0)
