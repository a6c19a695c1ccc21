"""Columns of a logged window as arrays: cells by the rules of robustcert.data.source_table, each distinct text once.

Shapes: B rows, F features of a table, C, H, W of an image.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robustcert.data.coordinates import image_shape
from robustcert.data.raw import Cell, class_indices
from robustcert.data.source_table import NULL_TEXTS, column_of_texts, column_of_values, plain_arrow
from robustcert.drift.row_batch import Answers, ClassColumn, RowBatch, Texts
from robustcert.errors import DataError, expected
from robustcert.specification import Contract, Feature

IMAGE = "x"
PREDICTED = "predicted"
TEXTS = {"id": "ids", "outcome": "outcomes", "segment": "segments", "model_sha256": "models",
         "data_version": "data_versions"}  # fmt: skip
NUMBERS = {"margin": "margins", "distance": "distances"}
ANSWERS = (*TEXTS, *NUMBERS, "time", "prediction")

Table = Any  # pyarrow.Table
Column = Any  # pyarrow.ChunkedArray


def value_columns(contract: Contract) -> tuple[str, ...]:
    """Names of the columns that hold the inputs."""
    return (IMAGE,) if contract.kind == "image" else tuple(feature.name for feature in contract.features)


def answer_columns(contract: Contract) -> tuple[str, ...]:
    """Names of the columns that hold anything else; a contract's feature of such a name comes first."""
    taken = set(value_columns(contract))
    return tuple(name for name in (*ANSWERS, label_column(contract)) if name not in taken)


def label_column(contract: Contract) -> str:
    """The column of labels."""
    return contract.label or "label"


def row_batch(table: Table, contract: Contract, *, first_row: int) -> RowBatch:
    """Rows of an Arrow table; DataError for a column of a type that can't hold what it should."""
    found = answers(table, contract, first_row=first_row)
    if contract.kind == "image":
        return RowBatch(values=_images(table, contract), cells=None, answers=found)
    values, cells = _features(table, contract)
    return RowBatch(values=values, cells=cells, answers=found)


def answers(table: Table, contract: Contract, *, first_row: int) -> Answers:
    """Everything but the inputs, of rows of an Arrow table."""
    held = set(table.column_names) & set(answer_columns(contract))
    texts = {field: _texts(table, name) for name, field in TEXTS.items() if name in held}
    numbers = {field: _number(table, name) for name, field in NUMBERS.items() if name in held}
    label = label_column(contract)
    return Answers(
        rows=np.arange(first_row, first_row + table.num_rows, dtype=np.int64),
        times=times(table["time"], "time") if "time" in held else None,
        predictions=_predictions(table, contract, texts.get("outcomes")) if "prediction" in held else None,
        labels=class_column(table[label], contract.classes) if label in held else None,
        **texts,
        **numbers,
    )


def class_column(column: Column, classes: tuple[str, ...]) -> ClassColumn:
    """Classes by name, or by number where no text names one: see robustcert.data.raw.class_indices."""
    codes, texts = coded(column)
    known = [text for text in texts if text not in NULL_TEXTS or text in classes]
    indices, _ = class_indices(known, classes) if known else (np.zeros(0, dtype=np.int64), ())
    by_text = dict(zip(known, indices.tolist(), strict=True))
    table = np.array([by_text.get(text, -1) for text in texts] + [-1], dtype=np.int64)
    given = np.array([text in by_text for text in texts] + [False], dtype=np.bool_)
    return _class_column(table[codes], given=given[codes], n_classes=len(classes))


def times(column: Column, name: str) -> NDArray[np.datetime64]:
    """Times in UTC, datetime64[us], NaT where there is none; a time without zone is UTC only where Arrow stores it."""
    import pyarrow as pa

    try:
        if pa.types.is_string(column.type) or pa.types.is_null(column.type):
            column = _null_texts(column).cast(pa.timestamp("us", "UTC"))
        found = np.asarray(column.cast(pa.timestamp("us"), safe=False).to_numpy())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        got = " ".join(str(error).split())[:120]
        remedy = "store timestamps, or texts such as 2026-11-21T13:05:11Z"
        raise DataError(expected(f"times with a zone in column {name!r}", got=got, remedy=remedy)) from error
    return found.astype("datetime64[us]")


def texts_of(column: Column, name: str) -> Texts:
    """A column as one array of texts, null where a row has none."""
    import pyarrow as pa

    plain = plain_arrow(column, name).cast(pa.string())
    return plain.combine_chunks() if isinstance(plain, pa.ChunkedArray) else plain


def coded(column: Column) -> tuple[NDArray[np.int64], list[str]]:
    """Each row's position among the distinct texts (B,), one past the last where it has none; and these, trimmed."""
    encoded = texts_of(column, "label").dictionary_encode()
    texts = [str(text).strip() for text in encoded.dictionary.to_pylist()]
    codes = encoded.indices.fill_null(len(texts)).to_numpy(zero_copy_only=False)
    return np.asarray(codes, dtype=np.int64), texts


