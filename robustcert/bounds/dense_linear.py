"""Linear bounds of dense networks under ReLU splits (Zhang et al. 2018, arXiv:1811.00866).

A split is a sign for a unit: +1 where z >= 0 is assumed, -1 where z <= 0 is, 0 elsewhere. Every slope in [0, 1] and
every multiplier >= 0 gives a sound bound. float64 throughout.

Shapes: B subdomains, Q rows, M units of one layer, D flattened input values.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from robustcert.bounds.dense import DenseLayer, DenseNetwork
from robustcert.bounds.input_set import InputSet

BELOW_SHARE = 0.1  # weight of a lower line, whose slope is optimised, against an upper line in a score
GAP = 1e-12  # keeps a score above 0 however little the unit costs
UNIT = 2.0**-53
LINE_OPERATIONS = 16


@dataclass(frozen=True, kw_only=True)
class Relaxation:
    """Bounds (B, M) of one layer's pre-activations under the splits `signs` (B, M)."""

    lower: Tensor
    upper: Tensor
    signs: Tensor

    @property
    def unstable(self) -> Tensor:
        """Bool (B, M): both signs are possible and none is assumed."""
        return (self.lower < 0) & (self.upper > 0) & (self.signs == 0)

    def rows(self, index: Tensor) -> Relaxation:
        """These subdomains only."""
        return Relaxation(lower=self.lower[index], upper=self.upper[index], signs=self.signs[index])

    def steepest(self) -> Tensor:
        """CROWN's lower slopes (B, M): 1 where the upper end is the longer one."""
        return (self.upper > -self.lower).to(self.lower.dtype)


@dataclass(frozen=True, kw_only=True)
class Multipliers:
    """One layer's slopes (B, Q, M) in [0, 1] and multipliers of its splits (B, Q, M), at least 0."""

    alpha: Tensor
    beta: Tensor


@dataclass(frozen=True, kw_only=True)
class Weights:
    """A network's layers as tensors, made once."""

    network: DenseNetwork
    layers: tuple[tuple[dict[int, Tensor], Tensor], ...]

    @classmethod
    def of(cls, network: DenseNetwork) -> Weights:
        """float64 tensors of the hidden layers and the output layer."""
        return cls(network=network, layers=tuple(map(_tensors, (*network.hidden, network.output))))

    @property
    def hidden(self) -> int:
        """Number of hidden layers."""
        return len(self.network.hidden)


def bounded(weights: Weights, region: InputSet, signs: Sequence[Tensor]) -> tuple[list[Relaxation], Tensor]:
    """Pre-activation bounds of every hidden layer under the splits, and bool (B,): the subdomain is not empty.

    CROWN layer by layer with C = [I; -I], intersected with interval bounds. Where the two cross by no more than float64
    may round, the unit is a point, not a contradiction: such are units that see fixed features only.
    """
    batch = len(signs[0]) if signs else 1
    boxes = [(region.lower.expand(batch, -1), region.upper.expand(batch, -1))]
    found: list[Relaxation] = []
    possible_B, slacks = torch.ones(batch, dtype=torch.bool), rounding_slacks(weights, region)
    for number, (matrices, bias) in enumerate(weights.layers[: weights.hidden]):
        lower_BM, upper_BM = _interval(matrices, bias, boxes)
        if number:
            crown_BM, crown_upper_BM = _two_sided(weights, number, found, region)
            lower_BM, upper_BM = torch.maximum(lower_BM, crown_BM), torch.minimum(upper_BM, crown_upper_BM)
        sign_BM = signs[number]
        lower_BM = torch.where(sign_BM > 0, lower_BM.clamp(min=0), lower_BM)
        upper_BM = torch.where(sign_BM < 0, upper_BM.clamp(max=0), upper_BM)
        possible_B = possible_B & (lower_BM <= upper_BM + slacks[number]).all(dim=1)
        least_BM, most_BM = torch.minimum(lower_BM, upper_BM), torch.maximum(lower_BM, upper_BM)
        found.append(Relaxation(lower=least_BM, upper=most_BM, signs=sign_BM))
        boxes.append((found[-1].lower.clamp(min=0), found[-1].upper.clamp(min=0)))
    return found, possible_B


