"""The rows of a payload log as a Parquet table, in the contract's own units.

Columns: `id` of the request's CloudEvent, with `/<row>` where a request had several rows; `time`; `prediction`, the
index of the class, null without an answer; `outcome`; `margin` and `distance`, null where the input was invalid;
`segment`; `model_sha256`; then one column per feature of a table (a category by its name, null for what is no value),
or `x`, an image's stored values in C order. A feature that bears the name of another column takes its place.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from robustcert.drift.reference import ColumnPart, DriftReference

if TYPE_CHECKING:
    import pyarrow as pa

PIXELS = "x"


class Payload(NamedTuple):
    """One row: `time` in microseconds since 1970, UTC; `raw_R` the raw values as float64 (R,)."""

    id: str
    time: int
    prediction: int | None
    outcome: str
    margin: float | None
    distance: float | None
    segment: str
    raw_R: NDArray[np.float64]


def payload_schema(reference: DriftReference) -> pa.Schema:
    """Names and types of the columns."""
    import pyarrow as pa

    facts = [
        pa.field("id", pa.string(), nullable=False),
        pa.field("time", pa.timestamp("us", tz="UTC"), nullable=False),
        pa.field("prediction", pa.int32()),
        pa.field("outcome", pa.string(), nullable=False),
        pa.field("margin", pa.float32()),
        pa.field("distance", pa.float32()),
        pa.field("segment", pa.string(), nullable=False),
        pa.field("model_sha256", pa.string(), nullable=False),
    ]
    inputs = _input_fields(reference)
    taken = {field.name for field in inputs}
    return pa.schema([*(field for field in facts if field.name not in taken), *inputs])


def parquet_bytes(payloads: Sequence[Payload], reference: DriftReference) -> pa.Buffer:
    """A Parquet file of these rows."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = payload_schema(reference)
    raw_BR = np.stack([payload.raw_R for payload in payloads])
    inputs = _pixels(raw_BR, schema) if reference.kind == "image" else _table(raw_BR, reference, schema)
    facts = [_fact(payloads, field, reference) for field in list(schema)[: len(schema) - len(inputs)]]
    columns = [*facts, *inputs]
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_arrays(columns, schema=schema), sink, compression="zstd", version="2.6")
    return sink.getvalue()


def _input_fields(reference: DriftReference) -> list[pa.Field]:
    import pyarrow as pa

    if reference.kind == "image":
        pixels = pa.list_(pa.field("element", pa.float32()), int(np.prod(reference.shape)))
        return [pa.field(PIXELS, pixels, nullable=False)]
    kinds = {"continuous": pa.float64(), "integer": pa.int64(), "binary": pa.int8(), "categorical": pa.string()}
    return [pa.field(column.name, kinds[column.kind]) for column in reference.columns]


def _fact(payloads: Sequence[Payload], field: pa.Field, reference: DriftReference) -> pa.Array:
    import pyarrow as pa

    values: list[Any] = [getattr(payload, field.name, reference.model_sha256) for payload in payloads]
    return pa.array(values, field.type)


def _pixels(raw_BR: NDArray[np.float64], schema: pa.Schema) -> list[pa.Array]:
    import pyarrow as pa

    values = pa.array(raw_BR.astype(np.float32).ravel())
    return [pa.FixedSizeListArray.from_arrays(values, type=schema.field(PIXELS).type)]


def _table(raw_BR: NDArray[np.float64], reference: DriftReference, schema: pa.Schema) -> list[pa.Array]:
    import pyarrow as pa

    columns = zip(reference.columns, raw_BR.T, strict=True)
    return [pa.array(_values(column, values_B), schema.field(column.name).type) for column, values_B in columns]


def _values(column: ColumnPart, values_B: NDArray[np.float64]) -> list[float | int | str | None]:
    """What the column's type can hold; None for NaN, and for what is no whole number where one is wanted."""
    if column.kind == "continuous":
        return [None if np.isnan(value) else float(value) for value in values_B]
    most = {"integer": 2**63, "binary": 128, "categorical": len(column.categories)}[column.kind]
    least = 0 if column.kind == "categorical" else -most
    whole = [int(value) if least <= value < most and value == np.rint(value) else None for value in values_B]
    if column.kind == "categorical":
        return [None if value is None else column.categories[value] for value in whole]
    return list(whole)
