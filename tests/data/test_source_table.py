from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import parquet

from robustcert.data import source_table
from robustcert.data.raw import Cell, Samples
from robustcert.data.source_table import read_csv, read_parquet
from robustcert.errors import DataError
from tests.data.examples import raw_table, table_data

CONTRACT = table_data().contract
HEADER = "age,dose,smoker,site,state"
ROW = "50,2.5,1,south,ill"


def frame() -> pd.DataFrame:
    """The example table, with names for site and state, by pandas."""
    raw = raw_table()
    columns = {name: raw.values[:, number] for number, name in enumerate(raw.columns)}
    sites, states = np.array(["north", "south", "east"]), np.array(["ill", "well"])
    return pd.DataFrame({**columns, "site": sites[raw.values[:, 3].astype(int)], "state": states[raw.labels]})


def written(tmp_path: Path, *rows: str, header: str = HEADER, name: str = "table.csv") -> Path:
    path = tmp_path / name
    path.write_text("\n".join((header, *rows)) + "\n")
    return path


def read(path: Path, *, split_column: str | None = None) -> Samples:
    reader = read_csv if path.suffix == ".csv" else read_parquet
    return reader(path, contract=CONTRACT, split_column=split_column)


def saved(table: pd.DataFrame, path: Path) -> Path:
    if path.suffix == ".csv":
        table.to_csv(path, index=False)
    else:
        table.to_parquet(path, index=False)
    return path


@pytest.mark.parametrize("name", ["table.csv", "table.parquet"])
@pytest.mark.parametrize("order", [slice(None), slice(None, None, -1)])
def test_a_table_written_by_pandas_is_read_by_name_whatever_the_order_of_columns(
    tmp_path: Path, name: str, order: slice
) -> None:
    table = frame()[frame().columns[order]]
    samples = read(saved(table, tmp_path / name))
    assert np.array_equal(samples.values, raw_table().values)
    assert samples.labels.tolist() == raw_table().labels.tolist()
    assert samples.label_names == ("ill", "well")
    assert set(samples.columns) == {"age", "dose", "smoker", "site"}
    assert samples.cells is not None
    assert not samples.cells.any()
    assert samples.faults == ()
    assert samples.splits is None


@pytest.mark.parametrize("name", ["table.csv", "table.parquet"])
def test_a_split_column_gives_the_splits_and_is_no_feature(tmp_path: Path, name: str) -> None:
    roles = np.array(["train", "validation", "test"])[np.arange(40) % 3]
    samples = read(saved(frame().assign(role=roles), tmp_path / name), split_column="role")
    assert samples.splits is not None
    assert samples.splits.tolist() == (np.arange(40) % 3).tolist()
    assert "role" not in samples.columns


@pytest.mark.parametrize("name", ["table.csv", "table.parquet"])
def test_a_table_without_rows_has_no_samples(tmp_path: Path, name: str) -> None:
    samples = read(saved(frame()[:0], tmp_path / name))
    assert (len(samples), samples.values.shape) == (0, (0, 4))


def test_integer_labels_are_class_indices(tmp_path: Path) -> None:
    assert read(written(tmp_path, "50,2.5,1,south,1", "51,2.5,1,south,0")).labels.tolist() == [1, 0]


def test_every_type_of_number_and_text_that_parquet_has_is_read(tmp_path: Path) -> None:
    columns = {
        "age": pa.array([50, 51, None], pa.uint8()),
        "dose": pa.array(["2.5", "3", "nan"], pa.large_string()),
        "smoker": pa.array([True, False, True]),
        "site": pa.array(["south", "east", "north"]).dictionary_encode(),
        "state": pa.array([0, 1, 1], pa.int8()),
    }
    parquet.write_table(pa.table(columns), tmp_path / "table.parquet")
    samples = read(tmp_path / "table.parquet")
    assert np.array_equal(samples.values, [[50, 2.5, 1, 1], [51, 3, 0, 2], [np.nan, np.nan, 1, 0]], equal_nan=True)
    assert samples.cells is not None
    assert samples.cells.tolist() == [[0, 0, 0, 0], [0, 0, 0, 0], [Cell.ABSENT, 0, 0, 0]]


