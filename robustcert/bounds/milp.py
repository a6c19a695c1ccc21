"""Exact answers by mixed-integer linear programming (Tjeng et al. 2019, arXiv:1711.07356) with scipy's HiGHS.

Per unstable ReLU a >= 0, a >= z, a <= z - l (1 - t), a <= u t with t in {0, 1}; stable ones are linear. `s` is the
largest row and is minimised. Statement: real arithmetic of the float64 network, solver tolerances covered by the
query's tolerance. Not for l2 balls: no answer there.

The solver's tolerances are absolute, so that weights which are small in one layer and large in the next would turn them
into wrong proofs. The program is therefore about inputs in [-1, 1] and units divided by their largest possible value.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp
import torch
from numpy.typing import NDArray
from scipy.optimize import Bounds, LinearConstraint, OptimizeResult, milp

from robustcert.bounds.dense import Array, DenseLayer, DenseNetwork
from robustcert.bounds.dense_linear import Relaxation, Weights, bounded, linear_rows
from robustcert.bounds.input_set import InputSet
from robustcert.bounds.query import Outcome, Query

LEAST_SECONDS = 0.01
FEASIBILITY = 1e-6  # HiGHS's, of every row and variable
INFINITY = np.inf

Mask = NDArray[np.bool_]


def solved_by_milp(query: Query, *, seconds: float) -> Outcome:
    """The answer within `seconds`, or `open` with the best bound so far.

    Every incumbent is tried as a counterexample, also one of a search that ran out of time.
    """
    weights = Weights.of(query.network)
    relaxed, bound = root_bounds(query, weights)
    if bound > query.tolerance:
        return Outcome(answer="none", bound=bound, steps=0)
    if not query.region.complete or seconds < LEAST_SECONDS:
        return Outcome(answer="open", bound=bound, steps=0)
    scaled = Scaled.of(query, relaxed)
    result = _solve(_program(scaled.query, scaled.relaxed, bound=bound), seconds=seconds)
    return _outcome(query, result, scaled=scaled, bound=bound)


def root_bounds(query: Query, weights: Weights) -> tuple[list[Relaxation], float]:
    """Pre-activation bounds without splits, and CROWN's lower bound of the largest row."""
    with torch.no_grad():
        signs = [torch.zeros(1, layer.units, dtype=torch.float64) for layer in query.network.hidden]
        relaxed, _ = bounded(weights, query.region, signs)
        return relaxed, float(linear_rows(weights, query.region, relaxed).lower.max())


@dataclass(frozen=True, kw_only=True)
class Scaled:
    """The same question with x = middle + radius t, t in [-1, 1], and every unit divided by its largest value."""

    query: Query
    relaxed: list[Relaxation]
    middle: Array
    radius: Array

    @classmethod
    def of(cls, query: Query, relaxed: Sequence[Relaxation]) -> Scaled:
        """Fixed inputs become t = 0, units that can only be 0 stay as they are."""
        region = query.region
        middle, radius = ((region.upper + sign * region.lower).numpy() / 2 for sign in (1.0, -1.0))
        radius = np.where(radius > 0, radius, 1.0)
        sizes = [torch.maximum(part.lower.abs(), part.upper.abs())[0].numpy() for part in relaxed]
        sizes = [np.where(size > 0, size, 1.0) for size in sizes]
        parts = [
            replace(part, lower=part.lower / torch.from_numpy(size), upper=part.upper / torch.from_numpy(size))
            for part, size in zip(relaxed, sizes, strict=True)
        ]
        network = _scaled_network(query.network, (radius, *sizes), middle)
        scaled = replace(query, network=network, region=_scaled_region(region, middle, radius))
        return cls(query=scaled, relaxed=parts, middle=middle, radius=radius)

    def point(self, t_D: Array) -> Array:
        """x of t."""
        return np.asarray(self.middle + self.radius * np.clip(t_D, -1.0, 1.0), np.float64)

    @property
    def amplified(self) -> float:
        """What a violation of FEASIBILITY by every value that the rows read may change a row by."""
        parts = [np.abs(weight).sum(axis=1) for weight in self.query.network.output.weights.values()]
        return FEASIBILITY * float(np.max(sum(parts, start=np.zeros(self.query.network.output.units)), initial=0.0))


