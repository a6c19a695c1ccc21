"""The one form in which a network is bounded: a list of nodes over one sample, in order of evaluation.

Shapes: B batch, X the shape of one input, K classes. A node's `shape` is that of one sample, without the batch.

| op | parameters | value |
|---|---|---|
| input | | x_X |
| linear | weight_OI, bias_O | weight x + bias, x a vector |
| convolution | weight, bias, stride, padding, dilation, groups | over one, two or three spatial axes, zeros around |
| scale | factor, shift (broadcast to the shape) | factor * x + shift |
| add | | sum of its inputs |
| concatenate | axis (of one sample) | its inputs behind one another |
| reshape | | the same numbers in another shape |
| rearrange | index (of the node's shape), fill | x.flatten()[index]; fill where the index is -1 |
| max_pool | windows_DW | the largest of x.flatten()[window] for each of D windows; -1 is no member |
| relu, tanh, sigmoid | | elementwise |
| leaky_relu | slope | x where positive, else slope x; 0 <= slope <= 1 |
| gelu | approximate ("none", "tanh") | elementwise |
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from robustcert.errors import ModelError, expected

ELEMENTWISE = ("relu", "leaky_relu", "tanh", "sigmoid", "gelu")
RECTIFIERS = ("relu", "leaky_relu")
NONLINEAR = (*ELEMENTWISE, "max_pool")
SUPPORTED = (
    "linear and convolution layers, average, adaptive average and max pooling, batch norm in eval mode, additions, "
    "constants, reshaping, concatenation, ReLU, LeakyReLU, tanh, sigmoid, GELU"
)


class UnsupportedOperator(ModelError):  # noqa: N818 - the name says what was met, as the verdict does
    """An operator that has no bounds here; `operator` names it. The verdict about such a network is unknown."""

    def __init__(self, operator: str, *, why: str = "") -> None:
        self.operator = operator
        got = f"the unsupported operator {operator}" + (f": {why}" if why else "")
        super().__init__(expected("a network that can be bounded", got=got, remedy=f"use {SUPPORTED}"))


@dataclass(frozen=True, kw_only=True, eq=False)
class Node:
    """One operator; `inputs` are the numbers of earlier nodes. Tensors in `parameters` are float64 or int64."""

    op: str
    inputs: tuple[int, ...]
    shape: tuple[int, ...]
    parameters: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, eq=False)
class Network:
    """Nodes in order of evaluation: the first is the input, the last the output."""

    nodes: tuple[Node, ...]

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one input."""
        return self.nodes[0].shape

    @property
    def n_outputs(self) -> int:
        """Number of outputs, K for a classifier."""
        return self.nodes[-1].shape[0]

    def numbers_of(self, ops: Sequence[str]) -> tuple[int, ...]:
        """Numbers of the nodes with one of these ops, in order: `numbers_of(("relu",))` lists what can be split."""
        return tuple(number for number, node in enumerate(self.nodes) if node.op in ops)

    def values(self, x_BX: Tensor) -> list[Tensor]:
        """Every node's value at x_BX in float64, batch first."""
        from robustcert.bounds.operators import evaluate

        values: list[Tensor] = [x_BX.double()]
        for node in self.nodes[1:]:
            values.append(evaluate(node, [values[number] for number in node.inputs]))
        return values

    def forward(self, x_BX: Tensor) -> Tensor:
        """The output in float64, (B, K) for a classifier."""
        return self.values(x_BX)[-1]
