"""Read CSV and Parquet: columns matched by name with the contract's features, whatever their order.

A cell is null where it is empty or one of NULL_TEXTS (unless that text is a category), a value where it is a number
or a known category, unreadable otherwise. Shapes: N samples, F features.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robustcert.data.raw import Cell, CellFault, Samples, class_indices
from robustcert.data.splits import split_codes
from robustcert.errors import DataError, expected
from robustcert.specification import Contract, Feature

NULL_TEXTS = frozenset({"", "NA", "N/A", "null", "NULL"})
TRUTH = {"true": 1.0, "false": 0.0}
# A Parquet file of a few kilobytes can claim more rows than memory holds.
MOST_CELLS = 1 << 30
MOST_CELLS_PER_BYTE = 32
FEW_CELLS = 1 << 23

Table = Any  # pyarrow.Table; pyarrow ships no types
Column = Any  # pyarrow.ChunkedArray


@dataclass(frozen=True, kw_only=True)
class ReadColumn:
    """values: float64 (N,), NaN where there is none; cells: uint8 (N,); fault: the first unreadable cell's row."""

    values: NDArray[np.float64]
    cells: NDArray[np.uint8]
    fault: tuple[int, str] | None = None


def read_csv(path: Path, *, contract: Contract, split_column: str | None) -> Samples:
    """The samples of a comma-separated UTF-8 file with a header line; DataError says what is wrong."""
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    texts = dict.fromkeys(csv_header(path), pa.string())
    try:
        table = arrow_csv.read_csv(
            path,
            read_options=arrow_csv.ReadOptions(use_threads=False),  # only then are broken rows numbered
            parse_options=arrow_csv.ParseOptions(newlines_in_values=True),
            convert_options=arrow_csv.ConvertOptions(column_types=texts, strings_can_be_null=False),
        )
    except pa.ArrowInvalid as error:
        raise _unreadable(path, "CSV", error) from error
    return _samples(table, contract=contract, split_column=split_column)


def read_parquet(path: Path, *, contract: Contract, split_column: str | None, most_cells: int = MOST_CELLS) -> Samples:
    """The samples of a Parquet file; DataError says what is wrong.

    It has at most `most_cells` rows times columns, and beyond FEW_CELLS at most MOST_CELLS_PER_BYTE times its size.
    """
    import pyarrow as pa
    from pyarrow import parquet

    try:
        with parquet.ParquetFile(path) as file:
            cells = file.metadata.num_rows * file.metadata.num_columns
            allowed = min(most_cells, max(FEW_CELLS, MOST_CELLS_PER_BYTE * path.stat().st_size))
            if cells > allowed:
                raise DataError(expected(f"at most {allowed} cells", got=cells, remedy="give the data in parts"))
            table = file.read(use_threads=False)
    except OSError as error:
        if error.errno is not None:
            raise
        raise _unreadable(path, "Parquet", error) from error  # pyarrow's word for damaged pages
    except pa.ArrowException as error:
        raise _unreadable(path, "Parquet", error) from error
    return _samples(table, contract=contract, split_column=split_column)


