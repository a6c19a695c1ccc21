"""A traced network as dense ReLU layers, exactly: every affine operator is applied to the columns of the identity.

Leaky ReLU is slope z + (1 - slope) relu(z); a maximum is taken pair by pair, max(a, b) = a + relu(b - a). The sums are
float64. Other activations have no exact form here, and large networks do not fit: both are said, never skipped.

Shapes: M values of one node, S values of one source.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from robustcert.bounds.dense import DenseLayer, DenseNetwork
from robustcert.bounds.network import Network, Node, UnsupportedOperator
from robustcert.bounds.operators import LINEAR_OPS, affine

MOST_WEIGHTS = 1 << 24


class TooLarge(UnsupportedOperator):
    """The network's operators are known, but its dense form would not fit; bounds may still decide."""


@dataclass(frozen=True, kw_only=True)
class Affine:
    """One node's value: `constant` (M,) and for each source that counts a matrix (M, S); `shape` of M values."""

    parts: dict[int, Tensor]
    constant: Tensor
    shape: tuple[int, ...]

    def mapped(self, linear: Callable[[Tensor], Tensor], whole: Callable[[Tensor], Tensor]) -> Affine:
        """`linear` on every column, `whole` on the constant; both map (B, *shape) to (B, *other shape)."""
        constant = whole(self.constant.reshape(1, *self.shape))
        parts = {source: _columns(linear(_batch(matrix, self.shape))) for source, matrix in self.parts.items()}
        return Affine(parts=parts, constant=constant.flatten(), shape=tuple(constant.shape[1:]))

    def rows(self, index: Tensor) -> Affine:
        """The values at these positions, as a vector."""
        parts = {source: matrix[index] for source, matrix in self.parts.items()}
        return Affine(parts=parts, constant=self.constant[index], shape=(len(index),))

    def times(self, factor: float | Tensor) -> Affine:
        """Every value times a number, or times its own of (M,)."""
        column = factor[:, None] if isinstance(factor, Tensor) else factor
        parts = {source: matrix * column for source, matrix in self.parts.items()}
        return Affine(parts=parts, constant=self.constant * factor, shape=self.shape)

    def plus(self, other: Affine) -> Affine:
        """The sum of two nodes of one shape."""
        parts = dict(self.parts)
        for source, matrix in other.parts.items():
            parts[source] = parts[source] + matrix if source in parts else matrix
        return Affine(parts=parts, constant=self.constant + other.constant, shape=self.shape)


def fold(network: Network) -> DenseNetwork:
    """The same function as dense layers; UnsupportedOperator names what has no exact form, or is too large."""
    folding = _Folding(network)
    for node in network.nodes[1:]:
        folding.add(node)
    return DenseNetwork(inputs=folding.sizes[0], hidden=tuple(folding.hidden), output=_layer(folding.values[-1]))


