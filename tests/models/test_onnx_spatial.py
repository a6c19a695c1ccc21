"""ONNX operators on feature maps, each against onnxruntime."""

import numpy as np
import pytest
import torch

from robustcert.errors import ModelError
from robustcert.models.onnx_graph import Node
from robustcert.models.onnx_import import import_onnx
from robustcert.models.onnx_spatial import batch_normalization
from tests.models.onnx_files import assert_as_onnxruntime, model_of, node, numbers

SHAPE = (4, 9, 8)


def _model(nodes, *, input_shape=SHAPE, weights=None, opset=17):
    flat = node("Flatten", ["y"], "logits")
    return model_of([*nodes, flat], input_shape=input_shape, weights=weights, opset=opset)


def _checked(nodes, *, input_shape=SHAPE, weights=None, opset=17):
    assert_as_onnxruntime(_model(nodes, input_shape=input_shape, weights=weights, opset=opset), input_shape=input_shape)


@pytest.mark.parametrize(
    "attributes",
    [
        {},
        {"pads": [1, 1, 1, 1]},
        {"pads": [0, 1, 2, 3]},
        {"strides": [2, 3]},
        {"dilations": [2, 1]},
        {"kernel_shape": [3, 2]},
        {"auto_pad": "VALID"},
        {"auto_pad": "SAME_UPPER"},
        {"auto_pad": "SAME_LOWER"},
        {"auto_pad": "SAME_UPPER", "strides": [2, 3]},
        {"auto_pad": "SAME_LOWER", "strides": [2, 2]},
        {"pads": [1, 0, 0, 1], "strides": [2, 1], "dilations": [1, 2]},
    ],
)
def test_convolutions_with_every_attribute(attributes):
    _checked([node("Conv", ["x", "w", "b"], "y", **attributes)], weights={"w": numbers(5, 4, 3, 2), "b": numbers(5)})


@pytest.mark.parametrize(("group", "weight"), [(2, (6, 2, 3, 3)), (4, (4, 1, 3, 3))])
def test_grouped_and_depthwise_convolutions_without_bias(group, weight):
    _checked([node("Conv", ["x", "w"], "y", group=group)], weights={"w": numbers(*weight)})


@pytest.mark.parametrize(("input_shape", "weight"), [((4, 9), (3, 4, 3))])
def test_convolutions_over_one_axis(input_shape, weight):
    _checked([node("Conv", ["x", "w"], "y", pads=[0, 2])], input_shape=input_shape, weights={"w": numbers(*weight)})


POOLS = [
    {"kernel_shape": [2, 2]},
    {"kernel_shape": [3, 2], "strides": [2, 2]},
    {"kernel_shape": [2, 3], "pads": [1, 1, 1, 1]},
    {"kernel_shape": [3, 3], "pads": [0, 1, 2, 0], "strides": [1, 2]},
    {"kernel_shape": [3, 2], "auto_pad": "SAME_UPPER", "strides": [2, 2]},
    {"kernel_shape": [3, 2], "auto_pad": "SAME_LOWER", "strides": [2, 2]},
    {"kernel_shape": [3, 2], "ceil_mode": 1, "strides": [2, 2]},
]


@pytest.mark.parametrize("attributes", POOLS)
def test_max_pools(attributes):
    _checked([node("MaxPool", ["x"], "y", **attributes)])


def test_dilated_max_pools():
    _checked([node("MaxPool", ["x"], "y", kernel_shape=[2, 2], dilations=[2, 3], strides=[1, 2], storage_order=1)])


@pytest.mark.parametrize("attributes", POOLS)
@pytest.mark.parametrize("count_include_pad", [0, 1])
def test_average_pools_count_their_padding_or_not(attributes, count_include_pad):
    _checked([node("AveragePool", ["x"], "y", count_include_pad=count_include_pad, **attributes)])


def test_pools_over_one_axis():
    nodes = [node("MaxPool", ["x"], "m", kernel_shape=[2]), node("AveragePool", ["m"], "y", kernel_shape=[3])]
    _checked(nodes, input_shape=(2, 9))


