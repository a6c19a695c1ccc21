"""Linear bounds (CROWN; Zhang et al. 2018): backward passes for what an activation's range depends on, then the output.

Ranges are refined in the order of the nodes. A neuron gets a backward pass only if its range so far leaves its
activation undecided, in chunks of bounded memory that mix the neurons of all samples.

Shapes: B batch, X the shape of one sample, Q rows of a specification, K outputs, N rows of a pass.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from robustcert.bounds.affine_forms import AffineForms, values_per_sample
from robustcert.bounds.backward import Backward, Relaxation, Rows
from robustcert.bounds.concretization import Concretization
from robustcert.bounds.early_decision import EarlyDecision
from robustcert.bounds.early_decision import Ranges as EarlyRanges
from robustcert.bounds.fixed_lines import FixedLines
from robustcert.bounds.interval import Interval, interval_bounds, step
from robustcert.bounds.network import NONLINEAR, Network
from robustcert.bounds.operators import LINEAR_OPS
from robustcert.bounds.regions import Region
from robustcert.bounds.rounding import Magnitudes, magnitudes_of

ALIGNED = ("scale", "reshape", "rearrange", "concatenate")
FORM_VALUES = 1 << 20
ROWS = 1 << 10

Ranges = dict[int, Interval]
Splits = Mapping[int, Tensor]


def linear_bounds(
    network: Network,
    region: Region,
    C_BQK: Tensor | None = None,
    *,
    intermediate: Ranges | None = None,
    splits: Splits | None = None,
) -> Interval:
    """Lower and upper bounds (B, Q) of C z over the region; of every output without C.

    `intermediate` are ranges from `intermediate_bounds`, computed here where there are none. `splits` gives, by the
    number of a ReLU node, a tensor (B, X) of 1 (its input is taken as >= 0), -1 (<= 0) and 0 (either). Where the splits
    leave no input, the bounds are +inf and -inf.
    """
    C_BQK = identity(network, len(region)) if C_BQK is None else C_BQK.double()
    ranges = intermediate_bounds(network, region, splits=splits) if intermediate is None else intermediate
    ranges = split_ranges(network, ranges, splits)
    magnitudes = magnitudes_of(network, region)
    backward = Backward(network, Concretization(region))
    slack_BQ = magnitudes.slack_of(len(network.nodes) - 1, C_BQK)
    bounds_VBQ = of_outputs(backward, network, C_BQK, FixedLines(network, ranges)) - slack_BQ
    lower_BQ, upper_BQ = _met((bounds_VBQ[0], -bounds_VBQ[1]), interval_bounds(network, region, C_BQK))
    empty_B1 = empty_samples(ranges, len(region))[:, None]
    return lower_BQ.masked_fill(empty_B1, math.inf), upper_BQ.masked_fill(empty_B1, -math.inf)


def intermediate_bounds(network: Network, region: Region, *, splits: Splits | None = None) -> Ranges:
    """Ranges (B, X) of every node that feeds an activation, by its number: CROWN met with what shows neurons stable."""
    size = max(1, FORM_VALUES // values_per_sample(network))
    if size >= len(region):
        return _intermediate_of_group(network, region, splits)
    groups = []
    for start in range(0, len(region), size):
        rows = slice(start, start + size)
        cut = {number: split_BX[rows] for number, split_BX in (splits or {}).items()}
        groups.append(_intermediate_of_group(network, region.rows(rows), cut))
    return {number: _joined([group[number] for group in groups]) for number in groups[0]}


def _met(a: Interval, b: Interval) -> Interval:
    return torch.maximum(a[0], b[0]), torch.minimum(a[1], b[1])


def _joined(intervals: Sequence[Interval]) -> Interval:
    lowers, uppers = zip(*intervals, strict=True)
    return torch.cat(lowers), torch.cat(uppers)


def _intermediate_of_group(network: Network, region: Region, splits: Splits | None) -> Ranges:
    magnitudes, ranges = magnitudes_of(network, region), Ranges()
    values = network.values((region.lower_BX + region.upper_BX) / 2)
    refinement = Refinement(network, region, magnitudes, FixedLines(network, ranges))
    intervals: list[Interval] = [(region.lower_BX, region.upper_BX)]
    forms, wanted = AffineForms(network, region), feeding(network)
    for number, node in enumerate(network.nodes):
        if number:
            intervals.append(step(node, [intervals[source] for source in node.inputs], magnitudes.slack(number)))
        formed = forms.interval(number, ranges)
        if formed is not None:
            slack = magnitudes.slack(number)
            intervals[number] = _met(intervals[number], (formed[0] - slack, formed[1] + slack))
        if number in wanted:
            found = intervals[number]
            if not is_exact(network, number, region):
                found = refinement.refined(number, intervals, values[number])
            ranges.update(split_ranges(network, {number: found}, splits))
            intervals[number] = _met(ranges[number], intervals[number])
    return ranges


class Refinement:
    """Meets a node's range with linear bounds of the neurons that it leaves undecided."""

    def __init__(self, network: Network, region: Region, magnitudes: Magnitudes, relaxation: Relaxation) -> None:
        self._network, self._magnitudes, self._relaxation = network, magnitudes, relaxation
        self._backward = Backward(network, Concretization(region))

    def refined(self, number: int, intervals: Sequence[Interval], center_BX: Tensor) -> Interval:
        """The node's range, given those of the nodes up to it and its value at the region's center.

        Where only signs matter, a neuron is first bounded on the side where its value at the center lies: this shows
        most of them stable, and only the others need the bound of the other side. What is still undecided then has the
        bounds of its passes alone, which choose the slope of a ReLU's lower line as CROWN does.
        """
        bounds = [bound.flatten(1).clone() for bound in intervals[number]]
        open_BD = undecided(self._network, number, *bounds)
        early = EarlyRanges(intervals) if is_decidable(self._network, number) else None
        sign = torch.where(center_BX.flatten(1) > 0, 1.0, -1.0).double()
        for side in (sign, -sign):
            self._tighten(number, bounds, open_BD, side, early)
            if early is not None:
                open_BD = undecided(self._network, number, *bounds)
        lower, upper = (bound.reshape(center_BX.shape) for bound in bounds)
        return (lower, upper) if early is not None else _met((lower, upper), intervals[number])

    def _activation_before(self, number: int) -> int:
        """Where a look would only find the interval that is known already."""
        return max((at for at in range(number) if self._network.nodes[at].op in NONLINEAR), default=0)

    def _tighten(
        self, number: int, bounds: list[Tensor], rows_BD: Tensor, sign_BD: Tensor, known: EarlyRanges | None
    ) -> None:
        """Raise the lower bounds of sign * neuron for the marked neurons, in place."""
        slack_BD = self._magnitudes.slack(number).flatten(1)
        for at in torch.split(rows_BD.nonzero(), ROWS) if bool(rows_BD.any()) else ():
            sample_N, neuron_N = at[:, 0], at[:, 1]
            sign_N, slack_N = sign_BD[sample_N, neuron_N], slack_BD[sample_N, neuron_N]
            early = None if known is None else EarlyDecision(known, slack_N, start=self._activation_before(number))
            rows = Rows(neuron_N=neuron_N, sample_N=sample_N, early=early)
            bound_N = self._backward.of_neurons(number, sign_N[None], rows, self._relaxation)[0] - slack_N
            up, down = sign_N > 0, sign_N < 0
            for bound, rows_N, values_N in ((bounds[0], up, bound_N), (bounds[1], down, -bound_N)):
                bound[sample_N[rows_N], neuron_N[rows_N]] = values_N[rows_N]


