"""Evidence tables: one row per sample (certification) or per attacked sample (evaluation), stored as Parquet.

A row's canonical form is `canonical_json` of its columns; the table's root is the RFC 6962 Merkle root over these in
the file's order. Rows hold integers and strings only, so that every rate can be recomputed from the file. No value is
missing but the target of an attack that has none.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from robustcert.errors import DataError, expected
from robustcert.provenance.digests import canonical_json, leaf_hash, merkle_root_of_hashes

Row = Mapping[str, Any]

ROWS_PER_GROUP = 4096

_VOTE = pa.list_(pa.field("element", pa.int64(), nullable=False), 2)
_VOTES = pa.list_(pa.field("element", _VOTE, nullable=False))


def _table(nullable: str = "", **columns: pa.DataType) -> pa.Schema:
    return pa.schema([pa.field(name, kind, nullable=name == nullable) for name, kind in columns.items()])


CERTIFICATION_SCHEMA = _table(
    sample=pa.int64(),
    input=pa.string(),
    label=pa.int64(),
    candidate=pa.int64(),
    n0=pa.int64(),
    selection=_VOTES,
    selectionFragile=pa.int64(),
    n=pa.int64(),
    counts=_VOTES,
    fragile=pa.int64(),
    decision=pa.string(),
    radius=pa.string(),
)
# Rows of the methods that stop when they know enough: `path` has the failures counted at every look, cumulative.
SEQUENTIAL_SCHEMA = CERTIFICATION_SCHEMA.append(
    pa.field("path", pa.list_(pa.field("element", pa.int64(), nullable=False)), nullable=False)
)
EVALUATION_SCHEMA = _table(
    threat=pa.string(),
    epsilon=pa.string(),
    attack=pa.string(),
    sample=pa.int64(),
    input=pa.string(),
    label=pa.int64(),
    target=pa.int64(),
    prediction=pa.int64(),
    adversarial=pa.int64(),
    distance=pa.string(),
    perturbed=pa.string(),
    nullable="target",
)


def certification_schema(method: str | None) -> pa.Schema:
    """Columns of the certification evidence of a method (`Certification.method`)."""
    return CERTIFICATION_SCHEMA if method in (None, "fixed-n") else SEQUENTIAL_SCHEMA


def write_rows(rows: Iterable[Row], path: Path, *, schema: pa.Schema) -> None:
    """Writes `rows` to `path` in their order; equal rows give equal bytes under one version of pyarrow."""
    groups = (pa.Table.from_pylist([dict(row) for row in group], schema=schema) for group in _groups(rows))
    _write_groups(groups, path, schema=schema)


def write_tables(tables: Iterable[pa.Table], path: Path, *, schema: pa.Schema) -> None:
    """Writes the rows of `tables`, of any lengths, as `write_rows` would: the same bytes."""
    _write_groups(_regrouped(tables, schema), path, schema=schema)


def read_rows(path: Path, *, schema: pa.Schema) -> Iterator[dict[str, Any]]:
    """Streams the rows of an evidence file; DataError when it is no Parquet file of that schema."""
    for batch in read_batches(path, schema=schema):
        yield from batch.to_pylist()


def read_batches(
    path: Path, *, schema: pa.Schema, columns: Sequence[str] | None = None, rows: int = ROWS_PER_GROUP
) -> Iterator[pa.RecordBatch]:
    """Streams an evidence file as batches of at most `rows` rows, all columns or these; DataError as `read_rows`."""
    try:
        with pq.ParquetFile(path, pre_buffer=False) as file:
            _require_schema(file.schema_arrow, schema, path)
            for batch in file.iter_batches(batch_size=rows, columns=columns):
                batch.validate(full=True)
                yield batch
    except (pa.ArrowException, OSError) as error:
        raise _no_table(path, error) from error


def count_rows(path: Path, *, schema: pa.Schema) -> int:
    """How many rows an evidence file holds; DataError as `read_rows`."""
    try:
        with pq.ParquetFile(path) as file:
            _require_schema(file.schema_arrow, schema, path)
            return int(file.metadata.num_rows)
    except (pa.ArrowException, OSError) as error:
        raise _no_table(path, error) from error


def column_names(path: Path) -> list[str]:
    """Names of the columns of a Parquet file; DataError when it is none."""
    try:
        return list(pq.read_schema(path).names)
    except (pa.ArrowException, OSError) as error:
        raise _no_table(path, error) from error


def evidence_root(rows: Iterable[Row]) -> tuple[int, str]:
    """Number of rows and RFC 6962 Merkle root over their canonical forms (hexadecimal); no row is kept."""
    count = 0

    def hashes() -> Iterator[bytes]:
        nonlocal count
        for row in rows:
            count += 1
            yield leaf_hash(canonical_json(dict(row)))

    root = merkle_root_of_hashes(hashes())
    return count, root


def _write_groups(groups: Iterable[pa.Table], path: Path, *, schema: pa.Schema) -> None:
    with pq.ParquetWriter(path, schema, compression="zstd", version="2.6") as writer:
        for group in groups:
            writer.write_table(group)


def _groups(rows: Iterable[Row]) -> Iterator[list[Row]]:
    group: list[Row] = []
    for row in rows:
        group.append(row)
        if len(group) == ROWS_PER_GROUP:
            yield group
            group = []
    yield group


def _regrouped(tables: Iterable[pa.Table], schema: pa.Schema) -> Iterator[pa.Table]:
    """The same rows in tables of ROWS_PER_GROUP and one of what is left, which may be empty, as `_groups` gives."""
    held = schema.empty_table()
    for table in tables:
        held = pa.concat_tables([held, table])
        full = len(held) - len(held) % ROWS_PER_GROUP
        for first in range(0, full, ROWS_PER_GROUP):
            yield held.slice(first, ROWS_PER_GROUP).combine_chunks()
        held = held.slice(full)
    yield held.combine_chunks()


def _require_schema(found: pa.Schema, wanted: pa.Schema, path: Path) -> None:
    if not found.equals(wanted, check_metadata=False):
        missing = [name for name in wanted.names if name not in found.names]
        got = f"missing {missing}" if missing else "other columns or types"
        raise DataError(
            expected(f"the columns {wanted.names} in {path.name}", got=got, remedy="use the bundle's own file")
        )


def _no_table(path: Path, error: BaseException) -> DataError:
    got = " ".join(str(error).split())[:200]
    return DataError(
        expected(f"an evidence table in {path.name}", got=got, remedy="use the file of the certificate's bundle")
    )