@pytest.mark.parametrize("operator", ["GlobalAveragePool", "GlobalMaxPool"])
def test_global_pools(operator):
    _checked([node(operator, ["x"], "y")])


@pytest.mark.parametrize("attributes", [{}, {"epsilon": 0.1}, {"epsilon": 0.01, "momentum": 0.5}])
@pytest.mark.parametrize("opset", [11, 14, 21])
def test_batch_normalisation_uses_the_stored_statistics(attributes, opset):
    weights = {"scale": numbers(4), "bias": numbers(4, seed=1), "mean": numbers(4, seed=2), "var": numbers(4) ** 2}
    _checked([node("BatchNormalization", ["x", *weights], "y", **attributes)], weights=weights, opset=opset)


@pytest.mark.parametrize(
    "pads",
    [[0, 0, 1, 2, 0, 0, 3, 0], [0, 1, 0, 0, 0, 0, 0, 0], [0, 0, -1, 0, 0, 0, -2, 1]],
)
@pytest.mark.parametrize("value", [None, 0.5])
def test_padding_with_a_constant(pads, value):
    weights = {"pads": np.array(pads)} | ({} if value is None else {"value": np.array(value, np.float32)})
    _checked([node("Pad", ["x", *weights], "y")], weights=weights)


def test_padding_of_named_axes_since_opset_18():
    weights = {"pads": np.array([1, 0, 0, 2]), "axes": np.array([-1, 2])}
    _checked([node("Pad", ["x", "pads", "", "axes"], "y", mode="constant")], weights=weights, opset=18)


@pytest.mark.parametrize(
    ("nodes", "weights", "opset", "match"),
    [
        (
            [node("MaxPool", ["x"], "y", kernel_shape=[2, 2], strides=[2, 3], ceil_mode=1)],
            {},
            17,
            "ceil_mode with windows over the edge in MaxPool 'y'; export the model without it",
        ),
        (
            [node("AveragePool", ["x"], "y", kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1)],
            {},
            17,
            "ceil_mode with windows over the edge in AveragePool 'y'",
        ),
        (
            [node("AveragePool", ["x"], "y", kernel_shape=[2, 2], dilations=[2, 2])],
            {},
            19,
            "dilations in AveragePool 'y'",
        ),
        ([node("Pad", ["x", "pads"], "y", mode="reflect")], {"pads": np.array([0, 0, 1, 1] * 2)}, 17, "mode 'reflect'"),
        ([node("Pad", ["x", "pads"], "y")], {"pads": np.array([1] + [0] * 7)}, 17, "pads along the batch in Pad 'y'"),
        ([node("Pad", ["x", "pads"], "y")], {"pads": np.array([0, 0, 0, 2000] * 2)}, 17, "pads outside -1024 to 1024"),
        (
            [node("Conv", ["x", "w"], "y", pads=[0, 0, 0, 2000])],
            {"w": numbers(2, 4, 3, 3)},
            17,
            "pads outside 0 to 1024",
        ),
        (
            [node("Conv", ["x", "w"], "y", kernel_shape=[2, 2])],
            {"w": numbers(2, 4, 3, 3)},
            17,
            r"kernel_shape other than the weight's \(3, 3\) in Conv 'y'",
        ),
    ],
)
def test_what_torch_cannot_express_is_refused_by_name(nodes, weights, opset, match):
    data = _model(nodes, weights=weights, opset=opset).SerializeToString()
    with pytest.raises(ModelError, match=match):
        import_onnx(data, source="a test")


def test_batch_normalisation_in_training_mode_is_refused():
    training = Node(
        operator="BatchNormalization", name="n", opset=17, inputs=(), output="y", attributes={"training_mode": 1}
    )
    with pytest.raises(ModelError, match="training_mode in BatchNormalization 'n'"):
        batch_normalization(training, *[torch.ones(1)] * 5)
