"""Parquet and CSV files as Arrow tables of a few rows at a time; what is wrong with one is a DataError.

Parquet is read through small buffers, so that memory follows neither the rows of the file nor those of a row group. CSV
cells are texts here: `robustcert.drift.row_columns` reads them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from robustcert.data.source_table import csv_header
from robustcert.drift.row_files import readable
from robustcert.errors import DataError, expected

CSV_BLOCK_BYTES = 4 << 20
COLUMN_BUFFER_BYTES = 1 << 18
MOST_ROWS = 10**10  # a Parquet file of a few kilobytes can claim any number

Table = Any  # pyarrow.Table; pyarrow ships no types


def table_columns(path: Path, *, name: str) -> list[str]:
    """Names of the columns; DataError for a name that is there twice."""
    with _complete(name):
        names = csv_header(path) if path.suffix.lower() == ".csv" else _parquet_columns(path)
    repeated = [column for column in names if names.count(column) > 1]
    if repeated:
        got = f"{repeated[0]!r} twice in {name!r}"
        raise DataError(expected("each column once", got=got, remedy="rename or drop one"))
    return names


def table_rows(path: Path, *, name: str) -> int | None:
    """Number of rows, where the file tells without being read."""
    from pyarrow import parquet

    if path.suffix.lower() == ".csv":
        return None
    with _complete(name), parquet.ParquetFile(path) as file:
        rows = int(file.metadata.num_rows)
    if rows > MOST_ROWS:
        raise DataError(expected(f"at most {MOST_ROWS} rows in {name!r}", got=rows, remedy="give the rows in parts"))
    return rows


def table_batches(path: Path, *, name: str, columns: Collection[str], rows: int) -> Iterator[Table]:
    """Tables of at most `rows` rows with those of `columns` that the file has."""
    wanted = [column for column in table_columns(path, name=name) if column in columns]
    read = _csv_batches if path.suffix.lower() == ".csv" else _parquet_batches
    with _complete(name):
        for table in read(path, wanted, rows):
            for start in range(0, table.num_rows, rows):
                yield table.slice(start, rows)


def _parquet_columns(path: Path) -> list[str]:
    from pyarrow import parquet

    with parquet.ParquetFile(path) as file:
        return list(file.schema_arrow.names)


def _parquet_batches(path: Path, columns: Sequence[str], rows: int) -> Iterator[Table]:
    import pyarrow as pa
    from pyarrow import parquet

    with parquet.ParquetFile(path, buffer_size=COLUMN_BUFFER_BYTES, pre_buffer=False) as file:
        if not columns:
            yield from _without_columns(file.metadata.num_rows, rows)
            return
        for batch in file.iter_batches(batch_size=rows, columns=list(columns), use_threads=False):
            yield pa.Table.from_batches([batch])


def _without_columns(count: int, rows: int) -> Iterator[Table]:
    """Tables that say nothing of their rows, but how many there are: a null column of no meaning."""
    import pyarrow as pa

    for start in range(0, count, rows):
        yield pa.table({"": pa.nulls(min(rows, count - start))})


def _csv_batches(path: Path, columns: Sequence[str], rows: int) -> Iterator[Table]:
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    texts = dict.fromkeys(csv_header(path), pa.string())
    reader = arrow_csv.open_csv(
        path,
        read_options=arrow_csv.ReadOptions(use_threads=False, block_size=CSV_BLOCK_BYTES),
        parse_options=arrow_csv.ParseOptions(newlines_in_values=True),
        convert_options=arrow_csv.ConvertOptions(
            column_types=texts, include_columns=columns, strings_can_be_null=False
        ),
    )
    with reader:
        for batch in reader:
            yield pa.Table.from_batches([batch])


@contextmanager
def _complete(name: str) -> Iterator[None]:
    """DataError in place of what Arrow raises for a damaged file."""
    import pyarrow as pa

    try:
        with readable(name):
            yield
    except pa.ArrowException as error:
        reason = " ".join(str(error).split())[:160]
        raise DataError(expected(f"a complete file in {name!r}", got=reason, remedy="write the file again")) from error
