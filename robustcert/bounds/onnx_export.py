"""A traced network as an ONNX file, so that other verifiers can be asked about it (float32, opset 13, batch of 1).

Weights are rounded to float32, those of the file where nothing was merged with them; the export is run and compared.
Operators without an ONNX form here are refused by name.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from robustcert.bounds.network import Network, Node, UnsupportedOperator
from robustcert.errors import ValidityError, expected
from robustcert.models.onnx_import import import_onnx

OPSET = 13
IR_VERSION = 8
AGREEMENT = 1e-4

Proto = Any  # onnx's generated messages are untyped


def exported(network: Network) -> bytes:
    """The network as ONNX, from X (1, *input_shape) to Y (1, K).

    Raises UnsupportedOperator for what is not written here, ValidityError where the file computes something else.
    """
    from onnx import TensorProto, helper

    writer = _Writer(network)
    for number, node in enumerate(network.nodes[1:], start=1):
        writer.add(number, node)
    graph = helper.make_graph(
        writer.nodes,
        "network",
        [helper.make_tensor_value_info(writer.name(0), TensorProto.FLOAT, [1, *network.input_shape])],
        [helper.make_tensor_value_info(writer.name(len(network.nodes) - 1), TensorProto.FLOAT, [1, network.n_outputs])],
        writer.constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    data: bytes = model.SerializeToString()
    _compare(network, data)
    return data


class _Writer:
    """ONNX nodes and constants so far; a value of the network is named after its number."""

    def __init__(self, network: Network) -> None:
        self.nodes: list[Proto] = []
        self.constants: list[Proto] = []
        self._last = len(network.nodes) - 1

    def name(self, number: int) -> str:
        """X, Y, or the value's number."""
        return {0: "X", self._last: "Y"}.get(number, f"value{number}")

    def add(self, number: int, node: Node) -> None:
        """Writes one node."""
        write = _WRITERS.get(node.op)
        if write is None:
            raise UnsupportedOperator(node.op, why="it is not exported")
        write(self, node, [self.name(source) for source in node.inputs], self.name(number))

    def constant(self, name: str, values: Tensor | Sequence[int]) -> str:
        """A float32 constant of a tensor, or an int64 one of a list."""
        from onnx import numpy_helper

        array = values.numpy().astype(np.float32) if isinstance(values, Tensor) else np.array(values, np.int64)
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def call(self, operator: str, inputs: Sequence[str], output: str, **attributes: Any) -> None:
        """One operator."""
        from onnx import helper

        self.nodes.append(helper.make_node(operator, list(inputs), [output], name=output, **attributes))


def _linear(writer: _Writer, node: Node, inputs: Sequence[str], output: str) -> None:
    weight = writer.constant(f"{output}.weight", node.parameters["weight"])
    bias = writer.constant(f"{output}.bias", node.parameters["bias"])
    writer.call("Gemm", [inputs[0], weight, bias], output, transB=1)


def _convolution(writer: _Writer, node: Node, inputs: Sequence[str], output: str) -> None:
    p = node.parameters
    weight, bias = writer.constant(f"{output}.weight", p["weight"]), writer.constant(f"{output}.bias", p["bias"])
    axes = p["weight"].ndim - 2
    stride, padding, dilation = (_per_axis(p[name], axes) for name in ("stride", "padding", "dilation"))
    writer.call(
        "Conv",
        [inputs[0], weight, bias],
        output,
        strides=stride,
        pads=[*padding, *padding],
        dilations=dilation,
        group=int(p["groups"]),
    )


def _scale(writer: _Writer, node: Node, inputs: Sequence[str], output: str) -> None:
    factor = writer.constant(f"{output}.factor", node.parameters["factor"][None])
    shift = writer.constant(f"{output}.shift", node.parameters["shift"][None])
    writer.call("Mul", [inputs[0], factor], f"{output}.scaled")
    writer.call("Add", [f"{output}.scaled", shift], output)


def _reshape(writer: _Writer, node: Node, inputs: Sequence[str], output: str) -> None:
    shape = writer.constant(f"{output}.shape", [1, *node.shape])
    writer.call("Reshape", [inputs[0], shape], output)


def _add(writer: _Writer, node: Node, inputs: Sequence[str], output: str) -> None:
    total = inputs[0]
    for number, other in enumerate(inputs[1:], start=2):
        target = output if number == len(inputs) else f"{output}.sum{number}"
        writer.call("Add", [total, other], target)
        total = target


def _concatenate(writer: _Writer, node: Node, inputs: Sequence[str], output: str) -> None:
    writer.call("Concat", inputs, output, axis=int(node.parameters["axis"]) + 1)


def _plain(operator: str) -> Callable[[_Writer, Node, Sequence[str], str], None]:
    return lambda writer, node, inputs, output: writer.call(operator, inputs, output)


def _leaky_relu(writer: _Writer, node: Node, inputs: Sequence[str], output: str) -> None:
    writer.call("LeakyRelu", inputs, output, alpha=float(node.parameters["slope"]))


_WRITERS: dict[str, Callable[[_Writer, Node, Sequence[str], str], None]] = {
    "linear": _linear,
    "convolution": _convolution,
    "scale": _scale,
    "reshape": _reshape,
    "add": _add,
    "concatenate": _concatenate,
    "leaky_relu": _leaky_relu,
    "relu": _plain("Relu"),
    "tanh": _plain("Tanh"),
    "sigmoid": _plain("Sigmoid"),
}


def _per_axis(value: Any, axes: int) -> list[int]:
    return [int(value)] * axes if isinstance(value, int) else [int(part) for part in value]


def _compare(network: Network, data: bytes) -> None:
    """Both on the same inputs: an export that computes something else would ask about another network."""
    x = torch.rand(3, *network.input_shape, generator=torch.Generator().manual_seed(0))
    graph, _ = import_onnx(data, source="the export")
    with torch.no_grad():
        found, wanted = graph(x).double(), network.forward(x)
    gap = float((found - wanted).abs().max())
    if not gap <= AGREEMENT * max(1.0, float(wanted.abs().max())):
        raise ValidityError(expected("an export with the same outputs", got=f"{gap:.3g} apart", remedy="report this"))