def rounding_slacks(weights: Weights, region: InputSet) -> list[Tensor]:
    """How far two bounds of one pre-activation may be apart by rounding alone, (M,) for each hidden layer.

    Number of operations times the sum of absolute values on the way to it, as `robustcert.bounds.rounding` has it.
    """
    sums, operations = [torch.maximum(region.lower.abs(), region.upper.abs())], len(region.lower) + LINE_OPERATIONS
    slacks = []
    for matrices, bias in weights.layers[: weights.hidden]:
        size = bias.abs() + sum(matrix.abs() @ sums[source] for source, matrix in matrices.items())
        operations += sum(matrix.shape[1] for matrix in matrices.values()) + LINE_OPERATIONS
        slacks.append(4.0 * UNIT * operations * size)
        sums.append(2.0 * size)
    return slacks


def interval_rows(weights: Weights, region: InputSet) -> Tensor:
    """Interval lower bounds (Q,) of the output, without any splits."""
    boxes = [(region.lower[None], region.upper[None])]
    for matrices, bias in weights.layers[: weights.hidden]:
        lower_BM, upper_BM = _interval(matrices, bias, boxes)
        boxes.append((lower_BM.clamp(min=0), upper_BM.clamp(min=0)))
    return _interval(*weights.layers[-1], boxes)[0][0]


@dataclass(frozen=True, kw_only=True)
class LinearBound:
    """Lower bounds (B, Q) of the output, the input coefficients (B, Q, D) that gave them, and split scores.

    `scores` holds (B, M) for each hidden layer: above 0 where a unit is unstable, the larger the more it costs.
    """

    lower: Tensor
    coefficients: Tensor
    scores: list[Tensor]


def linear_rows(
    weights: Weights,
    region: InputSet,
    relaxed: Sequence[Relaxation],
    multipliers: Sequence[Multipliers] | None = None,
    shares_BQ: Tensor | None = None,
) -> LinearBound:
    """Lower bounds of the output by one backward pass.

    Of several rows a last one more is bounded, their mean weighted by `shares_BQ` (nonnegative, sum 1; equal where not
    given): the largest row is at least that, and it may be positive where each row alone is not.
    """
    matrices, bias = weights.layers[-1]
    batch = len(relaxed[0].lower) if relaxed else 1
    mix_BRQ = _mixed(len(bias), batch, shares_BQ)
    scores: list[Tensor] = []
    coefficients_BQD, constant_BQ = _backward(
        weights,
        {source: mix_BRQ @ matrix for source, matrix in matrices.items()},
        mix_BRQ @ bias,
        relaxed=relaxed,
        multipliers=multipliers,
        scores=scores,
    )
    lower_BQ = region.minimum(coefficients_BQD) + constant_BQ
    return LinearBound(lower=lower_BQ, coefficients=coefficients_BQD, scores=scores[::-1])


def _mixed(rows: int, batch: int, shares_BQ: Tensor | None) -> Tensor:
    """The identity, and below it the shares where there are several rows."""
    identity_BQQ = torch.eye(rows, dtype=torch.float64).expand(batch, -1, -1)
    if rows == 1:
        return identity_BQQ
    shares_BQ = identity_BQQ.new_full((batch, rows), 1 / rows) if shares_BQ is None else shares_BQ
    return torch.cat([identity_BQQ, shares_BQ[:, None]], dim=1)


def _tensors(layer: DenseLayer) -> tuple[dict[int, Tensor], Tensor]:
    matrices = {source: torch.from_numpy(np.ascontiguousarray(weight)) for source, weight in layer.weights.items()}
    return matrices, torch.from_numpy(np.ascontiguousarray(layer.bias))


def _interval(
    matrices: dict[int, Tensor], bias: Tensor, boxes: Sequence[tuple[Tensor, Tensor]]
) -> tuple[Tensor, Tensor]:
    lower_BM = upper_BM = bias
    for source, matrix in matrices.items():
        low, high = boxes[source]
        positive, negative = matrix.clamp(min=0).T, matrix.clamp(max=0).T
        lower_BM = lower_BM + low @ positive + high @ negative
        upper_BM = upper_BM + high @ positive + low @ negative
    return lower_BM, upper_BM