@pytest.mark.parametrize("text", ["", " ", "NA", "N/A", "null", "NULL"])
@pytest.mark.parametrize("column", [0, 1, 2, 3])
def test_an_empty_cell_is_null_and_not_nan(tmp_path: Path, text: str, column: int) -> None:
    cells = ROW.split(",")
    cells[column] = text
    samples = read(written(tmp_path, ROW, ",".join(cells)))
    assert samples.cells is not None
    assert np.argwhere(samples.cells == Cell.ABSENT).tolist() == [[1, column]]
    assert np.argwhere(np.isnan(samples.values)).tolist() == [[1, column]]


def test_a_category_named_like_a_null_is_that_category(tmp_path: Path) -> None:
    features = ({"name": "country", "kind": "categorical", "categories": ("NA", "ZA")},)
    contract = table_data(features=features).contract
    path = written(tmp_path, "NA,ill", "ZA,well", header="country,state")
    assert read_csv(path, contract=contract, split_column=None).values.tolist() == [[0], [1]]


@pytest.mark.parametrize(
    ("text", "value"), [("nan", np.nan), ("inf", np.inf), ("-inf", -np.inf), (" 7 ", 7), ("1e-3", 1e-3)]
)
def test_nan_inf_spaces_and_exponents_are_numbers(tmp_path: Path, text: str, value: float) -> None:
    samples = read(written(tmp_path, f"50,{text},1,south,ill"))
    assert np.array_equal(samples.values[0, 1], value, equal_nan=True)
    assert samples.cells is not None
    assert not samples.cells.any()


@pytest.mark.parametrize(("text", "value"), [("True", 1), ("false", 0), ("1", 1)])
def test_truth_values_are_binary(tmp_path: Path, text: str, value: int) -> None:
    assert read(written(tmp_path, f"50,2,{text},south,ill")).values[0, 2] == value


@pytest.mark.parametrize(
    ("column", "text"), [(0, "fifty"), (1, "2,5"), (1, "1_0"), (2, "yes"), (3, "west"), (1, "0x1F")]
)
def test_an_unreadable_cell_is_kept_with_row_column_and_text(tmp_path: Path, column: int, text: str) -> None:
    cells = ROW.split(",")
    cells[column] = f'"{text}"'
    samples = read(written(tmp_path, ROW, ROW, ",".join(cells), ",".join(cells), ROW))
    assert samples.cells is not None
    assert np.argwhere(samples.cells == Cell.UNREADABLE).tolist() == [[2, column], [3, column]]
    assert [(fault.sample, fault.column, fault.text) for fault in samples.faults] == [
        (2, HEADER.split(",")[column], text)
    ]
    assert np.isfinite(np.delete(samples.values[:, column], [2, 3])).all()


def test_a_missing_column_is_absent_in_every_row(tmp_path: Path) -> None:
    samples = read(written(tmp_path, "50,1,south,ill", "51,0,east,well", header="age,smoker,site,state"))
    assert samples.cells is not None
    assert samples.cells[:, 1].tolist() == [Cell.ABSENT, Cell.ABSENT]
    assert samples.columns == ("age", "smoker", "site")


def test_a_byte_order_mark_and_quotes_do_not_hide_the_first_column(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_bytes(b"\xef\xbb\xbf" + b'"age",dose,smoker,site,state\r\n50,2.5,1,south,ill\r\n')
    assert read(path).values.tolist() == [[50, 2.5, 1, 1]]


def test_a_label_that_names_no_class_is_kept(tmp_path: Path) -> None:
    samples = read(written(tmp_path, ROW, "50,2.5,1,south,dead", "50,2.5,1,south,"))
    assert samples.label_names == ("ill", "well", "", "dead")
    assert samples.labels.tolist() == [0, 3, 2]


@pytest.mark.parametrize("column", ["state", "role"])
def test_a_missing_label_or_split_column_is_refused_by_name(tmp_path: Path, column: str) -> None:
    header = HEADER.replace("state", "condition") if column == "state" else HEADER
    with pytest.raises(
        DataError, match=rf"^expected a column '{column}', got age, dose, .*; add it, or name the right"
    ):
        read(written(tmp_path, ROW, header=header), split_column="role")


def test_a_column_given_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"^expected each column once, got 'age' twice; rename or drop one$"):
        read(written(tmp_path, "50," + ROW, header="age," + HEADER))


