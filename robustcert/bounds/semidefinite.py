"""Semidefinite lower bounds of small ReLU networks, as proofs: only a dual-feasible value counts. Research extra `sdp`.

Raghunathan, Steinhardt and Liang (2018), "Semidefinite relaxations for certifying robustness to adversarial examples",
section 4. Shapes: layers W_OI, b_O with ReLU between; x in lower ... upper (D,); one row c_K of the specification; m
constraints; S = 1 + D + hidden neurons, the side of P = [1; x0; x1 ...][1; x0; x1 ...]^T, relaxed to P >= 0, P_00 = 1.

Every constraint is <A_i, P> >= 0. For multipliers y_i >= 0 and any number t, <C, P> = t + <C - t E_00 - sum y_i A_i, P>
+ sum y_i <A_i, P> >= t + min(0, lambda_min(slack)) * trace(P), and trace(P) is bounded by the ranges of the neurons. So
whatever a solver returns is a bound once its multipliers are made non-negative and its slack's least eigenvalue is paid
for; a solver that has not converged gives a worse bound, never a wrong one. float64; ERROR pays for rounding.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robustcert.errors import InputError, expected
from robustcert.extras import require_modules

ERROR = 1e-12  # of the size of everything that was added up; sums of at most 1e4 float64 products stay well below
MOST_SIDE = 160
SOLVERS = ("CLARABEL", "SCS")

Array = NDArray[np.float64]
Layers = Sequence[tuple[Array, Array]]


@dataclass(frozen=True, kw_only=True)
class SemidefiniteBound:
    """Lower bounds of c.logits over the box: `dual` by the relaxation, `interval` by interval arithmetic.

    `least_eigenvalue` of the slack and `trace` say what the dual bound was charged: max(0, -eigenvalue) * trace.
    """

    dual: float
    interval: float
    least_eigenvalue: float
    trace: float

    @property
    def bound(self) -> float:
        """The better of the two: both are proofs."""
        return max(self.dual, self.interval)


def semidefinite_bound(
    layers: Layers, lower_D: Array, upper_D: Array, c_K: Array, *, solver: str = "CLARABEL"
) -> SemidefiniteBound:
    """A proved lower bound of c.f(x) for x in the box; InputError without cvxpy or for more than 160 rows.

    `solver` is CLARABEL (interior point, exact, to about 60 rows) or SCS (first order, larger, looser).
    """
    _require_question(layers, lower_D, upper_D, c_K, solver=solver)
    ranges = _ranges(layers, lower_D, upper_D)
    constraints = _constraints(layers, ranges)
    objective = _objective(layers, c_K, side=constraints.shape[1])
    multipliers, offset = _multipliers(objective, constraints, solver=solver)
    slack = objective - np.tensordot(multipliers, constraints, axes=1)
    slack[0, 0] -= offset
    size = np.abs(objective).sum() + float(multipliers @ np.abs(constraints).sum(axis=(1, 2))) + abs(offset)
    least = float(np.linalg.eigvalsh((slack + slack.T) / 2)[0]) - ERROR * size
    trace = 1.0 + sum(float((np.maximum(low**2, high**2)).sum()) for low, high in ranges)
    dual = offset + min(0.0, least) * trace * (1 + ERROR) - ERROR * abs(offset)
    interval = _interval_bound(layers, ranges, c_K)
    return SemidefiniteBound(dual=float(dual), interval=interval, least_eigenvalue=least, trace=trace)


def _ranges(layers: Layers, lower_D: Array, upper_D: Array) -> list[tuple[Array, Array]]:
    """Ranges of the input and of every hidden layer after its ReLU, by interval arithmetic, widened for rounding."""
    ranges = [(lower_D.astype(np.float64), upper_D.astype(np.float64))]
    for weight, bias in layers[:-1]:
        low, high = _affine(weight, bias, *ranges[-1])
        ranges.append((np.maximum(low, 0.0), np.maximum(high, 0.0)))
    return ranges


def _affine(weight: Array, bias: Array, low: Array, high: Array) -> tuple[Array, Array]:
    up, down = np.maximum(weight, 0.0), np.minimum(weight, 0.0)
    slack = ERROR * (np.abs(weight) @ np.maximum(np.abs(low), np.abs(high)) + np.abs(bias))
    return up @ low + down @ high + bias - slack, up @ high + down @ low + bias + slack


def _interval_bound(layers: Layers, ranges: list[tuple[Array, Array]], c_K: Array) -> float:
    weight, bias = layers[-1]
    low, _ = _affine((c_K @ weight)[None], np.atleast_1d(c_K @ bias), *ranges[-1])
    size = float(
        np.abs(c_K) @ (np.abs(weight) @ np.maximum(np.abs(ranges[-1][0]), np.abs(ranges[-1][1])) + np.abs(bias))
    )
    return float(low[0]) - ERROR * size


def _constraints(layers: Layers, ranges: list[tuple[Array, Array]]) -> Array:
    """The matrices A_i (m, S, S), symmetric, of <A_i, P> >= 0."""
    starts = np.cumsum([1, *(len(low) for low, _ in ranges)])
    found = []
    for start, (low, high) in zip(starts[:-1], ranges, strict=True):
        for j, (a, b) in enumerate(zip(low.tolist(), high.tolist(), strict=True)):
            found.append(_matrix(starts[-1], {(start + j, start + j): -1.0, (0, start + j): a + b, (0, 0): -a * b}))
    for layer, (weight, bias) in enumerate(layers[:-1]):
        before, after = starts[layer], starts[layer + 1]
        for k, (row, b) in enumerate(zip(weight.tolist(), bias.tolist(), strict=True)):
            out = after + k
            inputs = {(before + j, out): value for j, value in enumerate(row)}
            linear = {(0, before + j): -value for j, value in enumerate(row)}
            equal = _matrix(starts[-1], {**inputs, (0, out): b, (out, out): -1.0})
            found += [_matrix(starts[-1], {(0, out): 1.0}), _matrix(starts[-1], {**linear, (0, out): 1.0, (0, 0): -b})]
            found += [equal, -equal]
    return np.array(found)


def _matrix(side: int, terms: dict[tuple[int, int], float]) -> Array:
    """The symmetric A with <A, P> = sum of coefficient * P[i, j]."""
    matrix = np.zeros((side, side))
    for (i, j), value in terms.items():
        matrix[i, j] += value / 2
        matrix[j, i] += value / 2
    return matrix


def _objective(layers: Layers, c_K: Array, *, side: int) -> Array:
    weight, bias = layers[-1]
    start = side - weight.shape[1]
    terms = {(0, start + j): value for j, value in enumerate((c_K @ weight).tolist())}
    return _matrix(side, {**terms, (0, 0): float(c_K @ bias)})


def _multipliers(objective: Array, constraints: Array, *, solver: str) -> tuple[Array, float]:
    """Multipliers of the dual, made non-negative, and t; 0 where the solver gave nothing of use."""
    import cvxpy as untyped

    cvxpy: Any = untyped

    side = len(objective)
    y, t = cvxpy.Variable(len(constraints), nonneg=True), cvxpy.Variable()
    corner = np.zeros((side, side))
    corner[0, 0] = 1.0
    weighted = cvxpy.reshape(constraints.reshape(len(constraints), -1).T @ y, (side, side), order="C")
    problem = cvxpy.Problem(cvxpy.Maximize(t), [objective - t * corner - weighted >> 0])
    try:
        problem.solve(solver=solver)
    except cvxpy.SolverError:
        return np.zeros(len(constraints)), 0.0
    if y.value is None or t.value is None or not (np.isfinite(y.value).all() and np.isfinite(t.value)):
        return np.zeros(len(constraints)), 0.0
    return np.maximum(np.asarray(y.value, dtype=np.float64), 0.0), float(t.value)


def _require_question(layers: Layers, lower_D: Array, upper_D: Array, c_K: Array, *, solver: str) -> None:
    require_modules("cvxpy")
    widths = [len(lower_D), *(len(bias) for _, bias in layers)]
    shapes = [(weight.shape, bias.shape) for weight, bias in layers]
    fits = bool(shapes) and shapes == [((o, i), (o,)) for i, o in pairwise(widths)]
    side = 1 + sum(widths[:-1])
    faults = (
        (not fits or c_K.shape != (widths[-1],), "layers that fit one another", str(shapes)),
        (upper_D.shape != lower_D.shape or not bool((lower_D <= upper_D).all()), "lower <= upper", "another box"),
        (side > MOST_SIDE, f"at most {MOST_SIDE} inputs and neurons", str(side)),
        (solver not in SOLVERS, f"a solver of {', '.join(SOLVERS)}", solver),
    )
    for fault, what, got in faults:
        if fault:
            raise InputError(expected(what, got=got, remedy="pass dense layers of a small network"))
