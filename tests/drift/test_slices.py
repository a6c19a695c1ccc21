"""Means by slice are those that numpy computes on the whole window."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from robustcert.data.build import build_dataset
from robustcert.drift import rows
from robustcert.drift.quality import ReferenceColumns, reference_columns
from robustcert.drift.rows import open_rows
from robustcert.drift.slices import SliceCounter, standardised
from robustcert.specification import Contract
from tests.data.examples import raw_table
from tests.drift.logs import MODEL_SHA256, TABLE, table_columns, write_log

N = 300


def contract() -> Contract:
    return TABLE.contract or pytest.fail("no contract")


def reference() -> ReferenceColumns:
    return reference_columns(build_dataset(TABLE, raw_table(100), seed=0), contract())


def counted(path: Path, columns: dict[str, Any]) -> SliceCounter:
    counter = SliceCounter(reference())
    with open_rows(write_log(path, columns), data=TABLE) as source:
        for batch in source.batches():
            counter.add(batch)
    return counter


def test_inside_and_outside_are_means_of_standardised_columns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "MOST_ROWS_PER_BATCH", 64)
    columns = table_columns(N) | {"data_version": ["v1"] * 200 + ["v2"] * 100}
    counter = counted(tmp_path / "w.parquet", columns)
    found = {(shift.kind, shift.name): shift for shift in counter.shifts()}
    assert set(found) == {("segment", "web"), ("segment", "app"), ("data version", "v1"), ("data version", "v2")}
    z = (np.array(columns["dose"]) - reference().mean[1]) / reference().spread[1]
    newer = found["data version", "v2"]
    assert (newer.rows, newer.others) == (100, 200)
    assert newer.inside[1] == pytest.approx(z[200:].mean(), rel=1e-9)
    assert newer.outside[1] == pytest.approx(z[:200].mean(), rel=1e-9)
    assert np.isnan(newer.inside[3]), "a category has no mean"
    assert counter.counts("data version") == {"v1": 200, "v2": 100}
    assert counter.counts("model") == {MODEL_SHA256: N}


def test_a_missing_value_counts_as_no_shift_and_an_extreme_one_is_cut(tmp_path: Path) -> None:
    columns = table_columns(4) | {"dose": [None, 1e300, float("nan"), 5.0]}
    shifts = {shift.name: shift for shift in counted(tmp_path / "w.parquet", columns).shifts()}
    assert shifts["web"].inside[1] == 0
    z = (5.0 - reference().mean[1]) / reference().spread[1]
    assert shifts["app"].inside[1] == pytest.approx((100 + z) / 2)


def test_slices_beyond_the_cap_are_other(tmp_path: Path) -> None:
    columns = table_columns(N) | {"segment": [f"s{number}" for number in range(N)]}
    counter = counted(tmp_path / "w.parquet", columns)
    assert len(counter.counts("segment")) == 51
    assert counter.counts("segment")["other"] == N - 50


def test_a_window_without_slices_has_no_shifts(tmp_path: Path) -> None:
    columns = {name: table_columns(5)[name] for name in ("age", "dose", "smoker", "site")}
    assert list(counted(tmp_path / "w.parquet", columns).shifts()) == []


def test_a_column_that_the_reference_does_not_vary_has_no_shift() -> None:
    flat = ReferenceColumns(names=("a",), mean=np.zeros(1), spread=np.zeros(1), commonest=np.ones(1))
    assert np.isnan(standardised(np.ones((3, 1)), flat)).all()
