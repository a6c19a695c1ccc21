"""Oracle: pyarrow and the contract's own reader of tables read back what was written."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from robustcert.drift.reference import DriftReference, read_reference
from robustcert.drift.stream.payload_table import Payload, parquet_bytes, payload_schema
from tests.drift.stream.references import as_json, table_document

MOMENT = datetime(2026, 11, 21, 13, 5, 11, 123456, tzinfo=UTC)


def payload(raw: list[float], **changes: Any) -> Payload:
    wanted: dict[str, Any] = {
        "id": "e-1",
        "time": int(MOMENT.timestamp()) * 1_000_000 + MOMENT.microsecond,
        "prediction": 2,
        "outcome": "predicted",
        "margin": 1.5,
        "distance": 0.25,
        "segment": "",
        "raw_R": np.array(raw),
    }
    return Payload(**(wanted | changes))


def written(reference: DriftReference, *payloads: Payload) -> pa.Table:
    return pq.read_table(pa.BufferReader(parquet_bytes(payloads, reference)))


def test_an_image_is_one_list_of_its_stored_values(image_reference: DriftReference) -> None:
    table = written(image_reference, payload([0, 8, 4, 2]), payload([1, 1, 1, 1], id="e-2"))
    assert table.schema.equals(payload_schema(image_reference))
    assert table.to_pylist()[0] == {
        "id": "e-1",
        "time": MOMENT,
        "prediction": 2,
        "outcome": "predicted",
        "margin": 1.5,
        "distance": 0.25,
        "segment": "",
        "model_sha256": "0123456789abcdef" * 4,
        "x": [0.0, 8.0, 4.0, 2.0],
    }


def test_the_columns_have_the_types_that_the_batch_report_expects(table_reference: DriftReference) -> None:
    assert {field.name: str(field.type) for field in payload_schema(table_reference)} == {
        "id": "string",
        "time": "timestamp[us, tz=UTC]",
        "prediction": "int32",
        "outcome": "string",
        "margin": "float",
        "distance": "float",
        "segment": "string",
        "model_sha256": "string",
        "length": "double",
        "rooms": "int64",
        "owned": "int8",
        "colour": "string",
    }


def test_a_tables_row_reads_back_with_categories_by_name(table_reference: DriftReference) -> None:
    found = written(table_reference, payload([0.1, 3, 1, 2])).to_pylist()[0]
    assert (found["length"], found["rooms"], found["owned"], found["colour"]) == (0.1, 3, 1, "blue")


def test_what_a_column_cannot_hold_is_null(table_reference: DriftReference) -> None:
    answers = {"prediction": None, "margin": None, "distance": None, "outcome": "invalid"}
    rows = [[math.nan] * 4, [math.inf, math.inf, 200.0, 3.0], [7.5, 1e300, 0.5, -1.0], [-3.0, -4.0, -5.0, 0.5]]
    found = written(table_reference, *(payload(row, **answers) for row in rows)).to_pylist()
    assert [row["length"] for row in found] == [None, math.inf, 7.5, -3.0]
    assert [row["rooms"] for row in found] == [None, None, None, -4]
    assert [row["owned"] for row in found] == [None, None, None, -5]
    assert [row["colour"] for row in found] == [None] * 4
    assert {row["prediction"] for row in found} == {row["distance"] for row in found} == {None}


def test_a_feature_takes_the_place_of_another_column_of_its_name() -> None:
    text = as_json(table_document()).replace(b'"length"', b'"time"').replace(b'"rooms"', b'"id"')
    found = written(read_reference(text), payload([0.5, 7, 0, 0]))
    assert found.column_names.count("time") == found.column_names.count("id") == 1
    assert found.to_pylist()[0]["time"] == 0.5
    assert found.to_pylist()[0]["id"] == 7
