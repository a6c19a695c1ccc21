"""A torch module that runs an imported ONNX graph, node by node.

Shapes: B batch, X the shape of one input, K classes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from robustcert.errors import ModelError, expected

MAX_VALUES_PER_ROW = 1 << 26


@dataclass(frozen=True, kw_only=True)
class Node:
    """One operator call; an empty input name is an input left out.

    `attributes` were checked against the operator's schema when the file was read. `batch_first` marks a Reshape whose
    first target dimension is the batch size that the graph was exported with: the real one takes its place.
    """

    operator: str
    name: str
    opset: int
    inputs: tuple[str, ...]
    output: str
    attributes: Mapping[str, Any] = field(default_factory=dict)
    batch_first: bool = False

    def refusal(self, what: str) -> ModelError:
        """The error for something that the node asks for and the importer can't express in torch."""
        got = f"{what} in {self.operator} {self.name!r}"
        remedy = "export the model without it, or bring it as a factory"
        return ModelError(expected("an ONNX model that can be imported", got=got, remedy=remedy))


@dataclass(frozen=True, kw_only=True)
class Operator:
    """An operator in torch: `run(node, *inputs)`, None for an input left out, and the attributes that it honours."""

    run: Callable[..., Tensor]
    attributes: frozenset[str] = frozenset()


class OnnxGraph(nn.Module):
    """Nodes in the file's order, from one input x_BX to one output. Weights are buffers: the graph is not trained."""

    def __init__(
        self,
        nodes: Sequence[Node],
        operators: Mapping[str, Operator],
        *,
        constants: Mapping[str, Tensor],
        input_name: str,
        output_name: str,
    ) -> None:
        super().__init__()
        self._calls = tuple((node, operators[node.operator].run) for node in nodes)
        self._input_name, self._output_name = input_name, output_name
        self._buffer_of = {name: f"constant{number}" for number, name in enumerate(constants)}
        for name, value in constants.items():
            self.register_buffer(self._buffer_of[name], value)

    def forward(self, x_BX: Tensor) -> Tensor:
        """Map float32 x_BX to the graph's output; ModelError when a node asks for what can't be imported."""
        values = {name: self.get_buffer(buffer) for name, buffer in self._buffer_of.items()}
        values[self._input_name] = x_BX
        for node, run in self._calls:
            value = run(node, *_inputs(node, values, rows=len(x_BX)))
            if value.numel() > MAX_VALUES_PER_ROW * max(1, len(x_BX)):
                raise node.refusal(f"{value.numel()} values at once")
            values[node.output] = value
        return values[self._output_name]


def _inputs(node: Node, values: Mapping[str, Tensor], *, rows: int) -> list[Tensor | None]:
    inputs = [values[name] if name else None for name in node.inputs]
    if node.batch_first and inputs[1] is not None:
        inputs[1] = torch.cat((inputs[1].new_tensor([rows]), inputs[1][1:]))
    return inputs