def _texts(table: Table, name: str) -> Texts:
    return texts_of(table[name], name)


def _number(table: Table, name: str) -> NDArray[np.float64]:
    return column_of_values(table, Feature(name=name, kind="continuous", minimum=0.0, maximum=1.0)).values


def _predictions(table: Table, contract: Contract, outcomes: Texts | None) -> ClassColumn:
    """Class numbers, as the payload log writes them; class names where the column holds texts."""
    import pyarrow as pa

    column = table["prediction"]
    if not (pa.types.is_integer(column.type) or pa.types.is_null(column.type)):
        found = class_column(column, contract.classes)
    else:
        given = np.asarray(column.is_valid().to_numpy(), dtype=np.bool_)
        index = np.asarray(column.cast(pa.int64()).fill_null(0).to_numpy(), dtype=np.int64)
        found = _class_column(index, given=given, n_classes=len(contract.classes))
    if outcomes is None:
        return found
    answered = equal_to(outcomes, PREDICTED)
    return ClassColumn(index=found.index, known=found.known & answered, foreign=found.foreign & answered)


def _class_column(index: NDArray[np.int64], *, given: NDArray[np.bool_], n_classes: int) -> ClassColumn:
    known = given & (index >= 0) & (index < n_classes)
    return ClassColumn(index=np.where(known, index, 0), known=known, foreign=given & ~known)


def equal_to(texts: Texts, text: str) -> NDArray[np.bool_]:
    """Which texts are that one, bool (B,); none where there is no text."""
    from pyarrow import compute

    return np.asarray(compute.equal(texts, text).fill_null(False).to_numpy(zero_copy_only=False), dtype=np.bool_)


def _null_texts(column: Column) -> Column:
    import pyarrow as pa
    from pyarrow import compute

    trimmed = compute.utf8_trim_whitespace(column.cast(pa.string()))
    return compute.if_else(compute.is_in(trimmed, value_set=pa.array(sorted(NULL_TEXTS))), None, trimmed)


def _features(table: Table, contract: Contract) -> tuple[NDArray[np.float64], NDArray[np.uint8]]:
    shape = (len(contract.features), table.num_rows)
    values_FB, cells_FB = np.empty(shape), np.empty(shape, dtype=np.uint8)
    for number, feature in enumerate(contract.features):
        values_FB[number], cells_FB[number] = _feature(table, feature)
    return values_FB.T, cells_FB.T


def _feature(table: Table, feature: Feature) -> tuple[NDArray[np.float64], NDArray[np.uint8]]:
    """A feature's values and cells, (B,) each; a category's distinct texts are looked up once."""
    if feature.kind != "categorical" or feature.name not in table.column_names:
        read = column_of_values(table, feature)
        return read.values, read.cells
    codes, texts = coded(plain_arrow(table[feature.name], feature.name))
    read = column_of_texts(texts, feature)
    values = np.append(read.values, np.nan)
    cells = np.append(read.cells, np.uint8(Cell.ABSENT))
    return values[codes], cells[codes]


def _images(table: Table, contract: Contract) -> NDArray[np.float32]:
    """Pixels as stored, float32 (B, C, H, W), NaN where a row holds no input."""
    import pyarrow as pa
    from pyarrow import compute

    shape = image_shape(contract)
    values_BX = np.full((table.num_rows, math.prod(shape)), np.nan, dtype=np.float32)
    if IMAGE not in table.column_names:
        return values_BX.reshape(table.num_rows, *shape)
    column = table[IMAGE].combine_chunks()
    kinds = pa.types
    if not (kinds.is_list(column.type) or kinds.is_fixed_size_list(column.type) or kinds.is_large_list(column.type)):
        remedy = "store the pixels of a row as one list of numbers"
        raise DataError(expected(f"lists of {math.prod(shape)} numbers in column 'x'", got=column.type, remedy=remedy))
    given = np.asarray(column.is_valid().to_numpy(zero_copy_only=False), dtype=np.bool_)
    _refuse_lengths(compute.list_value_length(column).drop_null(), shape=shape)
    try:
        pixels = column.drop_null().flatten().cast(pa.float32(), safe=False)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        got, remedy = " ".join(str(error).split())[:120], "store the pixels as numbers"
        raise DataError(expected("numbers in column 'x'", got=got, remedy=remedy)) from error
    values_BX[given] = pixels.to_numpy(zero_copy_only=False).reshape(-1, math.prod(shape))
    return values_BX.reshape(table.num_rows, *shape)


def _refuse_lengths(lengths: Any, *, shape: tuple[int, ...]) -> None:
    from pyarrow import compute

    found = compute.unique(lengths).to_pylist()
    if set(found) - {math.prod(shape)}:
        got = ", ".join(str(length) for length in found[:5])
        what = f"{math.prod(shape)} numbers a row in column 'x', for images of shape {list(shape)}"
        raise DataError(expected(what, got=got, remedy="correct the log or contract.shape"))
