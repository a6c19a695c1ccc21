"""Evidence tables. Oracles: pyarrow reads what was written, hashlib and json build the RFC 6962 tree by hand."""

from __future__ import annotations

import hashlib
import json
import re
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from robustcert.certificate.evidence import (
    CERTIFICATION_SCHEMA,
    EVALUATION_SCHEMA,
    ROWS_PER_GROUP,
    column_names,
    count_rows,
    evidence_root,
    read_rows,
    write_rows,
    write_tables,
)
from robustcert.errors import DataError

Row = dict[str, Any]

INT64 = st.integers(min_value=-(2**63), max_value=2**63 - 1)
VOTES = st.lists(st.tuples(INT64, INT64).map(list), max_size=3)
KINDS: dict[str, st.SearchStrategy[Any]] = {"int64": INT64, "string": st.text(max_size=5)}


def votes_row(sample: int, **changes: Any) -> Row:
    row = {"sample": sample, "input": "ab" * 32, "label": 1, "candidate": 1, "n0": 10, "selection": [[1, 10]]}
    row |= {"selectionFragile": 0, "n": 100, "counts": [[0, 1], [1, 98]], "fragile": 1}
    return row | {"decision": "certified", "radius": "0.500000"} | changes


def attack_row(sample: int, **changes: Any) -> Row:
    row = {"threat": "linf-0.1", "epsilon": "0.1", "attack": "fgsm@1-44136fa355b3", "sample": sample}
    row |= {"input": "ab" * 32, "label": 1, "target": None, "prediction": 1, "adversarial": 0}
    return row | {"distance": "0.099999999999", "perturbed": "cd" * 32} | changes


def rows_like(schema: pa.Schema) -> st.SearchStrategy[Row]:
    fields = {field.name: KINDS.get(str(field.type), VOTES) for field in schema}
    return st.fixed_dictionaries({**fields, **({"target": st.none() | INT64} if "target" in fields else {})})


@pytest.mark.parametrize("count", [0, 1, ROWS_PER_GROUP - 1, ROWS_PER_GROUP, ROWS_PER_GROUP + 1, 2 * ROWS_PER_GROUP])
def test_tables_of_any_lengths_are_written_with_the_bytes_of_their_rows(tmp_path: Path, count: int) -> None:
    rows = [votes_row(sample, counts=[[0, sample]] * (sample % 3)) for sample in range(count)]
    write_rows(rows, tmp_path / "rows", schema=CERTIFICATION_SCHEMA)
    whole = pa.Table.from_pylist(rows, schema=CERTIFICATION_SCHEMA)
    for length in (1000, 5000, 9000):
        tables = [whole.slice(first, length) for first in range(0, count, length)]
        write_tables(tables, tmp_path / "tables", schema=CERTIFICATION_SCHEMA)
        assert (tmp_path / "tables").read_bytes() == (tmp_path / "rows").read_bytes()
    assert count_rows(tmp_path / "tables", schema=CERTIFICATION_SCHEMA) == count


def root_by_hand(rows: list[Row]) -> bytes:
    """RFC 6962, section 2.1: 0x00 before leaves, 0x01 before nodes, split at the largest power of two below n."""
    if not rows:
        return hashlib.sha256(b"").digest()
    if len(rows) == 1:
        return hashlib.sha256(b"\x00" + json.dumps(rows[0], sort_keys=True, separators=(",", ":")).encode()).digest()
    split = 1
    while split * 2 < len(rows):
        split *= 2
    return hashlib.sha256(b"\x01" + root_by_hand(rows[:split]) + root_by_hand(rows[split:])).digest()


@pytest.mark.parametrize(("schema", "row"), [(CERTIFICATION_SCHEMA, votes_row), (EVALUATION_SCHEMA, attack_row)])
def test_rows_come_back_as_pyarrow_alone_reads_them(
    tmp_path: Path, schema: pa.Schema, row: Callable[[int], Row]
) -> None:
    rows = [row(sample) for sample in (5, 3, 2**62)]
    write_rows(rows, tmp_path / "table", schema=schema)
    assert pq.read_table(tmp_path / "table").to_pylist() == rows
    assert list(read_rows(tmp_path / "table", schema=schema)) == rows
    assert column_names(tmp_path / "table") == list(rows[0])