def csv_header(path: Path) -> list[str]:
    """The names in the first line of a CSV file; DataError where it can't be read as one."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        try:
            return next(csv.reader(file), [])
        except (UnicodeDecodeError, csv.Error) as error:
            raise _unreadable(path, "CSV", error) from error


def _unreadable(path: Path, form: str, error: Exception) -> DataError:
    reason = " ".join(str(error).split())[:160]
    return DataError(expected(f"a complete {form} file in {path.name!r}", got=reason, remedy="write the file again"))


def _samples(table: Table, *, contract: Contract, split_column: str | None) -> Samples:
    names: list[str] = table.column_names
    _refuse_repeated(names)
    label = contract.label or "label"
    labels, label_names = class_indices(_texts(table, label), contract.classes)
    splits = None if split_column is None else split_codes(_texts(table, split_column))
    columns = [column_of_values(table, feature) for feature in contract.features]
    return Samples(
        values=np.column_stack([column.values for column in columns]),
        cells=np.column_stack([column.cells for column in columns]),
        faults=_faults(columns, contract.features),
        labels=labels,
        label_names=label_names,
        sample_ids=np.arange(len(labels), dtype=np.int64),
        columns=tuple(name for name in names if name not in (label, split_column)),
        splits=splits,
    )


def _refuse_repeated(names: Sequence[str]) -> None:
    repeated = [name for name in names if names.count(name) > 1]
    if repeated:
        raise DataError(expected("each column once", got=f"{repeated[0]!r} twice", remedy="rename or drop one"))


def _texts(table: Table, name: str) -> list[str | None]:
    import pyarrow as pa

    if name not in table.column_names:
        got = ", ".join(table.column_names[:20])
        raise DataError(expected(f"a column {name!r}", got=got, remedy="add it, or name the right one in the contract"))
    texts: list[str | None] = plain_arrow(table[name], name).cast(pa.string(), safe=False).to_pylist()
    return texts


def column_of_values(table: Table, feature: Feature) -> ReadColumn:
    """The column of a feature, each cell absent where the table has none; DataError for a type that is no value."""
    import pyarrow as pa

    if feature.name not in table.column_names:
        absent = np.full(table.num_rows, Cell.ABSENT, dtype=np.uint8)
        return ReadColumn(values=np.full(table.num_rows, np.nan), cells=absent)
    column = plain_arrow(table[feature.name], feature.name)
    if feature.kind == "categorical":
        return column_of_texts(column.cast(pa.string()).to_pylist(), feature)
    if pa.types.is_string(column.type):
        return _of_number_texts(column, feature)
    return _of_numbers(column.cast(pa.float64(), safe=False))


def plain_arrow(column: Column, name: str) -> Column:
    """Dictionary-coded and large texts as plain ones; DataError for a type that is neither number nor text."""
    import pyarrow as pa

    kinds = pa.types
    if kinds.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if kinds.is_large_string(column.type) or kinds.is_string_view(column.type):
        return column.cast(pa.string())
    tests = (kinds.is_integer, kinds.is_floating, kinds.is_boolean, kinds.is_decimal, kinds.is_string, kinds.is_null)
    if not any(test(column.type) for test in tests):
        what = f"numbers or texts in column {name!r}"
        raise DataError(expected(what, got=column.type, remedy="store it as numbers"))
    return column


def _of_numbers(column: Column) -> ReadColumn:
    absent = np.asarray(column.is_null().to_numpy(), dtype=np.bool_)
    values = np.asarray(column.to_numpy(), dtype=np.float64)
    return ReadColumn(values=values, cells=np.where(absent, np.uint8(Cell.ABSENT), np.uint8(Cell.READ)))


def _of_number_texts(column: Column, feature: Feature) -> ReadColumn:
    """All at once where every cell is a number or null, cell by cell only where one is not."""
    import pyarrow as pa
    from pyarrow import compute

    trimmed = compute.utf8_trim_whitespace(column)
    null = compute.is_in(trimmed, value_set=pa.array(sorted(NULL_TEXTS)))
    try:
        return _of_numbers(compute.if_else(null, None, trimmed).cast(pa.float64()))
    except pa.ArrowInvalid:
        return column_of_texts(column.to_pylist(), feature)


def column_of_texts(texts: Sequence[str | None], feature: Feature) -> ReadColumn:
    """The column of a feature whose cells are texts, as in a CSV file."""
    values = np.full(len(texts), np.nan)
    cells = np.full(len(texts), Cell.READ, dtype=np.uint8)
    for row, text in enumerate((text or "").strip() for text in texts):
        value = _value(text, feature)
        if value is not None:
            values[row] = value
        else:
            cells[row] = Cell.ABSENT if text in NULL_TEXTS else Cell.UNREADABLE
    unreadable = np.flatnonzero(cells == Cell.UNREADABLE)
    fault = (int(unreadable[0]), texts[unreadable[0]] or "") if len(unreadable) else None
    return ReadColumn(values=values, cells=cells, fault=fault)


def _value(text: str, feature: Feature) -> float | None:
    if feature.kind == "categorical":
        return float(feature.categories.index(text)) if text in feature.categories else None
    if feature.kind == "binary" and text.lower() in TRUTH:
        return TRUTH[text.lower()]
    try:
        return None if "_" in text else float(text)
    except ValueError:
        return None


def _faults(columns: Sequence[ReadColumn], features: Sequence[Feature]) -> tuple[CellFault, ...]:
    return tuple(
        CellFault(sample=column.fault[0], column=feature.name, text=column.fault[1])
        for column, feature in zip(columns, features, strict=True)
        if column.fault is not None
    )