def _scaled_network(network: DenseNetwork, factors: Sequence[Array], middle: Array) -> DenseNetwork:
    def moved(layer: DenseLayer, size: Array) -> DenseLayer:
        weights = {source: weight * factors[source] / size[:, None] for source, weight in layer.weights.items()}
        offset = layer.weights[0] @ middle if 0 in layer.weights else 0.0
        return DenseLayer(weights=weights, bias=(layer.bias + offset) / size)

    hidden = [moved(layer, factors[source]) for source, layer in network.layers()]
    return replace(network, hidden=tuple(hidden), output=moved(network.output, np.ones(network.output.units)))


def _scaled_region(region: InputSet, middle: Array, radius: Array) -> InputSet:
    lower, upper = (
        (side - torch.from_numpy(middle)) / torch.from_numpy(radius) for side in (region.lower, region.upper)
    )
    if region.centre is None or region.scale is None:
        return replace(region, lower=lower, upper=upper)
    centre = (region.centre - torch.from_numpy(middle)) / torch.from_numpy(radius)
    scale = region.epsilon * region.scale / torch.from_numpy(radius)
    return replace(region, lower=lower, upper=upper, centre=centre, scale=scale, epsilon=1.0)


@dataclass(frozen=True, kw_only=True)
class Program:
    """minimise objective.v subject to rows and limits; the first `inputs` variables are x."""

    objective: Array
    rows: LinearConstraint
    limits: Bounds
    integrality: Array
    inputs: int


def _solve(program: Program, *, seconds: float) -> OptimizeResult:
    return milp(
        program.objective,
        constraints=program.rows,
        bounds=program.limits,
        integrality=program.integrality,
        options={"time_limit": seconds, "mip_rel_gap": 0.0},
    )


def _outcome(query: Query, result: OptimizeResult, *, scaled: Scaled, bound: float) -> Outcome:
    """Trust nothing but a proven dual bound beyond the solver's tolerance, or a point that the model confirms."""
    steps = int(result.mip_node_count or 0)
    dual = result.mip_dual_bound if result.mip_dual_bound is not None else (result.fun if result.status == 0 else None)
    if dual is not None and math.isfinite(dual):
        proven = dual if dual > scaled.amplified else min(dual, query.tolerance)
        bound = max(bound, float(proven))
    witness = None if result.x is None else query.tried(scaled.point(result.x[: query.network.inputs]))
    if witness is not None:
        return Outcome(answer="found", bound=bound, steps=steps, witness=witness)
    return Outcome(answer="none" if bound > query.tolerance else "open", bound=bound, steps=steps)


class _Columns:
    """Where each variable stands: x, every layer's a, every unstable unit's t, the ball's |x - centre|, and s."""

    def __init__(self, query: Query, unstable: list[Mask]) -> None:
        sizes = query.network.sizes
        self.sources = np.cumsum((0, *sizes))
        self.switches = self.sources[-1] + np.cumsum((0, *(int(which.sum()) for which in unstable)))
        self.moves = int(self.switches[-1])
        self.largest = self.moves + (query.network.inputs if query.region.norm == "l1" else 0)
        self.count = self.largest + 1

    def placed(self, parts: dict[int, Array | sp.spmatrix], rows: int) -> sp.csr_matrix:
        """A sparse block of `rows` rows; `parts` gives matrices by the column that they start at."""
        total = sp.csr_matrix((rows, self.count))
        for start, matrix in parts.items():
            block = sp.coo_matrix(matrix)
            total = total + sp.csr_matrix((block.data, (block.row, block.col + start)), shape=(rows, self.count))
        return total


