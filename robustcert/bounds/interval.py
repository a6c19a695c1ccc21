"""Interval bounds (IBP; Gowal et al. 2018, section 3): every neuron's range from the ranges before it.

The specification is merged into the last affine layer before its range is taken (elision). Shapes: B batch, X the shape
of one sample, Q rows of a specification, K outputs.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from robustcert.bounds.network import ELEMENTWISE, Network, Node
from robustcert.bounds.operators import LINEAR_OPS, activation, affine, evaluate, moved
from robustcert.bounds.regions import Region
from robustcert.bounds.relaxations import value_range
from robustcert.bounds.rounding import Magnitudes, magnitudes_of

Interval = tuple[Tensor, Tensor]


def interval_bounds(network: Network, region: Region, C_BQK: Tensor | None = None) -> Interval:
    """Lower and upper bounds (B, Q) of C z over the region, of every output (B, K) without C."""
    magnitudes = magnitudes_of(network, region)
    intervals = node_intervals(network, region, magnitudes)
    if C_BQK is None:
        return intervals[-1]
    return specified(network, C_BQK.double(), intervals, magnitudes)


def node_intervals(network: Network, region: Region, magnitudes: Magnitudes) -> list[Interval]:
    """The range of every node's neurons, (B, X) each."""
    intervals: list[Interval] = [(region.lower_BX, region.upper_BX)]
    for number, node in enumerate(network.nodes[1:], start=1):
        intervals.append(step(node, [intervals[source] for source in node.inputs], magnitudes.slack(number)))
    return intervals


def step(node: Node, inputs: Sequence[Interval], slack: Tensor) -> Interval:
    """The range of one node from its inputs' ranges, widened by `slack` where arithmetic rounds."""
    lowers, uppers = [interval[0] for interval in inputs], [interval[1] for interval in inputs]
    if node.op in LINEAR_OPS:
        center, radius = (uppers[0] + lowers[0]) / 2, (uppers[0] - lowers[0]) / 2
        middle, reach = affine(node, center), affine(node, radius, absolute=True, bias=False)
        return middle - reach - slack, middle + reach + slack
    if node.op == "gelu":
        lower, upper = value_range(node, lowers[0], uppers[0])
        return lower - slack, upper + slack
    if node.op in ELEMENTWISE:
        exact = node.op == "relu"
        lower, upper = activation(node, lowers[0]), activation(node, uppers[0])
        return (lower, upper) if exact else (lower - slack, upper + slack)
    if node.op == "max_pool":
        return evaluate(node, lowers), evaluate(node, uppers)
    lower, upper = moved(node, lowers), moved(node, uppers)
    return (lower - slack, upper + slack) if node.op == "add" else (lower, upper)


def specified(network: Network, C_BQK: Tensor, intervals: Sequence[Interval], magnitudes: Magnitudes) -> Interval:
    """Bounds (B, Q) of C z from the ranges of the nodes, through the last layer at once where that is linear."""
    last = network.nodes[-1]
    slack_BQ = magnitudes.slack_of(len(network.nodes) - 1, C_BQK)
    if last.op == "linear":
        weights_BQD = C_BQK @ last.parameters["weight"]
        return _ranged(weights_BQD, intervals[last.inputs[0]], C_BQK @ last.parameters["bias"], slack_BQ)
    return _ranged(C_BQK, intervals[-1], torch.zeros_like(slack_BQ), slack_BQ)


def _ranged(weights_BQD: Tensor, interval: Interval, shift_BQ: Tensor, slack_BQ: Tensor) -> Interval:
    lower_BD, upper_BD = (bound.flatten(1) for bound in interval)
    middle_BQ = torch.einsum("bqd,bd->bq", weights_BQD, (upper_BD + lower_BD) / 2) + shift_BQ
    reach_BQ = torch.einsum("bqd,bd->bq", weights_BQD.abs(), (upper_BD - lower_BD) / 2)
    return middle_BQ - reach_BQ - slack_BQ, middle_BQ + reach_BQ + slack_BQ