class _Folding:
    """Values of the nodes so far, and the hidden layers that they needed."""

    def __init__(self, network: Network) -> None:
        size = math.prod(network.input_shape)
        self.sizes = [size]
        self.hidden: list[DenseLayer] = []
        self.weights = 0
        self._refuse_large("input", size)
        self.values = [_source(0, size, network.input_shape)]

    def add(self, node: Node) -> None:
        """Takes the next node."""
        inputs = [self.values[number] for number in node.inputs]
        self._refuse_large(node.op, math.prod(node.shape))
        self.values.append(self._value(node, inputs))

    def _value(self, node: Node, inputs: Sequence[Affine]) -> Affine:
        if node.op in LINEAR_OPS:
            return inputs[0].mapped(lambda x: affine(node, x, bias=False), lambda x: affine(node, x))
        if node.op == "relu":
            return self._relu(inputs[0])
        if node.op == "leaky_relu":
            slope = float(node.parameters["slope"])
            return inputs[0].times(slope).plus(self._relu(inputs[0]).times(1.0 - slope))
        if node.op == "max_pool":
            return self._largest(inputs[0], node.parameters["windows"], node.shape)
        moved = _moved(node, inputs)
        if moved is None:
            raise UnsupportedOperator(node.op, why="exact verification takes piecewise linear operators")
        return moved

    def _relu(self, value: Affine) -> Affine:
        layer = _layer(value)
        self.weights += sum(weight.size for weight in layer.weights.values())
        self.hidden.append(layer)
        self.sizes.append(layer.units)
        self._refuse_large("relu", layer.units)
        return _source(len(self.hidden), layer.units, value.shape)

    def _largest(self, value: Affine, windows_DW: Tensor, shape: tuple[int, ...]) -> Affine:
        """Members one by one; an absent one (-1) is compared as the member that is there already."""
        present = windows_DW >= 0
        first = windows_DW.gather(1, present.long().argmax(dim=1, keepdim=True))
        members_DW = torch.where(present, windows_DW, first)
        largest = value.rows(members_DW[:, 0])
        for column in range(1, members_DW.shape[1]):
            member = value.rows(members_DW[:, column])
            largest = largest.plus(self._relu(member.plus(largest.times(-1.0))))
        return Affine(parts=largest.parts, constant=largest.constant, shape=shape)

    def _refuse_large(self, op: str, values: int) -> None:
        needed = self.weights + values * sum(self.sizes)
        if needed > MOST_WEIGHTS:
            raise TooLarge(op, why=f"{needed} dense weights, more than {MOST_WEIGHTS}")


def _moved(node: Node, inputs: Sequence[Affine]) -> Affine | None:
    """Operators that add or move values; None for another one."""
    if node.op == "add":
        total = inputs[0]
        for value in inputs[1:]:
            total = total.plus(value)
        return total
    if node.op == "reshape":
        return Affine(parts=inputs[0].parts, constant=inputs[0].constant, shape=node.shape)
    if node.op == "rearrange":
        return _rearranged(node, inputs[0])
    return _concatenated(node, inputs) if node.op == "concatenate" else None


def _rearranged(node: Node, value: Affine) -> Affine:
    index = node.parameters["index"].flatten()
    taken, there = value.rows(index.clamp(min=0)), index >= 0
    fill = torch.as_tensor(node.parameters["fill"], dtype=torch.float64)
    kept = taken.times(there.double())
    return Affine(parts=kept.parts, constant=torch.where(there, taken.constant, fill), shape=node.shape)


def _concatenated(node: Node, inputs: Sequence[Affine]) -> Affine:
    """All inputs behind one another along one axis of a sample, per source; a source that one lacks counts 0 there."""
    axis = node.parameters["axis"] + 1
    widths = {source: matrix.shape[1] for value in inputs for source, matrix in value.parts.items()}
    parts = {}
    for source, width in widths.items():
        blocks = []
        for value in inputs:
            matrix = value.parts.get(source, value.constant.new_zeros(len(value.constant), width))
            blocks.append(_batch(matrix, value.shape))
        parts[source] = _columns(torch.cat(blocks, dim=axis))
    constant = torch.cat([value.constant.reshape(1, *value.shape) for value in inputs], dim=axis)
    return Affine(parts=parts, constant=constant.flatten(), shape=node.shape)


def _source(number: int, size: int, shape: tuple[int, ...]) -> Affine:
    identity = torch.eye(size, dtype=torch.float64)
    return Affine(parts={number: identity}, constant=identity.new_zeros(size), shape=shape)


def _layer(value: Affine) -> DenseLayer:
    weights = {source: matrix.contiguous().numpy() for source, matrix in value.parts.items()}
    return DenseLayer(weights=weights, bias=value.constant.numpy())


def _batch(matrix_MS: Tensor, shape: tuple[int, ...]) -> Tensor:
    return matrix_MS.T.reshape(-1, *shape)


def _columns(batch_SX: Tensor) -> Tensor:
    return batch_SX.flatten(1).T
