"""Lines around every activation from ranges that stay as they are, gathered for the rows of a backward pass.

Shapes: V directions, N rows, B batch, X the shape of one sample, D its size, W the size of a pooling window.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from robustcert.bounds.backward import Coefficients
from robustcert.bounds.network import Network, Node
from robustcert.bounds.operators import members
from robustcert.bounds.patches import ChannelsLast, Patches
from robustcert.bounds.relaxations import lines_of

Interval = tuple[Tensor, Tensor]
TILE = (0, 1, 4)


@dataclass(frozen=True, kw_only=True, eq=False)
class Pooled:
    """Lines of a max_pool node: z >= x[member], and z <= x[member] where it is the largest for sure, else `ceiling`."""

    member_BD: Tensor
    sure_BD: Tensor
    ceiling_BD: Tensor


class FixedLines:
    """The relaxation whose lines come from `ranges`: of each node that feeds an activation, bounds (B, X)."""

    def __init__(self, network: Network, ranges: Mapping[int, Interval]) -> None:
        self._nodes = network.nodes
        self._ranges = ranges
        self._maps: dict[int, dict[str, Tensor]] = {}
        self._tiles: dict[tuple[int, str], ChannelsLast] = {}
        self._pools: dict[int, Pooled] = {}

    def elementwise(self, number: int, coefficients: Coefficients, sample_N: Tensor) -> tuple[Coefficients, Tensor]:
        """Coefficients of an activation's input: A lower slope + min(A, 0) (upper - lower slope)."""
        values = coefficients.values if isinstance(coefficients, Patches) else coefficients
        at = self.gathered(number, coefficients, sample_N)
        negative = values.clamp(max=0)
        axes = TILE if isinstance(coefficients, Patches) else tuple(range(2, values.ndim))
        shift = (negative * at["upper_shift"]).sum(dim=axes)
        if "lower_shift" in at:
            shift = shift + ((values - negative) * at["lower_shift"]).sum(dim=axes)
        relaxed = torch.addcmul(values * at["lower_slope"], negative, at["gap"])
        if isinstance(coefficients, Patches):
            return replace(coefficients, values=relaxed, clean=True), shift
        return relaxed, shift

    def pooled(self, number: int, values_VND: Tensor, sample_N: Tensor) -> tuple[Tensor, Tensor]:
        """Coefficients of a max_pool node's input, flattened."""
        lines = self._pool(number)
        member, sure, ceiling = (part[sample_N] for part in (lines.member_BD, lines.sure_BD, lines.ceiling_BD))
        negative = values_VND.clamp(max=0)
        kept = torch.where(sure, values_VND, values_VND.clamp(min=0))
        shift = torch.where(sure, 0.0, negative * ceiling).sum(dim=-1)
        size = math.prod(self._nodes[self._nodes[number].inputs[0]].shape)
        back = kept.new_zeros((*kept.shape[:2], size))
        return back.scatter_add(2, member.expand_as(kept), kept), shift

    def gathered(self, number: int, coefficients: Coefficients, sample_N: Tensor) -> dict[str, Tensor]:
        """Slopes and shifts as the coefficients lie."""
        maps = self._lines(number)
        if not isinstance(coefficients, Patches):
            return {name: value[sample_N] for name, value in maps.items()}
        places, side = coefficients.places, coefficients.side
        return {name: self._tile(number, name).at(places, side) for name in maps}

    def _lines(self, number: int) -> dict[str, Tensor]:
        if number not in self._maps:
            self._maps[number] = _maps_of(self._nodes[number], self._ranges[self._nodes[number].inputs[0]])
        return self._maps[number]

    def _tile(self, number: int, name: str) -> ChannelsLast:
        if (number, name) not in self._tiles:
            self._tiles[number, name] = ChannelsLast(self._lines(number)[name])
        return self._tiles[number, name]

    def _pool(self, number: int) -> Pooled:
        if number not in self._pools:
            node = self._nodes[number]
            self._pools[number] = pool_lines(node, *self._ranges[node.inputs[0]])
        return self._pools[number]


def pool_lines(node: Node, lower_BX: Tensor, upper_BX: Tensor) -> Pooled:
    """Lines of a max_pool node whose input lies in [lower, upper]; its member has the largest lower bound."""
    lower_BDW, upper_BDW = members(node, lower_BX), members(node, upper_BX)
    floor_BD, place_BD = lower_BDW.max(dim=-1)
    others_BDW = upper_BDW.scatter(2, place_BD[..., None], -math.inf)
    windows_DW = node.parameters["windows"]
    return Pooled(
        member_BD=windows_DW.expand_as(lower_BDW).gather(2, place_BD[..., None])[..., 0],
        sure_BD=floor_BD >= others_BDW.amax(dim=-1),
        ceiling_BD=upper_BDW.amax(dim=-1),
    )


def _maps_of(node: Node, interval: Interval) -> dict[str, Tensor]:
    """What is gathered for a pass; no lower shift where every lower line goes through zero."""
    lines = lines_of(node, *interval)
    maps = {
        "lower_slope": lines.lower_slope,
        "gap": lines.upper_slope - lines.lower_slope,
        "upper_shift": lines.upper_shift,
    }
    if node.op not in ("relu", "leaky_relu"):
        maps["lower_shift"] = lines.lower_shift
    return maps
