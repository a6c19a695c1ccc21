"""Lines with free slopes for every row of a backward pass, and multipliers of splits: what alpha-CROWN optimises.

ReLU's lower line may have any slope between LeakyReLU's own (0 for ReLU) and 1 where its input's sign is open (Xu et
al. 2021, alpha-CROWN, section 3). A split z >= 0 (z <= 0) may be added to a row's function with any multiplier >= 0:
- beta z (+ beta z) is no more than 0 wherever the split holds (Wang et al. 2021, beta-CROWN, theorem 3.1).

Shapes: V directions, N rows, X the shape of one sample. Parameters have the layout of the coefficients they multiply.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor

from robustcert.bounds.backward import Coefficients
from robustcert.bounds.fixed_lines import TILE, FixedLines
from robustcert.bounds.network import RECTIFIERS, Network
from robustcert.bounds.patches import Patches, to_maps


class FreeParameters:
    """Slopes and multipliers by the pass and node they belong to; made where a pass first asks for them."""

    def __init__(self) -> None:
        self.slopes: dict[tuple[int, int], Tensor] = {}
        self.multipliers: dict[tuple[int, int], Tensor] = {}
        self._least: dict[tuple[int, int], float] = {}

    def slope(self, key: tuple[int, int], start: Tensor, *, least: float) -> Tensor:
        """The slopes of one pass at one node, `start` at first."""
        if key not in self.slopes:
            self.slopes[key] = start.detach().clone().requires_grad_()
            self._least[key] = least
        return self.slopes[key]

    def multiplier(self, key: tuple[int, int], like: Tensor) -> Tensor:
        """The multipliers of one pass at one node, zero at first."""
        if key not in self.multipliers:
            self.multipliers[key] = torch.zeros_like(like).requires_grad_()
        return self.multipliers[key]

    def by_start(self, start: int) -> tuple[list[Tensor], list[Tensor]]:
        """What belongs to the pass from one node, and everything else."""
        known = [*self.slopes.items(), *self.multipliers.items()]
        own = [tensor for (at, _), tensor in known if at == start]
        return own, [tensor for (at, _), tensor in known if at != start]

    @torch.no_grad()
    def clamp(self) -> None:
        """Back to where the bounds are sound."""
        for key, slope in self.slopes.items():
            slope.clamp_(self._least[key], 1.0)
        for multiplier in self.multipliers.values():
            multiplier.clamp_(min=0.0)


class FreeLines:
    """The relaxation of the pass from the node `start`: free slopes of ReLUs, fixed lines of everything else."""

    def __init__(
        self,
        network: Network,
        fixed: FixedLines,
        parameters: FreeParameters,
        start: int,
        *,
        splits: Mapping[int, Tensor] | None = None,
    ) -> None:
        self._nodes, self._fixed, self._parameters, self._start = network.nodes, fixed, parameters, start
        self._splits = splits or {}

    def elementwise(self, number: int, coefficients: Coefficients, sample_N: Tensor) -> tuple[Coefficients, Tensor]:
        """Coefficients of an activation's input."""
        node = self._nodes[number]
        if node.op not in RECTIFIERS:
            return self._fixed.elementwise(number, coefficients, sample_N)
        if number in self._splits and isinstance(coefficients, Patches):
            coefficients = to_maps(coefficients)
        values = coefficients.values if isinstance(coefficients, Patches) else coefficients
        lower, upper, upper_shift = self._slopes(number, coefficients, sample_N, values)
        negative = values.clamp(max=0)
        shift = (negative * upper_shift).sum(dim=TILE if isinstance(coefficients, Patches) else _after_rows(values))
        relaxed = (values - negative) * lower + negative * upper
        if number in self._splits:
            multiplier = self._parameters.multiplier((self._start, number), relaxed)
            relaxed = relaxed - multiplier * self._splits[number][sample_N]
        if isinstance(coefficients, Patches):
            return replace(coefficients, values=relaxed, clean=True), shift
        return relaxed, shift

    def pooled(self, number: int, values_VND: Tensor, sample_N: Tensor) -> tuple[Tensor, Tensor]:
        """Coefficients of a max_pool node's input, by its fixed lines."""
        return self._fixed.pooled(number, values_VND, sample_N)

    def _slopes(
        self, number: int, coefficients: Coefficients, sample_N: Tensor, values: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        at = self._fixed.gathered(number, coefficients, sample_N)
        upper = at["lower_slope"] + at["gap"]
        least = self._nodes[number].parameters.get("slope", 0.0)
        start = at["lower_slope"].expand_as(values)
        slope = self._parameters.slope((self._start, number), start, least=least)
        return torch.where(at["upper_shift"] > 0, slope, at["lower_slope"]), upper, at["upper_shift"]


def _after_rows(values: Tensor) -> tuple[int, ...]:
    return tuple(range(2, values.ndim))
