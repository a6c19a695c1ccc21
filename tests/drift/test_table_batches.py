"""Parquet and CSV in small tables: together they are what pyarrow reads at once."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import csv as arrow_csv
from pyarrow import parquet

from robustcert.drift import table_batches as module
from robustcert.drift.table_batches import table_batches, table_columns, table_rows
from robustcert.errors import DataError

WHOLE = pa.table({"a": [f"{number}" for number in range(1000)], "b,c": ["x\ny"] * 1000, "d": ["1"] * 1000})


def both(folder: Path) -> list[Path]:
    parquet.write_table(WHOLE, folder / "t.parquet", row_group_size=130)
    arrow_csv.write_csv(WHOLE, folder / "t.csv")
    return [folder / "t.parquet", folder / "t.csv"]


def test_batches_are_small_and_together_the_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CSV_BLOCK_BYTES", 1 << 12)
    for path in both(tmp_path):
        assert table_columns(path, name="t") == ["a", "b,c", "d"]
        tables = list(table_batches(path, name="t", columns=("b,c", "a", "nothing"), rows=64))
        assert max(table.num_rows for table in tables) <= 64
        assert pa.concat_tables(tables).combine_chunks().equals(WHOLE.select(["a", "b,c"]).combine_chunks())


def test_a_file_without_any_wanted_column_still_tells_its_rows(tmp_path: Path) -> None:
    for path in both(tmp_path):
        assert sum(table.num_rows for table in table_batches(path, name="t", columns=(), rows=64)) == 1000


def test_rows_are_known_of_parquet_only_and_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parquet_path, csv_path = both(tmp_path)
    assert (table_rows(parquet_path, name="t"), table_rows(csv_path, name="t")) == (1000, None)
    monkeypatch.setattr(module, "MOST_ROWS", 999)
    with pytest.raises(DataError, match="at most 999 rows in 't'"):
        table_rows(parquet_path, name="t")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a,b\n1,2\n3\n", "a complete file in 't.csv'"),
        (b"a,a\n1,2\n", "each column once"),
        (b"\xff\xfe,b\n", "a complete CSV file"),
    ],
)
def test_damaged_csv_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "t.csv").write_bytes(content)
    with pytest.raises(DataError, match=message):
        list(table_batches(tmp_path / "t.csv", name="t.csv", columns=("a",), rows=10))


def test_an_empty_csv_has_no_rows(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,b\n")
    assert sum(table.num_rows for table in table_batches(tmp_path / "t.csv", name="t", columns=("a",), rows=10)) == 0
