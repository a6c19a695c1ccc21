"""Rows that stay in their file. Oracle: the same rows in a list."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import pytest

from robustcert.certificate.evidence import CERTIFICATION_SCHEMA, EVALUATION_SCHEMA, write_rows
from robustcert.certificate.stored_rows import StoredRows
from robustcert.errors import DataError
from robustcert.smoothing.certified_accuracy import Tallied, certified_accuracy, median_certified_radius, tally_of
from tests.certificate.test_evidence import votes_row


def stored(folder: Path, count: int) -> tuple[StoredRows, list[dict[str, object]]]:
    rows = [votes_row(sample, radius=f"0.{sample % 50:06d}", label=sample % 2) for sample in range(count)]
    write_rows(rows, folder / "table", schema=CERTIFICATION_SCHEMA)
    return StoredRows(folder / "table", schema=CERTIFICATION_SCHEMA), rows


def test_they_are_a_sequence_that_can_be_read_again_and_again(tmp_path: Path) -> None:
    found, rows = stored(tmp_path, 10)
    assert list(found) == list(found) == rows
    assert (len(found), found[3], found[-1]) == (10, rows[3], rows[9])
    assert found[2:9:3] == rows[2:9:3]
    assert found[::-4] == rows[::-4]
    with pytest.raises(IndexError):
        found[10]


def test_rates_are_those_of_the_same_rows_in_a_list(tmp_path: Path) -> None:
    found, rows = stored(tmp_path, 300)
    assert isinstance(found, Tallied)
    assert found.tally == tally_of(rows)
    assert certified_accuracy(found, "0.00002", alpha=0.001) == certified_accuracy(rows, "0.00002", alpha=0.001)
    assert median_certified_radius(found) == median_certified_radius(rows)


def test_rates_take_one_pass_and_hold_no_rows(tmp_path: Path) -> None:
    found, _ = stored(tmp_path, 20_000)
    tracemalloc.start()
    for radius in (0.00001, 0.00002, 0.00003):
        certified_accuracy(found, radius, alpha=0.001)
    (tmp_path / "table").unlink()
    certified_accuracy(found, 0.00004, alpha=0.001)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 20_000 * 600, "all rows held as dictionaries take over 900 bytes each"


def test_another_table_is_refused_when_it_is_read(tmp_path: Path) -> None:
    stored(tmp_path, 1)
    other = StoredRows(tmp_path / "table", schema=EVALUATION_SCHEMA)
    for read in (lambda: len(other), lambda: list(other)):
        with pytest.raises(DataError, match=r"^expected the columns .* in table, got missing"):
            read()
