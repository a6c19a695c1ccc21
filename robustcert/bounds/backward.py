"""One pass back through the network: linear lower bounds of chosen rows, from their node down to the input.

Every row is a linear function of some node's neurons, for one sample. Node by node it is written as a linear function
of the nodes before: exactly where the node is linear, by its lower line where the coefficient is positive and by its
upper line where it is negative otherwise (CROWN; Zhang et al. 2018). Coefficients lie as whole arrays (V, N, X), or as
`Patches` where convolutions let them see only a window. Rows with direction 1 are negated: their lower bound is minus
an upper one.

Shapes: V directions, N rows, B batch, X the shape of one sample.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Protocol

import torch
from torch import Tensor

from robustcert.bounds.concretization import Concretization
from robustcert.bounds.early_decision import EarlyDecision
from robustcert.bounds.network import ELEMENTWISE, Network, Node
from robustcert.bounds.patches import (
    Kernel,
    Patches,
    added,
    aligned,
    chosen,
    cleaned,
    first_through_convolution,
    kernel_of,
    single_outputs,
    through_convolution,
    to_maps,
    whole_maps,
)
from robustcert.bounds.whole_arrays import through

Coefficients = Tensor | Patches
MAP_AXES = 3
CHUNK_VALUES = 1 << 19  # what fits a processor's second-level cache: with larger chunks the same products run slower


class Relaxation(Protocol):
    """What stands for the nonlinear nodes: new coefficients, and what they add to every row, (V, N)."""

    def elementwise(self, number: int, coefficients: Coefficients, sample_N: Tensor) -> tuple[Coefficients, Tensor]:
        """Coefficients of an activation's output as coefficients of its input."""

    def pooled(self, number: int, values_VND: Tensor, sample_N: Tensor) -> tuple[Tensor, Tensor]:
        """The same for a max_pool node; both flattened."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Rows:
    """Neurons of one node, numbered as in its flattened output, each of one sample; `early` lets decided ones stop."""

    neuron_N: Tensor
    sample_N: Tensor
    early: EarlyDecision | None = None


class Backward:
    """Passes through one network over one region; at most about `chunk_values` numbers are held by one step."""

    def __init__(self, network: Network, concretization: Concretization, *, chunk_values: int = CHUNK_VALUES) -> None:
        self._nodes = network.nodes
        self._concretization = concretization
        self._chunk_values = chunk_values
        self._kernels: dict[int, Kernel] = {}

    def of_outputs(self, values_VNK: Tensor, sample_N: Tensor, relaxation: Relaxation) -> Tensor:
        """Lower bounds (V, N) of linear functions of the last node."""
        number = len(self._nodes) - 1
        return self._down({number: values_VNK}, torch.zeros(()), sample_N, relaxation)

    def of_neurons(self, number: int, signs_VN: Tensor, rows: Rows, relaxation: Relaxation) -> Tensor:
        """Lower bounds (V, N) of single neurons of a node times signs of 1 or -1."""
        node, source, neuron_N = self._nodes[number], self._nodes[number].inputs[0], rows.neuron_N
        shift_N: Tensor = torch.zeros(())
        if node.op == "linear":
            single: Coefficients = node.parameters["weight"][neuron_N][None]
            shift_N = node.parameters["bias"][neuron_N]
        elif _is_planar(node):
            channel_N = neuron_N // math.prod(node.shape[1:])
            outputs = single_outputs(torch.ones(1, 1, 1, 1, 1), neuron_N, rows.sample_N, node.shape)
            single = first_through_convolution(self._kernel(number), self._nodes[source].shape, outputs, channel_N)
            shift_N = node.parameters["bias"][channel_N]
        else:
            single, source = _one_hot(node, neuron_N, rows.sample_N), number
        signed = _signed(single, signs_VN)
        return self._down({source: signed}, signs_VN * shift_N, rows.sample_N, relaxation, rows.early)

    def _down(
        self,
        pending: dict[int, Coefficients],
        total: Tensor,
        sample_N: Tensor,
        relaxation: Relaxation,
        early: EarlyDecision | None = None,
    ) -> Tensor:
        """Lower bounds (V, N), of the rows still open and the best of those decided where there is `early`."""
        for number in range(max(pending), 0, -1):
            if number not in pending:
                continue
            node = self._nodes[number]
            open_M = early.look(number, pending, total, sample_N) if early and node.op in ELEMENTWISE else None
            if open_M is not None and early is not None:
                if not len(open_M):
                    return early.best_VN
                pending, total, sample_N = _chosen(pending, total, sample_N, open_M)
            size = max(1, self._chunk_values // self._values_per_row(node, pending[number]))
            if size < len(sample_N):
                least = self._in_parts(size, pending, total, sample_N, relaxation, early)
                break
            total = total + self._step(number, pending, sample_N, relaxation)
        else:
            least = total + self._concretization.least(pending[0], sample_N)
        if early is None:
            return least
        early.note(least)
        return early.best_VN

    def _in_parts(
        self,
        size: int,
        pending: dict[int, Coefficients],
        total: Tensor,
        sample_N: Tensor,
        relaxation: Relaxation,
        early: EarlyDecision | None,
    ) -> Tensor:
        """The rest of a pass, for so many rows at a time."""
        parts, count = [], len(sample_N)
        for start in range(0, count, size):
            rows = torch.arange(start, min(count, start + size))
            some = _chosen(pending, total, sample_N, rows)
            parts.append(self._down(*some, relaxation, early and early.part(slice(start, start + size))))
        return torch.cat(parts, dim=1)

    def _values_per_row(self, node: Node, coefficients: Coefficients) -> int:
        """Numbers that the step back through the node holds at most for a row."""
        values, rows_axis = (coefficients.values, 3) if isinstance(coefficients, Patches) else (coefficients, 1)
        if not _is_planar(node):
            return max(1, values.numel() // values.shape[rows_axis])
        side = coefficients.side if isinstance(coefficients, Patches) else node.shape[1:]
        places = min(math.prod(side), math.prod(node.shape[1:]))
        products: int = math.prod(node.parameters["weight"].shape[2:]) * self._nodes[node.inputs[0]].shape[0]
        return places * products * values.shape[rows_axis - 1]

    def _step(self, number: int, pending: dict[int, Coefficients], sample_N: Tensor, relaxation: Relaxation) -> Tensor:
        """Puts the coefficients of a node's inputs in the place of its own; what this adds to every row."""
        node, coefficients = self._nodes[number], pending.pop(number)
        parts: list[Coefficients]
        if node.op in ELEMENTWISE:
            relaxed, shift = relaxation.elementwise(number, coefficients, sample_N)
            parts = [relaxed]
        elif node.op == "max_pool":
            flat, shift = relaxation.pooled(number, _whole(coefficients).flatten(2), sample_N)
            parts = [flat.reshape(*flat.shape[:2], *self._nodes[node.inputs[0]].shape)]
        else:
            parts, shift = self._linear(number, coefficients, sample_N)
        for source, part in zip(node.inputs, parts, strict=True):
            pending[source] = _sum(pending[source], part) if source in pending else part
        return shift

    def _kernel(self, number: int) -> Kernel:
        if number not in self._kernels:
            self._kernels[number] = kernel_of(self._nodes[number])
        return self._kernels[number]

    def _linear(self, number: int, coefficients: Coefficients, sample_N: Tensor) -> tuple[list[Coefficients], Tensor]:
        """Coefficients of each input of a node that is no activation, and what they add to every row."""
        node = self._nodes[number]
        shapes = [self._nodes[source].shape for source in node.inputs]
        if node.op == "add":
            return [coefficients] * len(shapes), torch.zeros(())
        if _is_planar(node):
            tiles = coefficients if isinstance(coefficients, Patches) else whole_maps(coefficients, sample_N)
            tiles = cleaned(_no_larger_than_map(tiles, sample_N))
            shift = (tiles.values @ node.parameters["bias"]).sum(dim=(0, 1))
            return [through_convolution(tiles, self._kernel(number), shapes[0])], shift
        if node.op == "scale" and isinstance(coefficients, Patches) and _per_channel(node):
            tiles = cleaned(coefficients)
            shift = (tiles.values * node.parameters["shift"].reshape(-1)).sum(dim=(0, 1, 4))
            return [replace(tiles, values=tiles.values * node.parameters["factor"].reshape(-1))], shift
        parts, shift = through(node, _whole(coefficients), shapes)
        return list(parts), shift


