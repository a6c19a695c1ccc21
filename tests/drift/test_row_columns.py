"""Columns are read by the rules of robustcert.data.source_table, whose reader is the oracle for tables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from robustcert.data.source_table import read_parquet
from robustcert.drift.row_columns import answer_columns, class_column, coded, equal_to, row_batch, times, value_columns
from robustcert.errors import DataError
from robustcert.specification import Contract
from tests.data.examples import table_data
from tests.drift.logs import IMAGES, TABLE, write_log

CONTRACT: Contract = TABLE.contract or pytest.fail("no contract")
MESSY: dict[str, Any] = {
    "age": ["30", " 41 ", "", "NA", "old", "1e2", "1_000", "-3", "nan", "inf"],
    "dose": pa.array([1.5, None, float("nan"), 2, 3, 4, 5, 6, 7, 8]),
    "smoker": ["true", "False", "1", "0", "yes", "", "2", "0.5", "TRUE", "null"],
    "site": pa.array(["north", " south", None, "", "west", "east", "N/A", "north", "0", "NORTH"]).dictionary_encode(),
    "state": ["ill", "well"] * 5,
}


def test_a_table_is_read_cell_by_cell_as_the_certified_data_were(tmp_path: Path) -> None:
    samples = read_parquet(Path(write_log(tmp_path / "t.parquet", MESSY)), contract=CONTRACT, split_column=None)
    found = row_batch(pa.table(MESSY), CONTRACT, first_row=5)
    assert np.array_equal(found.values, samples.values, equal_nan=True)
    assert found.cells is not None
    assert samples.cells is not None
    assert np.array_equal(found.cells, samples.cells)
    assert found.answers.labels is not None
    assert np.array_equal(found.answers.labels.index, samples.labels)
    assert found.answers.rows.tolist() == list(range(5, 15))


def test_a_feature_that_is_called_like_a_column_of_the_log_is_the_feature() -> None:
    feature = {"name": "time", "minimum": 0.0, "maximum": 9.0}
    contract = table_data(features=(feature,)).contract or pytest.fail("no contract")
    assert value_columns(contract) == ("time",)
    assert "time" not in answer_columns(contract)
    found = row_batch(pa.table({"time": [1.0, 2.0]}), contract, first_row=0)
    assert found.values[:, 0].tolist() == [1, 2]
    assert found.answers.times is None
    assert value_columns(IMAGES.contract or pytest.fail("no contract")) == ("x",)
    assert answer_columns(CONTRACT)[-1] == "state"


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.dictionary(pa.int8(), pa.string())])
def test_classes_come_as_texts_of_any_kind(kind: pa.DataType) -> None:
    found = class_column(pa.chunked_array([pa.array(["b", " a", None, "c", ""]).cast(kind)]), ("a", "b"))
    assert found.index.tolist() == [1, 0, 0, 0, 0]
    assert found.known.tolist() == [True, True, False, False, False]
    assert found.foreign.tolist() == [False, False, False, True, False]


def test_an_empty_text_is_a_class_where_the_contract_says_so() -> None:
    assert class_column(pa.chunked_array([["NA", "a"]]), ("NA", "a")).known.all()


def test_times_of_any_resolution_and_zone_are_utc_microseconds() -> None:
    wanted = np.array(["2026-11-21T13:05:11.123", "NaT"], dtype="datetime64[us]")
    texts = ["2026-11-21T14:05:11.123+01:00", "NA"]
    stamps = pa.array(wanted.astype("datetime64[ns]"))
    for column in (pa.array(texts), stamps, stamps.cast(pa.timestamp("ms")), stamps.cast(pa.timestamp("us", "UTC"))):
        found = times(pa.chunked_array([column]), "time")
        assert found.dtype == np.dtype("datetime64[us]")
        assert np.array_equal(found, wanted, equal_nan=True)
    assert np.isnat(times(pa.chunked_array([pa.nulls(2)]), "time")).all()
    with pytest.raises(DataError, match="times with a zone in column 'at'"):
        times(pa.chunked_array([[1.5]]), "at")


def test_texts_are_coded_and_compared_with_nulls_apart() -> None:
    codes, texts = coded(pa.chunked_array([["b", None, "a", "b"]]))
    assert [(*texts, None)[code] for code in codes] == ["b", None, "a", "b"]
    assert equal_to(pa.array(["b", None, "a"]), "b").tolist() == [True, False, False]
