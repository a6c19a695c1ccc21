"""What is written is read back as it was, and appears whole or not at all; pyarrow reads it too."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from robustcert.drift.row_batch import RowBatch, joined
from robustcert.drift.rows import open_rows
from robustcert.drift.window_file import WindowWriter
from robustcert.errors import StorageError
from robustcert.provenance.digests import sha256_file
from robustcert.specification import Contract, Data
from tests.drift.logs import IMAGES, TABLE, image_columns, table_columns, write_log


def contract(data: Data) -> Contract:
    return data.contract or pytest.fail("no contract")


def batch(path: Path, data: Data) -> RowBatch:
    with open_rows(str(path), data=data) as source:
        return joined(list(source.batches()))


def test_a_table_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    columns = table_columns(50) | {
        "site": pa.array(["north", None, "nowhere", *["east"] * 47]),
        "dose": pa.array([None, float("nan"), *np.linspace(0, 10, 48).tolist()]),
        "state": ["ill", "well", None, "dead", *["well"] * 46],
        "data_version": ["v2"] * 50,
    }
    before = batch(Path(write_log(tmp_path / "log.parquet", columns)), TABLE)
    with WindowWriter(tmp_path / "copy.parquet", contract=contract(TABLE)) as writer:
        writer.write(before.at(slice(0, 30)))
        writer.write(before.at(slice(30, 50)))
    assert writer.sha256 == sha256_file(tmp_path / "copy.parquet")
    after = batch(tmp_path / "copy.parquet", TABLE)
    assert np.array_equal(after.values, before.values, equal_nan=True)
    assert after.answers.ids.equals(before.answers.ids)
    assert after.answers.data_versions.to_pylist() == ["v2"] * 50
    assert after.answers.labels is not None
    assert after.answers.labels.known.tolist() == [True, True, False, False, *[True] * 46]
    table = parquet.read_table(tmp_path / "copy.parquet")
    assert table["site"].to_pylist()[:4] == ["north", None, None, "east"], "what is no category becomes empty"
    assert table["dose"].to_pylist()[:2] == [None, None]
    assert "prediction" not in table.column_names


def test_images_are_read_back_as_they_were_written_and_twice_the_same_bytes(tmp_path: Path) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (20, 1, 4, 4))
    before = batch(Path(write_log(tmp_path / "log.parquet", image_columns(pixels))), IMAGES)
    digests = set()
    for name in ("a", "b"):
        with WindowWriter(tmp_path / f"{name}.parquet", contract=contract(IMAGES)) as writer:
            writer.write(before)
        digests.add(writer.sha256)
    assert np.array_equal(batch(tmp_path / "a.parquet", IMAGES).values, pixels)
    assert len(digests) == 1


def test_a_writer_that_fails_leaves_nothing(tmp_path: Path) -> None:
    before = batch(Path(write_log(tmp_path / "log.parquet", table_columns(5))), TABLE)

    def fail() -> None:
        with WindowWriter(tmp_path / "out" / "w.parquet", contract=contract(TABLE)) as writer:
            writer.write(before)
            raise ValueError("planted")

    with pytest.raises(ValueError, match="planted"):
        fail()
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["log.parquet"]


def test_a_place_that_can_not_be_written_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    writer = WindowWriter(tmp_path / "file" / "w.parquet", contract=contract(TABLE))
    with pytest.raises(StorageError, match="to write a window"):
        writer.__enter__()
