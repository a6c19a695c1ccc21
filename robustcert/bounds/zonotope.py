"""Zonotope bounds: every neuron affine in noise symbols of its own, carried forward exactly through linear layers.

A box is center + sum of one symbol in [-1, 1] per feature. Linear layers act on center and generators; an activation
between two lines (`robustcert.bounds.relaxations`) becomes their mean slope's line, with one new symbol for what is
left (Singh et al. 2018, DeepZ, theorem 3.1). Neurons share what they have in common, which intervals forget; cost
and memory grow with neurons times symbols, so this is for small networks.

Shapes: B batch, X the shape of one sample, D its size, S symbols, Q rows of a specification, K outputs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from robustcert.bounds.interval import Interval, interval_bounds
from robustcert.bounds.network import ELEMENTWISE, Network, Node, UnsupportedOperator
from robustcert.bounds.operators import LINEAR_OPS, affine, moved
from robustcert.bounds.regions import Region
from robustcert.bounds.relaxations import lines_of
from robustcert.bounds.rounding import magnitudes_of


@dataclass(frozen=True, kw_only=True, eq=False)
class Zonotope:
    """center_BX + sum over s of generators_BSX e_s, for all e_s in [-1, 1]."""

    center_BX: Tensor
    generators_BSX: Tensor

    def interval(self) -> Interval:
        """The neurons' ranges."""
        reach_BX = self.generators_BSX.abs().sum(dim=1)
        return self.center_BX - reach_BX, self.center_BX + reach_BX


def zonotope_bounds(network: Network, region: Region, C_BQK: Tensor | None = None) -> Interval:
    """Lower and upper bounds (B, Q) of C z over the region's box, of every output without C; no worse than intervals.

    Raises UnsupportedOperator for a network with max pooling, which has no such form here.
    """
    magnitudes, known = magnitudes_of(network, region), [_of_box(region)]
    symbols = math.prod(network.input_shape)
    for node in network.nodes[1:]:
        inputs = [known[source] for source in node.inputs]
        if node.op in ELEMENTWISE:
            known.append(_activated(node, inputs[0], magnitudes.slack(node.inputs[0]), first=symbols))
            symbols += math.prod(node.shape)
        else:
            known.append(_linear(node, inputs))
    last = known[-1]
    if C_BQK is None:
        C_BQK = torch.eye(last.center_BX[0].numel(), dtype=torch.float64).expand(len(region), -1, -1)
    center_BQ = torch.einsum("bqd,bd->bq", C_BQK.double(), last.center_BX.flatten(1))
    generators_BSQ = torch.einsum("bqd,bsd->bsq", C_BQK.double(), last.generators_BSX.flatten(2))
    lower, upper = Zonotope(center_BX=center_BQ, generators_BSX=generators_BSQ).interval()
    slack_BQ = magnitudes.slack_of(len(network.nodes) - 1, C_BQK.double())
    plain = interval_bounds(network, region, C_BQK)
    return torch.maximum(lower - slack_BQ, plain[0]), torch.minimum(upper + slack_BQ, plain[1])


def _of_box(region: Region) -> Zonotope:
    radius_BX = (region.upper_BX - region.lower_BX) / 2
    generators_BDD = torch.diag_embed(radius_BX.flatten(1))
    shape = (len(region), -1, *radius_BX.shape[1:])
    return Zonotope(center_BX=(region.lower_BX + region.upper_BX) / 2, generators_BSX=generators_BDD.reshape(shape))


def _activated(node: Node, z: Zonotope, slack_BX: Tensor, *, first: int) -> Zonotope:
    """f(z) within slope z + [low, high], with a new symbol for every neuron from number `first` on."""
    lower, upper = z.interval()
    lower, upper = lower - slack_BX, upper + slack_BX
    lines = lines_of(node, lower, upper)
    if node.op in ("relu", "leaky_relu"):  # lies above every line through zero with a slope between its own two
        slope, low, high = lines.upper_slope, torch.zeros_like(lower), lines.upper_shift
    else:
        slope = (lines.lower_slope + lines.upper_slope) / 2
        low = torch.minimum(*((lines.lower_slope - slope) * at + lines.lower_shift for at in (lower, upper)))
        high = torch.maximum(*((lines.upper_slope - slope) * at + lines.upper_shift for at in (lower, upper)))
    kept = _padded(z.generators_BSX * slope[:, None], first)
    new = torch.diag_embed(((high - low) / 2).flatten(1)).reshape(len(low), -1, *low.shape[1:])
    return Zonotope(center_BX=slope * z.center_BX + (high + low) / 2, generators_BSX=torch.cat((kept, new), dim=1))


def _linear(node: Node, inputs: Sequence[Zonotope]) -> Zonotope:
    if node.op == "max_pool":
        raise UnsupportedOperator("max_pool", why="it has no zonotope here")
    most = max(part.generators_BSX.shape[1] for part in inputs)
    generators = [_padded(part.generators_BSX, most).flatten(0, 1) for part in inputs]
    centers = [part.center_BX for part in inputs]
    if node.op in LINEAR_OPS:
        center_BX, turned = affine(node, centers[0]), affine(node, generators[0], bias=False)
    else:
        center_BX = moved(node, centers)
        turned = moved(node, generators) - moved(node, [torch.zeros_like(part) for part in generators])
    return Zonotope(center_BX=center_BX, generators_BSX=turned.reshape(-1, most, *center_BX.shape[1:]))


def _padded(generators_BSX: Tensor, symbols: int) -> Tensor:
    """The generators with zeros for symbols that came up elsewhere."""
    missing = symbols - generators_BSX.shape[1]
    return functional.pad(generators_BSX, (0, 0) * (generators_BSX.ndim - 2) + (0, missing))
