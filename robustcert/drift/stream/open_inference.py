"""Requests and responses of the Open Inference Protocol, version 2, in JSON.

https://github.com/kserve/open-inference-protocol (specification/protocol/inference_rest.md): `inputs` and `outputs` are
lists of tensors with name, shape, datatype and data (flat or nested, row-major). A table's rows come as one tensor
(B, R), or as one tensor for each column, of the column's name; BYTES hold categories by name. The binary data extension
is not read. Shapes: B rows, R raw values of a row, K classes.
"""

from __future__ import annotations

import json
import math
from contextlib import suppress
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from robustcert.drift.stream.inputs import InputRows, category_index, number
from robustcert.errors import DataError, expected

NUMBERS = ("BOOL", "UINT8", "UINT16", "UINT32", "UINT64", "INT8", "INT16", "INT32", "INT64", "FP16", "FP32", "FP64")
FLOATS = ("FP16", "FP32", "FP64")
TEXTS = "BYTES"
MOST_TENSORS = 10_000

Float64 = NDArray[np.float64]


class Tensor(BaseModel):
    """One tensor; unknown keys are ignored, as other servers' parameters may be anything."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: Annotated[str, Field(max_length=256)]
    shape: Annotated[tuple[Annotated[int, Field(ge=0)], ...], Field(max_length=8)]
    datatype: str
    data: list[Any]


class InferenceRequest(BaseModel):
    """A request's body."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: str = ""
    parameters: dict[str, Any] = Field(default_factory=dict)
    inputs: Annotated[tuple[Tensor, ...], Field(min_length=1, max_length=MOST_TENSORS)]


class InferenceResponse(BaseModel):
    """A response's body."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    outputs: tuple[Tensor, ...]


Body = TypeVar("Body", InferenceRequest, InferenceResponse)


@dataclass(frozen=True, kw_only=True)
class Scores:
    """What a response says of each row: logits or probabilities `scores_BK`, else the classes `labels_B`."""

    scores_BK: Float64 | None
    labels_B: NDArray[np.int64] | None


def parse_request(body: bytes) -> InferenceRequest:
    """The request in a body; DataError, one line, for anything else."""
    return _parsed(body, InferenceRequest, what="a request of the Open Inference Protocol, version 2")


def parse_response(body: bytes) -> InferenceResponse:
    """The response in a body; DataError for anything else."""
    return _parsed(body, InferenceResponse, what="a response of the Open Inference Protocol, version 2")


def input_rows(request: InferenceRequest, rows: InputRows) -> Float64:
    """The raw rows (B, R) of a request, valid or not; DataError where they have another shape or are no numbers."""
    columns = rows.reference.columns
    named = {tensor.name: tensor for tensor in request.inputs}
    if len(request.inputs) == 1 and not (len(columns) == 1 and columns[0].name in named):
        return rows.read(_values(request.inputs[0]))
    missing = [column.name for column in columns if column.name not in named]
    if missing or not columns:
        got = f"{len(request.inputs)} tensors" + (f" without {missing[0]!r}" if missing else "")
        remedy = "send one tensor of rows, or one for each column"
        raise DataError(expected("the certificate's inputs", got=got, remedy=remedy))
    found = [_column(_values(named[column.name]), column.name) for column in columns]
    if len({len(values) for values in found}) != 1:
        raise DataError(expected("columns of one length", got="several", remedy="send one value for each row"))
    encoded = [
        [category_index(column, value) for value in values] if column.kind == "categorical" else _numbers(values)
        for column, values in zip(columns, found, strict=True)
    ]
    return rows.read(np.array(encoded, dtype=np.float64).T)


def output_scores(response: InferenceResponse, classes: tuple[str, ...]) -> Scores:
    """Scores where an output is (B, K) of floating point, else classes by index or name; DataError for neither."""
    for tensor in response.outputs:
        if tensor.datatype in FLOATS and len(tensor.shape) == 2 and tensor.shape[1] == len(classes):
            return Scores(scores_BK=_values(tensor).astype(np.float64), labels_B=None)
    for tensor in response.outputs:
        labels = _labels(tensor, classes)
        if labels is not None:
            return Scores(scores_BK=None, labels_B=labels)
    got = ", ".join(f"{tensor.name} {list(tensor.shape)}" for tensor in response.outputs[:5]) or "none"
    remedy = "let the model give logits"
    raise DataError(expected(f"an output of {len(classes)} scores or a class for each row", got=got, remedy=remedy))


def _parsed(body: bytes, kind: type[Body], *, what: str) -> Body:
    try:
        return kind.model_validate(json.loads(body))
    except ValidationError as error:
        first = error.errors()[0]
        got = f"{'.'.join(map(str, first['loc'])) or 'body'}: {first['msg']}"
    except (ValueError, RecursionError) as error:
        got = "no JSON" if isinstance(error, ValueError) else "JSON nested too deep"
    raise DataError(expected(what, got=got, remedy="see docs/serving.md"))


def _values(tensor: Tensor) -> NDArray[Any]:
    """The tensor's data in its shape: float64, or objects where they are texts."""
    if tensor.datatype not in (*NUMBERS, TEXTS):
        raise DataError(
            expected(f"a datatype such as FP32 of {tensor.name!r}", got=tensor.datatype[:20], remedy="set it")
        )
    try:
        flat = np.array(tensor.data, dtype=object if tensor.datatype == TEXTS else np.float64).ravel()
    except (TypeError, ValueError, OverflowError) as error:
        got = "lists of different lengths, or what is no number"
        raise DataError(expected(f"numbers as data of {tensor.name!r}", got=got, remedy="correct them")) from error
    if len(flat) == math.prod(tensor.shape):
        with suppress(ValueError, OverflowError):  # without a value, the other sides may be longer than NumPy's can be
            return flat.reshape(tensor.shape)
    what = f"{math.prod(tensor.shape)} values in {tensor.name!r}, as its shape says"
    raise DataError(expected(what, got=len(flat), remedy="correct shape or data"))


def _column(values: NDArray[Any], name: str) -> list[Any]:
    if values.ndim != 1 and values.shape[1:] != (1,):
        raise DataError(expected(f"shape (rows) of {name!r}", got=list(values.shape), remedy="send one value a row"))
    found: list[Any] = values.ravel().tolist()
    return found


def _numbers(values: list[Any]) -> list[float]:
    return [number(value) for value in values]


def _labels(tensor: Tensor, classes: tuple[str, ...]) -> NDArray[np.int64] | None:
    """Class indices (B,) of an output that holds one class for each row, None of any other."""
    if len(tensor.shape) != 1 and tensor.shape[1:] != (1,):
        return None
    values = _values(tensor).ravel().tolist()
    if tensor.datatype == TEXTS:
        values = [classes.index(value) if value in classes else -1 for value in values]
    known = all(value == int(value) and 0 <= value < len(classes) for value in values if math.isfinite(value))
    if not known or not all(map(math.isfinite, values)):
        return None
    return np.array(values, dtype=np.int64)
