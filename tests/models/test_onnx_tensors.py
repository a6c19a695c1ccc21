"""ONNX operators on whole tensors, each against onnxruntime."""

from pathlib import Path

import numpy as np
import pytest

from robustcert.errors import ModelError
from robustcert.models.onnx_import import import_onnx
from robustcert.models.onnx_tensors import OPERATORS
from tests.models.onnx_files import assert_as_onnxruntime, model_of, node, numbers

ELEMENTWISE = ["Abs", "Erf", "Exp", "Identity", "Neg", "Relu", "Sigmoid", "Tanh"]


def _checked(nodes, *, input_shape=(3, 4), weights=None, opset=17):
    """The nodes, their last output `y` flattened to logits, answer as onnxruntime does."""
    flat = node("Flatten", ["y"], "logits")
    model = model_of([*nodes, flat], input_shape=input_shape, weights=weights, opset=opset)
    assert_as_onnxruntime(model, input_shape=input_shape)


@pytest.mark.parametrize("operator", ELEMENTWISE)
@pytest.mark.parametrize("opset", [13, 21])
def test_elementwise_operators(operator, opset):
    _checked([node(operator, ["x"], "y")], opset=opset)


def test_square_roots():
    _checked([node("Abs", ["x"], "a"), node("Sqrt", ["a"], "y")])


@pytest.mark.parametrize("operator", ["Add", "Sub", "Mul", "Div"])
@pytest.mark.parametrize("shape", [(4,), (3, 1), (1, 3, 4), ()])
def test_arithmetic_broadcasts(operator, shape):
    weights = {"w": np.abs(numbers(*shape)) + 1}
    _checked([node(operator, ["x", "w"], "a"), node(operator, ["w", "a"], "y")], weights=weights)


@pytest.mark.parametrize(
    "attributes",
    [
        {},
        {"transB": 1},
        {"transA": 1},
        {"transA": 1, "transB": 1},
        {"alpha": 0.5},
        {"beta": 2.0},
        {"alpha": -1.5, "beta": 0.3},
    ],
)
@pytest.mark.parametrize("bias", [(5,), (1, 5), (), None])
def test_gemm_honours_all_its_attributes(attributes, bias):
    nodes = [node("Transpose", ["x"], "a")] if attributes.get("transA") else [node("Identity", ["x"], "a")]
    weights = {"b": numbers(*((5, 4) if attributes.get("transB") else (4, 5)))}
    if bias is not None:
        weights["c"] = numbers(*bias, seed=1)
    inputs = ["a", "b"] + ["c"] * (bias is not None)
    _checked([*nodes, node("Gemm", inputs, "y", **attributes)], input_shape=(4,), weights=weights)


def test_matrix_products_broadcast_over_leading_axes():
    _checked([node("MatMul", ["x", "w"], "y")], weights={"w": numbers(4, 6)})
    _checked([node("MatMul", ["w", "x"], "y")], weights={"w": numbers(2, 3)})


@pytest.mark.parametrize(
    ("operator", "attributes"),
    [("LeakyRelu", {}), ("LeakyRelu", {"alpha": 0.3}), ("Elu", {}), ("Elu", {"alpha": 0.5})],
)
def test_rectifiers_with_a_slope(operator, attributes):
    _checked([node(operator, ["x"], "y", **attributes)])


def test_prelu_takes_a_slope_per_channel():
    _checked([node("PRelu", ["x", "slope"], "y")], weights={"slope": numbers(3, 1)})


@pytest.mark.parametrize("inputs", [["x"], ["x", "low"], ["x", "", "high"], ["x", "low", "high"]])
def test_clip_takes_each_limit_or_none(inputs):
    limits = {"low": np.float32(-0.3), "high": np.float32(0.4)}
    _checked([node("Clip", inputs, "y")], weights={name: np.array(limits[name]) for name in inputs[1:] if name})


@pytest.mark.parametrize("operator", ["Softmax", "LogSoftmax"])
@pytest.mark.parametrize("opset", [11, 13])
@pytest.mark.parametrize("attributes", [{}, {"axis": 1}, {"axis": 2}, {"axis": -1}])
def test_softmax_means_all_later_axes_before_opset_13_and_one_axis_since(operator, opset, attributes):
    scaled = node("Mul", ["p", "w"], "y")
    _checked([node(operator, ["x"], "p", **attributes), scaled], weights={"w": numbers(3, 4)}, opset=opset)


@pytest.mark.parametrize("opset", [11, 12, 17])
def test_dropout_is_the_identity(opset):
    dropout = node("Dropout", ["x"], "y", ratio=0.7) if opset < 12 else node("Dropout", ["x", "ratio"], "y")
    _checked([dropout], weights={} if opset < 12 else {"ratio": np.array(0.7, np.float32)}, opset=opset)


