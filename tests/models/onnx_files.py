"""ONNX files for the tests, made node by node with onnx.helper, and their answers by onnxruntime."""

from collections.abc import Mapping, Sequence

import numpy as np
import onnx
import onnxruntime
import torch
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from robustcert.models.onnx_import import import_onnx

IR_VERSION = 8
TOLERANCE = 1e-5


def node(operator: str, inputs: Sequence[str], output: str, **attributes: object) -> NodeProto:
    """One node, named after its output."""
    return helper.make_node(operator, list(inputs), [output], name=output, **attributes)


def model_of(
    nodes: Sequence[NodeProto],
    *,
    input_shape: Sequence[int],
    weights: Mapping[str, NDArray[np.generic]] | None = None,
    batch: int | str = "batch",
    opset: int = 17,
) -> ModelProto:
    """A model from input `x` (batch, *input_shape) to `logits`, the output of its last node."""
    graph = helper.make_graph(
        list(nodes),
        "graph",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [batch, *input_shape])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [batch, "classes"])],
        [numpy_helper.from_array(array, name) for name, array in (weights or {}).items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=IR_VERSION)


def numbers(*shape: int, seed: int = 0) -> NDArray[np.float32]:
    """Standard normal float32 numbers."""
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def answers(model: ModelProto, x: NDArray[np.float32]) -> NDArray[np.float32]:
    """What onnxruntime answers, unoptimised and on one thread."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return session.run(None, {"x": x})[0]


def assert_as_onnxruntime(model: ModelProto, *, input_shape: Sequence[int], rows: int = 5) -> None:
    """The imported module gives onnxruntime's logits for random inputs."""
    onnx.checker.check_model(model, full_check=True)
    graph, _ = import_onnx(model.SerializeToString(), source="a test")
    for seed, scale in enumerate((1, 1, 5)):
        x = scale * numbers(rows, *input_shape, seed=seed)
        np.testing.assert_allclose(
            graph(torch.from_numpy(x)).numpy(), answers(model, x), rtol=TOLERANCE, atol=TOLERANCE
        )