def _is_planar(node: Node) -> bool:
    return node.op == "convolution" and len(node.shape) == MAP_AXES


def _per_channel(node: Node) -> bool:
    for value in (node.parameters["factor"], node.parameters["shift"]):
        if value.ndim and any(size != 1 for size in value.shape[1 if value.ndim == MAP_AXES else 0 :]):
            return False
    return True


def _one_hot(node: Node, neuron_N: Tensor, sample_N: Tensor) -> Coefficients:
    size, rows = math.prod(node.shape), torch.arange(len(neuron_N))
    if len(node.shape) != MAP_AXES:
        whole = torch.zeros((1, len(neuron_N), size), dtype=torch.float64)
        whole[0, rows, neuron_N] = 1.0
        return whole.reshape(1, -1, *node.shape)
    channels, height, width = node.shape
    values = torch.zeros((1, 1, 1, len(neuron_N), channels), dtype=torch.float64)
    values[0, 0, 0, rows, neuron_N // (height * width)] = 1.0
    return single_outputs(values, neuron_N, sample_N, node.shape)


def _signed(single: Coefficients, signs_VN: Tensor) -> Coefficients:
    """Rows times their signs."""
    if isinstance(single, Patches):
        return replace(single, values=single.values * signs_VN[:, :, None])
    return single * signs_VN.reshape(*signs_VN.shape, *(1,) * (single.ndim - 2))


def _chosen(
    pending: dict[int, Coefficients], total: Tensor, sample_N: Tensor, rows: Tensor
) -> tuple[dict[int, Coefficients], Tensor, Tensor]:
    some = {number: _rows_of(part, rows) for number, part in pending.items()}
    return some, total[:, rows] if total.ndim else total, sample_N[rows]


def _rows_of(coefficients: Coefficients, rows: Tensor) -> Coefficients:
    if isinstance(coefficients, Patches):
        return chosen(coefficients, rows)
    return coefficients.index_select(1, rows)


def _whole(coefficients: Coefficients) -> Tensor:
    return to_maps(coefficients) if isinstance(coefficients, Patches) else coefficients


def _sum(a: Coefficients, b: Coefficients) -> Coefficients:
    if isinstance(a, Patches) and isinstance(b, Patches) and aligned(a, b):
        return added(a, b)
    return _whole(a) + _whole(b)


def _no_larger_than_map(tiles: Patches, sample_N: Tensor) -> Patches:
    small = math.prod(tiles.side) <= math.prod(tiles.shape[1:])
    return tiles if small else whole_maps(to_maps(tiles), sample_N)