@pytest.mark.parametrize("attributes", [{}, {"keepdims": 0}])
def test_means_take_axes_as_an_attribute_and_since_opset_18_as_an_input(attributes):
    _checked([node("ReduceMean", ["x"], "y", axes=[2], **attributes)], opset=17)
    _checked([node("ReduceMean", ["x", "axes"], "y", **attributes)], weights={"axes": np.array([-1])}, opset=18)


@pytest.mark.parametrize("axis", [1, 2, -1])
def test_flatten_splits_at_its_axis(axis):
    nodes = [node("Flatten", ["x"], "a", axis=axis), node("Reshape", ["a", "shape"], "y")]
    _checked(nodes, weights={"shape": np.array([-1, 12])})


@pytest.mark.parametrize("shape", [[-1, 12], [0, 12], [0, -1], [0, 2, 0, 2], [0, 4, 3]])
def test_reshape_copies_zeros_and_infers_minus_one(shape):
    _checked([node("Reshape", ["x", "shape"], "y")], input_shape=(4, 3), weights={"shape": np.array(shape)})


def test_transpose_and_concatenation():
    nodes = [
        node("Transpose", ["x"], "t", perm=[0, 2, 1]),
        node("Reshape", ["t", "shape"], "r"),
        node("Concat", ["x", "r", "x"], "y", axis=1),
    ]
    _checked(nodes, weights={"shape": np.array([0, 3, 4])})


@pytest.mark.parametrize("opset", [11, 13])
def test_axes_are_inserted_and_removed(opset):
    if opset < 13:
        nodes = [node("Unsqueeze", ["x"], "u", axes=[1, -1]), node("Squeeze", ["u"], "y", axes=[1, 4])]
        _checked(nodes, opset=opset)
    else:
        nodes = [node("Unsqueeze", ["x", "in"], "u"), node("Squeeze", ["u", "out"], "y")]
        _checked(nodes, weights={"in": np.array([1, -1]), "out": np.array([1, 4])}, opset=opset)


@pytest.mark.parametrize("indices", [np.array(2), np.array([0, -1]), np.array([[1, 0], [2, 2]])])
def test_gather_takes_indices_of_any_shape_and_from_the_end(indices):
    _checked([node("Gather", ["x", "i"], "y", axis=1)], weights={"i": indices})


def test_a_batch_size_read_from_the_input_s_shape():
    nodes = [
        node("Shape", ["x"], "shape"),
        node("Gather", ["shape", "zero"], "batch"),
        node("Unsqueeze", ["batch", "axis"], "batches"),
        node("Concat", ["batches", "rest"], "target", axis=0),
        node("Reshape", ["x", "target"], "y"),
    ]
    weights = {"zero": np.array(0), "axis": np.array([0]), "rest": np.array([-1])}
    _checked(nodes, weights=weights)


def test_a_part_of_the_shape_and_integer_arithmetic():
    nodes = [
        node("Shape", ["x"], "sizes", start=1),
        node("Div", ["sizes", "two"], "halves"),
        node("Concat", ["minus", "halves"], "target", axis=0),
        node("Reshape", ["x", "target"], "r"),
        node("Reshape", ["r", "back"], "y"),
    ]
    weights = {"two": np.array(2), "minus": np.array([-1]), "back": np.array([-1, 24])}
    _checked(nodes, input_shape=(4, 6), weights=weights)


@pytest.mark.parametrize(
    ("nodes", "weights", "opset", "match"),
    [
        (
            [node("ReduceMean", ["x"], "y")],
            {},
            17,
            "a mean over no named axis in ReduceMean 'y'; export the model without",
        ),
        ([node("Squeeze", ["x"], "y")], {}, 17, "no axes in Squeeze 'y'"),
        (
            [node("Reshape", ["x", "shape"], "y", allowzero=1)],
            {"shape": np.array([0, 12])},
            17,
            "allowzero in Reshape 'y'",
        ),
        (
            [node("Dropout", ["x", "", "training"], "y")],
            {"training": np.array(True)},
            17,
            "training_mode in Dropout 'y'",
        ),
    ],
)
def test_what_an_operator_cannot_do_is_refused_by_name(nodes, weights, opset, match):
    model = model_of([*nodes, node("Flatten", ["y"], "logits")], input_shape=(3, 4), weights=weights, opset=opset)
    with pytest.raises(ModelError, match=match):
        import_onnx(model.SerializeToString(), source="a test")


def test_every_operator_here_is_compared_with_onnxruntime_above():
    source = Path(__file__).read_text()
    assert [name for name in OPERATORS if f'"{name}"' not in source] == []