def _two_sided(weights: Weights, number: int, relaxed: Sequence[Relaxation], region: InputSet) -> tuple[Tensor, Tensor]:
    """CROWN bounds (B, M) of the pre-activations of hidden layer `number` (from 0)."""
    matrices, bias = weights.layers[number]
    batch = len(relaxed[0].lower)
    a_BQD, constant_BQ = _backward(
        weights,
        {source: torch.cat([matrix, -matrix]).expand(batch, -1, -1) for source, matrix in matrices.items()},
        torch.cat([bias, -bias]).expand(batch, -1),
        relaxed=relaxed,
    )
    lower_B2M = region.minimum(a_BQD) + constant_BQ
    units = len(bias)
    return lower_B2M[:, :units], -lower_B2M[:, units:]


def _backward(
    weights: Weights,
    coefficients: dict[int, Tensor],
    constant_BQ: Tensor,
    *,
    relaxed: Sequence[Relaxation],
    multipliers: Sequence[Multipliers] | None = None,
    scores: list[Tensor] | None = None,
) -> tuple[Tensor, Tensor]:
    """Coefficients (B, Q, D) on x and constants (B, Q) of sound linear lower bounds."""
    for source in range(len(relaxed), 0, -1):
        relaxation, given = relaxed[source - 1], multipliers[source - 1] if multipliers else None
        a_BQM = coefficients.pop(source, constant_BQ.new_zeros(*constant_BQ.shape, relaxation.lower.shape[1]))
        alpha = relaxation.steepest()[:, None] if given is None else given.alpha
        incoming_BQM = a_BQM
        a_BQM, lost_BQM = _through_relu(incoming_BQM, relaxation, alpha)
        if scores is not None:
            scores.append(_score(relaxation, incoming_BQM, lost_BQM))
        if given is not None:
            a_BQM = a_BQM - given.beta * relaxation.signs[:, None]
        constant_BQ = constant_BQ + lost_BQM.sum(dim=-1)
        matrices, bias = weights.layers[source - 1]
        constant_BQ = constant_BQ + a_BQM @ bias
        for earlier, matrix in matrices.items():
            term = a_BQM @ matrix
            coefficients[earlier] = coefficients[earlier] + term if earlier in coefficients else term
    untouched_BQD = constant_BQ.new_zeros(*constant_BQ.shape, weights.network.inputs)
    return coefficients.get(0, untouched_BQD), constant_BQ


def _through_relu(a_BQM: Tensor, relaxation: Relaxation, alpha: Tensor) -> tuple[Tensor, Tensor]:
    """Coefficients on the pre-activation, and the constant (B, Q, M) that each unit's upper line adds (at most 0)."""
    lower, upper = relaxation.lower[:, None], relaxation.upper[:, None]
    on, unstable = lower >= 0, (lower < 0) & (upper > 0)
    width = torch.where(unstable, upper - lower, 1.0)
    slope_up = torch.where(unstable, upper / width, on.to(lower.dtype))
    slope_low = torch.where(unstable, alpha, on.to(lower.dtype))
    intercept = torch.where(unstable, -lower * upper / width, 0.0)
    negative = a_BQM.clamp(max=0)
    return a_BQM.clamp(min=0) * slope_low + negative * slope_up, negative * intercept


def _score(relaxation: Relaxation, a_BQM: Tensor, lost_BQM: Tensor) -> Tensor:
    """How much each unit's relaxation may cost (B, M): above 0 where the unit is unstable, else 0."""
    with torch.no_grad():
        gap = (-relaxation.lower * relaxation.upper / (relaxation.upper - relaxation.lower + GAP)).clamp(min=0)
        cost_BM = (a_BQM.abs() * gap[:, None] * BELOW_SHARE - lost_BQM).sum(dim=1) + GAP
        return torch.where(relaxation.unstable, cost_BM, 0.0)
