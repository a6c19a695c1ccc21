"""How far float64 can be from real arithmetic in these bounds: an a-priori bound, subtracted from every result.

A sum of n products evaluated in any order is off by at most n u / (1 - n u) times the sum of their absolute values,
u = 2^-53 (Higham, Accuracy and Stability of Numerical Algorithms, section 3.1). `Magnitudes` therefore follows through
the network, per neuron, a bound of the sum of absolute values of everything that any bound of that neuron adds up
(weights and biases taken absolutely, activations replaced by all of their line), and a count of operations on the
longest path to it. Their product, doubled for what the product itself loses, is the slack.

Shapes: B batch, X the shape of one sample.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from robustcert.bounds.network import ELEMENTWISE, Network, Node
from robustcert.bounds.operators import LINEAR_OPS, affine, evaluate, fan_in, moved
from robustcert.bounds.regions import Region

UNIT = 2.0**-53
LINE_OPERATIONS = 16
LIPSCHITZ = 1.2


@dataclass(frozen=True, kw_only=True, eq=False)
class Magnitudes:
    """For every node, the absolute sums of its neurons (B, X) and the operations on the way to it."""

    sums: tuple[Tensor, ...]
    operations: tuple[int, ...]

    def slack(self, number: int) -> Tensor:
        """What a bound of each neuron of a node may be off by, (B, X)."""
        return 2.0 * UNIT * self.operations[number] * self.sums[number]

    def slack_of(self, number: int, weights_BQX: Tensor) -> Tensor:
        """The same for linear functions of a node's neurons, (B, Q)."""
        sums_BQ = torch.einsum("bqd,bd->bq", weights_BQX.abs().flatten(2), self.sums[number].flatten(1))
        operations = self.operations[number] + math.prod(self.sums[number].shape[1:]) + 2
        return 2.0 * UNIT * operations * sums_BQ


def magnitudes_of(network: Network, region: Region) -> Magnitudes:
    """Absolute sums for every input of the region."""
    largest_BX = torch.maximum(region.lower_BX.abs(), region.upper_BX.abs())
    sums, operations = [3.0 * largest_BX], [8 + math.prod(network.input_shape)]
    for node in network.nodes[1:]:
        sums.append(_sum(node, [sums[number] for number in node.inputs]))
        operations.append(max(operations[number] for number in node.inputs) + _operations(node))
    return Magnitudes(sums=tuple(sums), operations=tuple(operations))


def _sum(node: Node, inputs: list[Tensor]) -> Tensor:
    if node.op in LINEAR_OPS:
        return affine(node, inputs[0], absolute=True)
    if node.op in ("relu", "leaky_relu"):
        return 2.0 * inputs[0]
    if node.op in ELEMENTWISE:
        return 4.0 * LIPSCHITZ * inputs[0] + 1.0
    if node.op == "max_pool":
        return 2.0 * evaluate(node, inputs)
    return moved(node, inputs, absolute=True)


def _operations(node: Node) -> int:
    if node.op in LINEAR_OPS:
        return fan_in(node) + 4
    if node.op == "add":
        return len(node.inputs)
    return 0 if node.op in ("reshape", "rearrange", "concatenate") else LINE_OPERATIONS