def test_an_unknown_split_is_refused_with_its_row(tmp_path: Path) -> None:
    path = written(tmp_path, ROW + ",train", ROW + ",dev", header=HEADER + ",role")
    with pytest.raises(DataError, match=r"^expected train, validation or test as split, got 'dev' in sample 1"):
        read(path, split_column="role")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "Empty CSV file"),
        (f"{HEADER}\n{ROW}\n50,2.5\n".encode(), "Row #3: Expected 5 columns, got 2"),
        (f"{HEADER}\n{ROW},7\n".encode(), "Expected 5 columns, got 6"),
        (f"{HEADER}\n50,2.5,1,s\xfcd,ill\n".encode("latin-1"), "codec can't decode"),
        (f"{HEADER}\n{(ROW + chr(10)) * 3000}50,2.5,1,s\xfcd,ill\n".encode("latin-1"), "invalid UTF8"),
        (b"\xff\xfe" + HEADER.encode("utf-16-le"), "codec can't decode"),
    ],
)
def test_a_broken_csv_is_refused_with_the_reason_in_one_line(tmp_path: Path, content: bytes, reason: str) -> None:
    (tmp_path / "table.csv").write_bytes(content)
    with pytest.raises(DataError, match=rf"^expected a complete CSV file in 'table.csv', got [^\n]*{reason}[^\n]*$"):
        read(tmp_path / "table.csv")


@pytest.mark.parametrize("kept", [0, 3, 200, -20])
def test_a_truncated_parquet_file_is_refused(tmp_path: Path, kept: int) -> None:
    path = saved(frame(), tmp_path / "table.parquet")
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(
        DataError, match=r"^expected a complete Parquet file in 'table.parquet', got [^\n]*; write the file"
    ):
        read(path)


def test_damaged_pages_of_a_parquet_file_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "table.parquet"
    parquet.write_table(pa.Table.from_pandas(frame()), path, write_page_checksum=True, compression="gzip")
    content = bytearray(path.read_bytes())
    content[40:90] = bytes(50)
    path.write_bytes(content)
    with pytest.raises(
        DataError, match=r"^expected a complete Parquet file in 'table.parquet', got [^\n]*; write the file"
    ):
        read(path)


def test_a_parquet_file_that_claims_more_cells_than_allowed_is_refused_unread(tmp_path: Path) -> None:
    path = saved(frame(), tmp_path / "table.parquet")
    assert len(read_parquet(path, contract=CONTRACT, split_column=None, most_cells=200)) == 40
    with pytest.raises(DataError, match=r"^expected at most 199 cells, got 200; give the data in parts$"):
        read_parquet(path, contract=CONTRACT, split_column=None, most_cells=199)


def test_a_small_parquet_file_that_unpacks_to_a_huge_table_is_refused_unread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "table.parquet"
    pd.concat([frame()] * 5000, ignore_index=True).to_parquet(path, compression="zstd")
    monkeypatch.setattr(source_table, "FEW_CELLS", 100)
    monkeypatch.setattr(source_table, "MOST_CELLS_PER_BYTE", 1)
    with pytest.raises(DataError, match=rf"^expected at most {path.stat().st_size} cells, got 1000000; give the data"):
        read_parquet(path, contract=CONTRACT, split_column=None)


@pytest.mark.parametrize("value", [[1, 2], {"a": 1}, b"bytes", pd.Timestamp("2020-01-01")])
def test_a_column_that_is_neither_number_nor_text_is_refused(tmp_path: Path, value: Any) -> None:
    table = frame().astype(object)
    table["dose"] = [value] * 40
    with pytest.raises(
        DataError, match=r"^expected numbers or texts in column 'dose', got [^\n]*; store it as numbers$"
    ):
        read(saved(table, tmp_path / "table.parquet"))