def of_outputs(backward: Backward, network: Network, C_BQK: Tensor, relaxation: Relaxation) -> Tensor:
    """Lower bounds (2, B, Q) of C z and of -C z, without slack."""
    batch, rows = C_BQK.shape[:2]
    sample_M = torch.arange(batch).repeat_interleave(rows)
    both_VMK = torch.stack((C_BQK, -C_BQK)).reshape(2, batch * rows, *network.nodes[-1].shape)
    return backward.of_outputs(both_VMK, sample_M, relaxation).reshape(2, batch, rows)


def identity(network: Network, batch: int) -> Tensor:
    """The specification that asks for every output, flattened: (B, K, K)."""
    return torch.eye(math.prod(network.nodes[-1].shape), dtype=torch.float64).expand(batch, -1, -1)


def split_ranges(network: Network, ranges: Mapping[int, Interval], splits: Splits | None) -> Ranges:
    """The ranges cut to the side that each split says."""
    cut = dict(ranges)
    for number, split_BX in (splits or {}).items():
        source = network.nodes[number].inputs[0]
        if source in cut:
            lower, upper = cut[source]
            cut[source] = (
                torch.where(split_BX > 0, lower.clamp(min=0), lower),
                torch.where(split_BX < 0, upper.clamp(max=0), upper),
            )
    return cut


def empty_samples(ranges: Mapping[int, Interval], batch: int) -> Tensor:
    """Which samples have a neuron without any value left, (B,)."""
    empty_B = torch.zeros(batch, dtype=torch.bool)
    for lower, upper in ranges.values():
        empty_B |= (lower > upper).flatten(1).any(dim=1)
    return empty_B


def feeding(network: Network) -> set[int]:
    """The nodes that feed an activation or a max_pool."""
    return {node.inputs[0] for node in network.nodes if node.op in NONLINEAR}


def is_exact(network: Network, number: int, region: Region) -> bool:
    """Whether intervals are exact there: each neuron a function of one input, or one affine layer over a box."""
    node = network.nodes[number]
    if node.op in LINEAR_OPS and node.op != "scale":
        return region.ball is None and _aligned(network, node.inputs[0])
    return _aligned(network, number)


def _aligned(network: Network, number: int) -> bool:
    node = network.nodes[number]
    return node.op == "input" or (node.op in ALIGNED and all(_aligned(network, source) for source in node.inputs))


def undecided(network: Network, number: int, lower: Tensor, upper: Tensor) -> Tensor:
    """The neurons whose range leaves open what the activations they feed are there."""
    return (lower < 0) & (upper > 0) if is_decidable(network, number) else lower < upper


def is_decidable(network: Network, number: int) -> bool:
    """Whether only the sign of these neurons matters to what they feed."""
    ops = {node.op for node in network.nodes if number in node.inputs and node.op in NONLINEAR}
    return ops <= {"relu", "leaky_relu"}
