"""The network under construction while a module is traced, and the small moves every translation is made of.

A translation takes the graph, the ATen function, its arguments (a `Value` where the input is involved, else what was
given), and the output's shape for one sample, and returns the `Value` of its output.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from robustcert.bounds.network import Node, UnsupportedOperator

Shape = tuple[int, ...]


class Graph:
    """Nodes written down so far, for samples of a batch of `rows`."""

    def __init__(self, input_shape: Shape, *, rows: int) -> None:
        self.rows = rows
        self.nodes: list[Node] = [Node(op="input", inputs=(), shape=input_shape)]

    def add(self, op: str, *inputs: Value, shape: Sequence[int], **parameters: Any) -> Value:
        """The output of one more node; its tensors of real numbers are held in float64."""
        numbers = tuple(value.number for value in inputs)
        held = {name: _held(value) for name, value in parameters.items()}
        self.nodes.append(Node(op=op, inputs=numbers, shape=tuple(shape), parameters=held))
        return Value(self, len(self.nodes) - 1)


@dataclass(frozen=True)
class Value:
    """What one node puts out."""

    graph: Graph
    number: int

    @property
    def shape(self) -> Shape:
        """Shape for one sample."""
        return self.graph.nodes[self.number].shape


def name_of(func: Any) -> str:
    """An ATen function's plain name."""
    return str(func.overloadpacket.__name__).strip("_")


def refusal(func: Any, why: str) -> UnsupportedOperator:
    """The error for a use of an operator that can't be bounded."""
    return UnsupportedOperator(name_of(func), why=why)


def per_sample(func: Any, constant: Tensor | float, x: Value) -> Tensor:
    """A constant operand as it meets one sample of x."""
    tensor = torch.as_tensor(constant, dtype=torch.float64)
    if tensor.ndim <= len(x.shape):
        return tensor
    if tensor.ndim == len(x.shape) + 1 and tensor.shape[0] == 1:
        return tensor[0]
    raise refusal(func, "a constant with one value per row of the batch")


def scaled(x: Value, factor: Tensor | float, shift: Tensor | float) -> Value:
    """factor * x + shift, each broadcast."""
    factor, shift = (torch.as_tensor(value, dtype=torch.float64) for value in (factor, shift))
    wide = broadcast(x, _common(x.shape, factor.shape, shift.shape))
    return x.graph.add("scale", wide, shape=wide.shape, factor=factor, shift=shift)


def broadcast(x: Value, shape: Shape) -> Value:
    """x repeated to the shape."""
    return x if x.shape == shape else rearranged(x, lambda index: index.expand(shape))


def added(a: Value, b: Value) -> Value:
    """a + b, each broadcast."""
    shape = _common(a.shape, b.shape)
    return a.graph.add("add", broadcast(a, shape), broadcast(b, shape), shape=shape)


def reshaped(x: Value, shape: Shape) -> Value:
    """x in another shape of as many numbers."""
    return x if x.shape == shape else x.graph.add("reshape", x, shape=shape)


def rearranged(x: Value, move: Callable[[Tensor], Tensor], *, fill: float = 0.0) -> Value:
    """x with its numbers moved as `move` moves an array of their places; -1 becomes `fill`."""
    index = move(torch.arange(math.prod(x.shape)).reshape(x.shape)).clone()
    return x.graph.add("rearrange", x, shape=index.shape, index=index, fill=fill)


def _common(*shapes: Sequence[int]) -> Shape:
    """The shape that all are broadcast to."""
    return tuple(torch.broadcast_shapes(*shapes))


def _held(value: Any) -> Any:
    return value.detach().double() if isinstance(value, Tensor) and value.is_floating_point() else value
