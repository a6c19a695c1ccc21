"""Small ONNX networks, made with onnx.helper alone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper, numpy_helper

Array = NDArray[np.float64]


def onnx_network(layers: Sequence[tuple[Array, Array]], *, activation: str = "Relu") -> bytes:
    """Gemm layers with an activation between, from X (1, D) to Y (1, K)."""
    nodes: list[NodeProto] = []
    constants, value = [], "X"
    for number, (weight, bias) in enumerate(layers):
        last = number == len(layers) - 1
        names = [f"W{number}", f"b{number}"]
        constants += [
            numpy_helper.from_array(part.astype(np.float32), name)
            for part, name in zip((weight, bias), names, strict=True)
        ]
        nodes.append(helper.make_node("Gemm", [value, *names], ["Y" if last else f"z{number}"], transB=1))
        if not last:
            value = f"a{number}"
            nodes.append(helper.make_node(activation, [f"z{number}"], [value]))
    graph = helper.make_graph(
        nodes,
        "network",
        [helper.make_tensor_value_info("X", TensorProto.FLOAT, [1, layers[0][0].shape[1]])],
        [helper.make_tensor_value_info("Y", TensorProto.FLOAT, [1, len(layers[-1][1])])],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    data: bytes = model.SerializeToString()
    return data


def property_of(lower: Array, upper: Array, conditions: str, *, outputs: int) -> str:
    """A VNN-LIB property of a box and conditions on outputs."""
    lines = [f"(declare-const X_{index} Real)" for index in range(len(lower))]
    lines += [f"(declare-const Y_{index} Real)" for index in range(outputs)]
    for index, (low, high) in enumerate(zip(lower.tolist(), upper.tolist(), strict=True)):
        lines += [f"(assert (>= X_{index} {low!r}))", f"(assert (<= X_{index} {high!r}))"]
    return "\n".join([*lines, conditions]) + "\n"
