"""Bodies as the protocol's own examples have them, and bodies that nobody should send."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest

from robustcert.drift.reference import DriftReference
from robustcert.drift.stream.inputs import InputRows
from robustcert.drift.stream.open_inference import input_rows, output_scores, parse_request, parse_response
from robustcert.errors import DataError


def tensor(data: list[Any], *, name: str = "x", shape: list[int] | None = None, datatype: str = "FP32") -> Any:
    return {"name": name, "shape": shape or [len(data)], "datatype": datatype, "data": data}


def body(*inputs: Any, **more: Any) -> bytes:
    return json.dumps({"inputs": inputs} | more).encode()


@pytest.mark.parametrize("nested", [[0, 1, 2, 3, 4, 5, 6, 7], [[0, 1, 2, 3], [4, 5, 6, 7]]])
@pytest.mark.parametrize("shape", [[2, 4], [2, 1, 2, 2]])
def test_data_may_be_flat_or_nested(image_reference: DriftReference, nested: list[Any], shape: list[int]) -> None:
    request = parse_request(body(tensor(nested, shape=shape), id="42", parameters={"smoothed": True}))
    assert (request.id, request.parameters) == ("42", {"smoothed": True})
    assert np.array_equal(input_rows(request, InputRows(image_reference)), np.arange(8.0).reshape(2, 4))


def test_a_table_comes_as_one_tensor_or_column_by_column(table_reference: DriftReference) -> None:
    rows = InputRows(table_reference)
    columns = [
        tensor([0.5, -1], name="length", datatype="FP64"),
        tensor([1, 0], name="owned", datatype="BOOL"),
        tensor(["blue", "pink"], name="colour", datatype="BYTES", shape=[2, 1]),
        tensor([3, 9], name="rooms", datatype="INT64"),
    ]
    found = input_rows(parse_request(body(*columns)), rows)
    assert found[0].tolist() == [0.5, 3, 1, 2]
    assert math.isnan(found[1, 3])
    whole = tensor([0.5, 3, 1, 2], shape=[1, 4])
    assert input_rows(parse_request(body(whole)), rows).tolist() == [[0.5, 3, 1, 2]]


@pytest.mark.parametrize(
    ("sent", "message"),
    [
        (b"", "got no JSON"),
        (b"\xff\xfe", "got no JSON"),
        (b"[" * 100_000, "got JSON nested too deep"),
        (b"[]", "got body: Input should be"),
        (b"{}", "got inputs: Field required"),
        (body(), "got inputs: Tuple should have at least 1 item"),
        (body({"name": "x"}), "got inputs.0.shape: Field required"),
        (body(tensor([1], shape=[-1])), "got inputs.0.shape.0: Input should be greater"),
    ],
)
def test_a_body_of_another_form_is_one_line(sent: bytes, message: str) -> None:
    with pytest.raises(DataError, match="expected a request of the Open Inference Protocol") as caught:
        parse_request(sent)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("sent", "message"),
    [
        (tensor([1, 2, 3], shape=[1, 4]), r"expected 4 values in 'x', as its shape says, got 3"),
        (tensor([1, 2, 3, 4], shape=[4, 1]), r"expected rows of shape \[1, 2, 2\], got shape \[4, 1\]"),
        (tensor([1, "a", 3, 4], shape=[1, 4]), "expected numbers as data of 'x'"),
        (tensor([[1, 2], [3]], shape=[1, 4]), "expected numbers as data of 'x'"),
        (tensor([1, 2, 3, 4], shape=[1, 4], datatype="COMPLEX"), "expected a datatype such as FP32 of 'x'"),
        (tensor([], shape=[0, 4]), r"got shape \[0, 4\]"),
        (tensor([0] * 4, shape=[10**9, 10**9]), "as its shape says, got 4"),
        (tensor([], shape=[0, 10**30]), "expected 0 values in 'x', as its shape says, got 0"),
        (tensor([], shape=[0, 2**62, 2**62]), "expected 0 values in 'x', as its shape says, got 0"),
    ],
)
def test_tensors_that_are_no_rows_are_refused(image_reference: DriftReference, sent: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        input_rows(parse_request(body(sent)), InputRows(image_reference))


def test_columns_that_miss_one_or_differ_in_length_are_refused(table_reference: DriftReference) -> None:
    rows = InputRows(table_reference)
    columns = [tensor([1.0], name=column.name) for column in table_reference.columns]
    with pytest.raises(DataError, match="got 3 tensors without 'colour'"):
        input_rows(parse_request(body(*columns[:3])), rows)
    longer = [*columns[:3], tensor([1.0, 2.0], name="colour")]
    with pytest.raises(DataError, match="expected columns of one length"):
        input_rows(parse_request(body(*longer)), rows)
    wide = [*columns[:3], tensor([1.0, 2.0], name="colour", shape=[1, 2])]
    with pytest.raises(DataError, match=r"expected shape \(rows\) of 'colour'"):
        input_rows(parse_request(body(*wide)), rows)


def test_a_number_too_large_for_a_float_is_no_value(table_reference: DriftReference) -> None:
    huge = [tensor([10**400], name=column.name, datatype="BYTES") for column in table_reference.columns]
    found = input_rows(parse_request(body(*huge)), InputRows(table_reference))
    assert found.shape == (1, 4)
    assert np.isnan(found).all()


CLASSES = ("a", "b", "c")


def response(*outputs: Any) -> Any:
    return parse_response(json.dumps({"model_name": "m", "outputs": outputs}).encode())


def test_scores_are_preferred_to_classes() -> None:
    found = output_scores(
        response(tensor([1], name="label", datatype="INT64"), tensor([1, 2, 3], name="scores", shape=[1, 3])), CLASSES
    )
    assert found.scores_BK is not None
    assert found.scores_BK.tolist() == [[1, 2, 3]]


@pytest.mark.parametrize(("data", "datatype"), [([2, 0], "INT64"), (["c", "a"], "BYTES"), ([2.0, 0.0], "FP32")])
def test_classes_are_read_by_index_or_name(data: list[Any], datatype: str) -> None:
    found = output_scores(response(tensor(data, datatype=datatype)), CLASSES)
    assert found.labels_B is not None
    assert found.labels_B.tolist() == [2, 0]


@pytest.mark.parametrize(
    "output",
    [
        tensor([3], datatype="INT64"),
        tensor([-1], datatype="INT64"),
        tensor(["d"], datatype="BYTES"),
        tensor([0.5], datatype="FP32"),
        tensor([1, 2, 3, 4], shape=[1, 4]),
    ],
)
def test_an_output_that_says_nothing_of_classes_is_refused(output: Any) -> None:
    with pytest.raises(DataError, match="expected an output of 3 scores or a class for each row"):
        output_scores(response(output), CLASSES)


def test_a_response_of_another_form_is_refused() -> None:
    with pytest.raises(DataError, match="expected a response of the Open Inference Protocol"):
        parse_response(b'{"predictions": []}')
