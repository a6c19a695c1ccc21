"""Optimised linear bounds: alpha-CROWN (Xu et al. 2021), with beta multipliers for splits (Wang et al. 2021).

Every choice of slopes and multipliers gives a sound bound, so Adam looks for good ones and each row keeps its best.
"outputs" optimises the slopes of the specification's own passes over ranges that stay as they are; "all" also those of
every pass that bounds a hidden neuron, whose ranges then move with them: tighter, and as many times dearer as there are
undecided neurons.

Shapes: B batch, X the shape of one sample, Q rows of a specification, K outputs.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor

from robustcert.bounds.backward import Backward, Rows
from robustcert.bounds.concretization import Concretization
from robustcert.bounds.fixed_lines import FixedLines
from robustcert.bounds.free_lines import FreeLines, FreeParameters
from robustcert.bounds.interval import Interval, interval_bounds, step
from robustcert.bounds.linear import (
    Ranges,
    Splits,
    empty_samples,
    feeding,
    intermediate_bounds,
    is_exact,
    split_ranges,
    undecided,
)
from robustcert.bounds.network import Network
from robustcert.bounds.regions import Region
from robustcert.bounds.rounding import magnitudes_of

Slopes = Literal["outputs", "all"]
OWN_RATE = 0.5
HIDDEN_RATE = 0.1
DECAY = 0.98
GRAPH_VALUES = 1 << 24
WHOLE = 1 << 62  # a pass whose slopes are optimised stays in one piece


def alpha_bounds(
    network: Network,
    region: Region,
    C_BQK: Tensor,
    *,
    iterations: int = 20,
    slopes: Slopes = "all",
    intermediate: Ranges | None = None,
    splits: Splits | None = None,
) -> Tensor:
    """Lower bounds (B, Q) of C z over the region after so many steps of Adam; +inf where the splits leave no input."""
    C_BQK = C_BQK.double()
    with torch.no_grad():
        ranges = intermediate_bounds(network, region, splits=splits) if intermediate is None else intermediate
        ranges = split_ranges(network, ranges, splits)
    size = max(1, GRAPH_VALUES // _values_per_sample(network, C_BQK.shape[1], slopes))
    parts = []
    for start in range(0, len(region), size):
        rows = slice(start, start + size)
        known = {number: (lower[rows], upper[rows]) for number, (lower, upper) in ranges.items()}
        cut = {number: split_BX[rows] for number, split_BX in (splits or {}).items()}
        ascent = Ascent(network, region.rows(rows), C_BQK[rows], ranges=known, splits=cut, slopes=slopes)
        parts.append(ascent.run(iterations))
    lower_BQ = torch.maximum(torch.cat(parts), interval_bounds(network, region, C_BQK)[0])
    return lower_BQ.masked_fill(empty_samples(ranges, len(region))[:, None], math.inf)


class Ascent:
    """One optimisation over some samples."""

    def __init__(
        self, network: Network, region: Region, C_BQK: Tensor, *, ranges: Ranges, splits: Splits, slopes: Slopes
    ) -> None:
        self._network, self._region, self._C_BQK = network, region, C_BQK
        self._best_ranges, self._splits, self._slopes = ranges, splits, slopes
        self._magnitudes = magnitudes_of(network, region)
        self._backward = Backward(network, Concretization(region), chunk_values=WHOLE)
        self._parameters = FreeParameters()
        self._open = {number: undecided(network, number, *interval) for number, interval in ranges.items()}

    def run(self, iterations: int) -> Tensor:
        """The best bounds (B, Q) met."""
        with torch.enable_grad():
            plain_BQ = self._bound(self._best_ranges).detach()
            bound_BQ = self._bound(self._ranges())
            best_BQ = torch.maximum(plain_BQ, bound_BQ.detach())
            if not bound_BQ.requires_grad:
                return best_BQ
            own, hidden = self._parameters.by_start(len(self._network.nodes) - 1)
            groups = [{"params": own, "lr": OWN_RATE}, {"params": hidden, "lr": HIDDEN_RATE}]
            optimizer = torch.optim.Adam(groups)
            schedule = torch.optim.lr_scheduler.ExponentialLR(optimizer, DECAY)
            for _ in range(iterations):
                optimizer.zero_grad()
                (-bound_BQ.sum()).backward()
                optimizer.step()
                schedule.step()
                self._parameters.clamp()
                bound_BQ = self._bound(self._ranges())
                best_BQ = torch.maximum(best_BQ, bound_BQ.detach())
        return best_BQ

    def _ranges(self) -> Ranges:
        return self._best_ranges if self._slopes == "outputs" else self._moved_ranges()

    def _bound(self, ranges: Ranges) -> Tensor:
        number, (batch, rows) = len(self._network.nodes) - 1, self._C_BQK.shape[:2]
        lines = self._lines(ranges, number)
        sample_M = torch.arange(batch).repeat_interleave(rows)
        values = self._C_BQK.reshape(1, batch * rows, *self._network.nodes[-1].shape)
        bound_BQ = self._backward.of_outputs(values, sample_M, lines).reshape(batch, rows)
        return bound_BQ - self._magnitudes.slack_of(number, self._C_BQK)

    def _lines(self, ranges: Ranges, number: int) -> FreeLines:
        splits = self._splits if number == len(self._network.nodes) - 1 else None
        fixed = FixedLines(self._network, ranges)
        return FreeLines(self._network, fixed, self._parameters, number, splits=splits)

    def _moved_ranges(self) -> Ranges:
        """Ranges by the slopes as they are now, met with the best known ones, which they then are."""
        intervals: list[Interval] = [(self._region.lower_BX, self._region.upper_BX)]
        ranges: Ranges = {}
        for number, node in enumerate(self._network.nodes):
            if number:
                inputs = [intervals[source] for source in node.inputs]
                intervals.append(step(node, inputs, self._magnitudes.slack(number)))
            if number in self._best_ranges:
                interval = self._met(number, intervals[number])
                if not is_exact(self._network, number, self._region):
                    interval = self._passed(number, interval, ranges)
                ranges[number] = intervals[number] = interval
                self._best_ranges[number] = (interval[0].detach(), interval[1].detach())
        return ranges

    def _met(self, number: int, interval: Interval) -> Interval:
        lower, upper = self._best_ranges[number]
        return torch.maximum(interval[0], lower), torch.minimum(interval[1], upper)

    def _passed(self, number: int, interval: Interval, ranges: Ranges) -> Interval:
        """The interval met with bounds of its undecided neurons by free slopes."""
        shape, lower, upper = interval[0].shape, interval[0].flatten(1), interval[1].flatten(1)
        slack_BD = self._magnitudes.slack(number).flatten(1)
        at = self._open[number].flatten(1).nonzero()
        if len(at):
            sample_N, neuron_N = place = at[:, 0], at[:, 1]
            signs_VN = torch.ones((2, len(at)), dtype=torch.float64)
            signs_VN[1] = -1.0
            rows = Rows(neuron_N=neuron_N, sample_N=sample_N)
            bounds_VN = self._backward.of_neurons(number, signs_VN, rows, self._lines(ranges, number))
            bounds_VN = bounds_VN - slack_BD[place]
            lower = lower.index_put(place, torch.maximum(lower[place], bounds_VN[0]))
            upper = upper.index_put(place, torch.minimum(upper[place], -bounds_VN[1]))
        return lower.reshape(shape), upper.reshape(shape)


def _values_per_sample(network: Network, rows: int, slopes: Slopes) -> int:
    """Coefficients of all passes for one sample, whole arrays taken for tiles."""
    sizes = [math.prod(node.shape) for node in network.nodes]
    total = rows * sum(sizes)
    if slopes == "all":
        total += sum(2 * sizes[number] * sum(sizes[:number]) for number in feeding(network))
    return total
