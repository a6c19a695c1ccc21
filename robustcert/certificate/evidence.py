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


def write_rows(rows: Iterable[Row], path: Path, *, schema: pa.Schema) -> None:
    """Writes `rows` to `path` in their order; equal rows give equal bytes under one version of pyarrow."""
    with pq.ParquetWriter(path, schema, compression="zstd", version="2.6") as writer:
        for group in _groups(rows):
            writer.write_table(pa.Table.from_pylist([dict(row) for row in group], schema=schema))


def read_rows(path: Path, *, schema: pa.Schema) -> Iterator[dict[str, Any]]:
    """Streams the rows of an evidence file; DataError when it is no Parquet file of that schema."""
    try:
        with pq.ParquetFile(path) as file:
            _require_schema(file.schema_arrow, schema, path)
            for batch in file.iter_batches(batch_size=ROWS_PER_GROUP):
                batch.validate(full=True)
                yield from batch.to_pylist()
    except (pa.ArrowException, OSError) as error:
        raise _no_table(path, error) from error


def column_names(path: Path) -> list[str]:
    """Names of the columns of a Parquet file; DataError when it is none."""
    try:
        return list(pq.read_schema(path).names)
    except (pa.ArrowException, OSError) as error:
        raise _no_table(path, error) from error


def evidence_root(rows: Iterable[Row]) -> tuple[int, str]:
    """Number of rows and RFC 6962 Merkle root over their canonical forms (hexadecimal); 32 bytes of memory a row."""
    hashes = [leaf_hash(canonical_json(dict(row))) for row in rows]
    return len(hashes), merkle_root_of_hashes(hashes)


def merge_certification(paths: Sequence[Path], target: Path, *, sample_ids: Sequence[int]) -> None:
    """Joins shards into one table in sample order; DataError on a missing, double or foreign sample."""
    rows = sorted((row for path in paths for row in read_rows(path, schema=CERTIFICATION_SCHEMA)), key=_by_sample)
    found, wanted = [row["sample"] for row in rows], sorted(sample_ids)
    if found != wanted:
        raise DataError(
            expected("one row for each planned sample", got=_difference(found, wanted), remedy="rerun the shards")
        )
    write_rows(rows, target, schema=CERTIFICATION_SCHEMA)


def _groups(rows: Iterable[Row]) -> Iterator[list[Row]]:
    group: list[Row] = []
    for row in rows:
        group.append(row)
        if len(group) == ROWS_PER_GROUP:
            yield group
            group = []
    yield group


def _require_schema(found: pa.Schema, wanted: pa.Schema, path: Path) -> None:
    if not found.equals(wanted, check_metadata=False):
        missing = [name for name in wanted.names if name not in found.names]
        got = f"missing {missing}" if missing else "other columns or types"
        raise DataError(
            expected(f"the columns {wanted.names} in {path.name}", got=got, remedy="use the bundle's own file")
        )


def _by_sample(row: Row) -> int:
    return int(row["sample"])


def _difference(found: Sequence[int], wanted: Sequence[int]) -> str:
    missing = sorted(set(wanted) - set(found))[:5]
    foreign = sorted(set(found) - set(wanted))[:5]
    double = sorted({sample for sample in found if found.count(sample) > 1})[:5] if len(found) < 100_000 else []
    return f"samples missing {missing}, foreign {foreign}, double {double}"


def _no_table(path: Path, error: BaseException) -> DataError:
    got = " ".join(str(error).split())[:200]
    return DataError(
        expected(f"an evidence table in {path.name}", got=got, remedy="use the file of the certificate's bundle")
    )