@settings(max_examples=25)
@given(st.lists(rows_like(CERTIFICATION_SCHEMA), max_size=4), st.lists(rows_like(EVALUATION_SCHEMA), max_size=4))
def test_any_rows_come_back_and_equal_rows_give_equal_bytes(
    tmp_path_factory: pytest.TempPathFactory, votes: list[Row], attacks: list[Row]
) -> None:
    folder = tmp_path_factory.mktemp("tables")
    for rows, schema in ((votes, CERTIFICATION_SCHEMA), (attacks, EVALUATION_SCHEMA)):
        for name in ("one", "other"):
            write_rows((dict(row) for row in rows), folder / name, schema=schema)
        assert (folder / "one").read_bytes() == (folder / "other").read_bytes()
        assert list(read_rows(folder / "one", schema=schema)) == rows


@pytest.mark.parametrize("count", [0, 1, 2, 3, 4, 5, 7, 8, 9])
def test_the_root_is_that_of_rfc_6962_over_the_rows_as_canonical_json(count: int) -> None:
    rows = [votes_row(sample, counts=[[0, sample], [1, 99 - sample]]) for sample in range(count)]
    assert evidence_root(rows) == (count, root_by_hand(rows).hex())


def test_the_order_of_columns_does_not_change_the_root_and_that_of_rows_does() -> None:
    rows = [attack_row(sample) for sample in range(5)]
    assert evidence_root([dict(reversed(row.items())) for row in rows]) == evidence_root(rows)
    assert evidence_root(reversed(rows)) != evidence_root(rows)


@pytest.mark.parametrize(
    "change",
    [
        {"counts": [[0, 2], [1, 97]]},
        {"selection": [[0, 1], [1, 9]]},
        {"label": 0},
        {"candidate": 0},
        {"radius": "0.500001"},
        {"decision": "abstain"},
        {"fragile": 0},
        {"sample": 99},
        {"input": "ac" * 32},
    ],
)
def test_any_altered_value_of_any_row_changes_the_root(change: Row) -> None:
    rows = [votes_row(sample) for sample in range(6)]
    roots = {evidence_root([*rows[:at], rows[at] | change, *rows[at + 1 :]]) for at in range(6)}
    assert len(roots | {evidence_root(rows)}) == 7


def test_dropping_doubling_or_exchanging_any_row_changes_the_root() -> None:
    rows = [votes_row(sample) for sample in range(6)]
    shorter = [rows[:at] + rows[at + 1 :] for at in range(6)]
    longer = [rows[: at + 1] + rows[at:] for at in range(6)]
    exchanged = [[*rows[:at], rows[at + 1], rows[at], *rows[at + 2 :]] for at in range(5)]
    assert len({evidence_root(found)[1] for found in [rows, *shorter, *longer, *exchanged]}) == 18


def damaged(tmp_path: Path, change: Callable[[bytes], bytes]) -> Path:
    path = tmp_path / "certification.parquet"
    write_rows([votes_row(sample) for sample in range(50)], path, schema=CERTIFICATION_SCHEMA)
    path.write_bytes(change(path.read_bytes()))
    return path