def _program(query: Query, relaxed: list[Relaxation], *, bound: float) -> Program:
    unstable = [relaxation.unstable[0].numpy() for relaxation in relaxed]
    columns = _Columns(query, unstable)
    lower, upper = np.full(columns.count, -INFINITY), np.full(columns.count, INFINITY)
    lower[: query.network.inputs], upper[: query.network.inputs] = query.region.lower, query.region.upper
    blocks: list[LinearConstraint] = []
    for source, layer in query.network.layers():
        here, relaxation = slice(columns.sources[source], columns.sources[source + 1]), relaxed[source - 1]
        lower[here] = relaxation.lower[0].clamp(min=0).numpy()
        upper[here] = relaxation.upper[0].clamp(min=0).numpy()
        blocks += _layer_rows(columns, source, layer, relaxation, unstable[source - 1])
    lower[columns.switches[0] : columns.moves], upper[columns.switches[0] : columns.moves] = 0.0, 1.0
    blocks += _ball_rows(columns, query.region, lower=lower)
    lower[columns.largest] = bound
    blocks.append(_largest_row(columns, query.network.output))
    objective, integrality = np.zeros(columns.count), np.zeros(columns.count)
    objective[columns.largest] = 1.0
    integrality[columns.switches[0] : columns.moves] = 1
    rows = LinearConstraint(
        sp.vstack([block.A for block in blocks], format="csr"),
        np.concatenate([block.lb for block in blocks]),
        np.concatenate([block.ub for block in blocks]),
    )
    limits = Bounds(lower, upper)
    return Program(objective=objective, rows=rows, limits=limits, integrality=integrality, inputs=query.network.inputs)


def _layer_rows(
    columns: _Columns, source: int, layer: DenseLayer, relaxation: Relaxation, unstable: Mask
) -> list[LinearConstraint]:
    """a - W a_earlier against the bias: equal where the unit is on, between the two lines where it is unstable."""
    units, start = layer.units, int(columns.sources[source])
    parts = {int(columns.sources[earlier]): -matrix for earlier, matrix in layer.weights.items()}
    difference = columns.placed({**parts, start: sp.identity(units)}, units)
    on = ~unstable & (relaxation.lower[0].numpy() >= 0)
    chosen = np.flatnonzero(unstable)
    low, high = relaxation.lower[0].numpy()[chosen], relaxation.upper[0].numpy()[chosen]
    switch, bias = int(columns.switches[source - 1]), layer.bias
    below = columns.placed({switch: sp.diags(-low)}, len(chosen)) if len(chosen) else None
    rows = [LinearConstraint(difference[on], bias[on], bias[on])]
    if below is not None:
        units_of = columns.placed({start: sp.identity(units)}, units)[chosen]
        above = units_of - columns.placed({switch: sp.diags(high)}, len(chosen))
        unbounded = np.full(len(chosen), INFINITY)
        rows += [
            LinearConstraint(difference[chosen], bias[chosen], unbounded),
            LinearConstraint(difference[chosen] + below, -unbounded, bias[chosen] - low),
            LinearConstraint(above, -unbounded, np.zeros(len(chosen))),
        ]
    return rows


def _ball_rows(columns: _Columns, region: InputSet, *, lower: Array) -> list[LinearConstraint]:
    """m >= +-(x - centre) / scale and sum m <= epsilon for an l1 ball; a coordinate with scale 0 does not move."""
    if region.norm != "l1" or region.centre is None or region.scale is None:
        return []
    lower[columns.moves : columns.largest] = 0.0
    scale, centre = region.scale.numpy(), region.centre.numpy()
    inverse = np.divide(1.0, scale, out=np.zeros_like(scale), where=scale > 0)
    count, unbounded = len(scale), np.full(len(scale), INFINITY)
    moves = {columns.moves: sp.identity(count)}
    up = columns.placed({0: sp.diags(-inverse), **moves}, count)
    down = columns.placed({0: sp.diags(inverse), **moves}, count)
    total = columns.placed({columns.moves: np.ones((1, count))}, 1)
    return [
        LinearConstraint(up, -inverse * centre, unbounded),
        LinearConstraint(down, inverse * centre, unbounded),
        LinearConstraint(total, np.array([-INFINITY]), np.array([region.epsilon])),
    ]


def _largest_row(columns: _Columns, output: DenseLayer) -> LinearConstraint:
    """s >= every row."""
    parts = {int(columns.sources[source]): -matrix for source, matrix in output.weights.items()}
    rows = columns.placed({**parts, columns.largest: np.ones((output.units, 1))}, output.units)
    return LinearConstraint(rows, output.bias, np.full(output.units, INFINITY))