@pytest.mark.parametrize(
    "change",
    [
        lambda data: b"",
        lambda data: b"not a table at all",
        lambda data: data[:-1],
        lambda data: data[: len(data) // 2],
        lambda data: data[:4],
        lambda data: data[: len(data) // 4] + bytes(40) + data[len(data) // 4 + 40 :],
    ],
    ids=["empty", "another file", "one byte short", "half", "magic only", "overwritten inside"],
)
def test_what_is_no_whole_table_is_refused_in_one_line(tmp_path: Path, change: Callable[[bytes], bytes]) -> None:
    path = damaged(tmp_path, change)
    with pytest.raises(
        DataError, match=r"^expected an evidence table in certification.parquet, got .*bundle$"
    ) as error:
        list(read_rows(path, schema=CERTIFICATION_SCHEMA))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("read", [column_names, lambda path: list(read_rows(path, schema=EVALUATION_SCHEMA))])
def test_a_missing_file_and_a_folder_are_refused_in_one_line(tmp_path: Path, read: Callable[[Path], object]) -> None:
    for path in (tmp_path / "nothing.parquet", tmp_path):
        with pytest.raises(DataError, match=f"^expected an evidence table in {re.escape(path.name)}, got"):
            read(path)


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        (EVALUATION_SCHEMA, r"got missing \['candidate', 'n0', "),
        (CERTIFICATION_SCHEMA.remove(11), r"got missing \['radius'\]"),
        (CERTIFICATION_SCHEMA.append(pa.field("more", pa.int64())), "got other columns or types"),
        (CERTIFICATION_SCHEMA.set(2, pa.field("label", pa.int32(), nullable=False)), "got other columns or types"),
        (CERTIFICATION_SCHEMA.set(2, pa.field("label", pa.int64())), "got other columns or types"),
        (pa.schema(reversed(list(CERTIFICATION_SCHEMA))), "got other columns or types"),
    ],
    ids=["the other table", "a column less", "a column more", "another type", "may be null", "another order"],
)
def test_other_columns_are_refused(tmp_path: Path, schema: pa.Schema, message: str) -> None:
    pq.write_table(schema.empty_table(), tmp_path / "certification.parquet")
    with pytest.raises(DataError, match=rf"^expected the columns .* in certification.parquet, {message}"):
        list(read_rows(tmp_path / "certification.parquet", schema=CERTIFICATION_SCHEMA))


@pytest.mark.parametrize("column", [field.name for field in EVALUATION_SCHEMA])
def test_only_a_target_may_be_missing_from_a_row(tmp_path: Path, column: str) -> None:
    if column == "target":
        write_rows([attack_row(1)], tmp_path / "table", schema=EVALUATION_SCHEMA)
        assert next(read_rows(tmp_path / "table", schema=EVALUATION_SCHEMA))["target"] is None
    else:
        with pytest.raises(pa.ArrowInvalid, match="non-nullable"):
            write_rows([attack_row(1) | {column: None}], tmp_path / "table", schema=EVALUATION_SCHEMA)


def test_text_that_is_no_utf_8_is_refused(tmp_path: Path) -> None:
    offsets, data = pa.py_buffer(b"\0\0\0\0\2\0\0\0"), pa.py_buffer(b"\xff\xfe")
    text = pa.StringArray.from_buffers(1, offsets, data)
    table = pa.Table.from_pylist([attack_row(1)], schema=EVALUATION_SCHEMA)
    place = EVALUATION_SCHEMA.get_field_index("perturbed")
    pq.write_table(table.set_column(place, EVALUATION_SCHEMA.field(place), text), tmp_path / "evaluation.parquet")
    with pytest.raises(DataError, match=r"^expected an evidence table in evaluation.parquet, got .*UTF8"):
        list(read_rows(tmp_path / "evaluation.parquet", schema=EVALUATION_SCHEMA))


def test_many_rows_are_written_and_read_in_groups_and_not_held_together(tmp_path: Path) -> None:
    count = 10 * ROWS_PER_GROUP + 1
    write_rows((attack_row(sample) for sample in range(count)), tmp_path / "table", schema=EVALUATION_SCHEMA)
    assert pq.ParquetFile(tmp_path / "table").metadata.num_row_groups == 11
    tracemalloc.start()
    found = evidence_root(read_rows(tmp_path / "table", schema=EVALUATION_SCHEMA))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found[0] == count
    assert peak < 2500 * ROWS_PER_GROUP, "one group of rows is held, over 900 bytes each, and no hash of another"
