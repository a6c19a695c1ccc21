"""A leaf of branch and bound: every ReLU's sign is known, so the network is affine and a linear program is left.

Its bound is not the solver's: from the solver's multipliers, weak duality gives a bound that holds for any multipliers
of the right sign (Neumaier and Shcherbina 2004, section 3), evaluated here in float64.

Shapes: D flattened input values, Q rows, S splits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy.optimize import linprog

from robustcert.bounds.dense import Array, DenseLayer, DenseNetwork
from robustcert.bounds.dense_linear import Relaxation
from robustcert.bounds.input_set import InputSet


@dataclass(frozen=True, kw_only=True)
class Leaf:
    """minimise max(rows.x + row_offsets) subject to signs.x + sign_offsets >= 0: affine in x (D,)."""

    rows: Array
    row_offsets: Array
    signs: Array
    sign_offsets: Array


@dataclass(frozen=True, kw_only=True)
class SolvedLeaf:
    """A proven lower bound, and the point that the solver found; None where it found none."""

    bound: float
    point: Array | None


def leaf_of(network: DenseNetwork, relaxed: Sequence[Relaxation]) -> Leaf:
    """The leaf that bounds (1, M) per layer describe; a unit with lower < 0 counts as off."""
    matrices: list[Array] = [np.eye(network.inputs)]
    offsets: list[Array] = [np.zeros(network.inputs)]
    signs: list[Array] = [np.zeros((0, network.inputs))]
    sign_offsets: list[Array] = [np.zeros(0)]
    for layer, relaxation in zip(network.hidden, relaxed, strict=True):
        matrix, offset = _composed(layer, matrices, offsets)
        on = relaxation.lower[0].numpy() >= 0
        split = relaxation.signs[0].numpy()
        chosen = np.flatnonzero(split)
        signs.append(split[chosen, None] * matrix[chosen])
        sign_offsets.append(split[chosen] * offset[chosen])
        matrices.append(matrix * on[:, None])
        offsets.append(offset * on)
    rows, row_offsets = _composed(network.output, matrices, offsets)
    return Leaf(
        rows=rows, row_offsets=row_offsets, signs=np.concatenate(signs), sign_offsets=np.concatenate(sign_offsets)
    )


def solved_leaf(leaf: Leaf, region: InputSet) -> SolvedLeaf:
    """The leaf's bound over the set (for l2: over the box around it, then bounded over the ball)."""
    inputs, rows, splits = leaf.rows.shape[1], len(leaf.rows), len(leaf.signs)
    above = np.hstack([leaf.rows, -np.ones((rows, 1))])
    sides = np.hstack([-leaf.signs, np.zeros((splits, 1))])
    limits = [*zip(region.lower.tolist(), region.upper.tolist(), strict=True), (None, None)]
    result = linprog(
        np.eye(inputs + 1)[-1],
        A_ub=np.vstack([above, sides]),
        b_ub=np.concatenate([-leaf.row_offsets, leaf.sign_offsets]),
        bounds=limits,
        method="highs",
    )
    if result.status == 2:  # infeasible: no multipliers to recompute a bound from; find those of the nearest violation
        return SolvedLeaf(bound=_emptiness(leaf, region), point=None)
    if result.x is None:
        return SolvedLeaf(bound=-np.inf, point=None)
    multipliers = np.maximum(-result.ineqlin.marginals, 0.0)
    return SolvedLeaf(bound=dual_bound(leaf, region, multipliers), point=np.asarray(result.x[:inputs], np.float64))


def dual_bound(leaf: Leaf, region: InputSet, multipliers: Array) -> float:
    """min over the set of weights.(rows x + offsets) - beta.(signs x + offsets): a bound for any beta >= 0.

    The first Q multipliers are the rows' weights, scaled to sum to 1; the others are beta.
    """
    weights, beta = multipliers[: len(leaf.rows)], multipliers[len(leaf.rows) :]
    total = float(weights.sum())
    weights = weights / total if total > 0 else np.full(len(weights), 1.0 / len(weights))
    slope = weights @ leaf.rows - beta @ leaf.signs
    constant = float(weights @ leaf.row_offsets - beta @ leaf.sign_offsets)
    return float(region.minimum(torch.from_numpy(slope)[None, None])[0, 0]) + constant


def _emptiness(leaf: Leaf, region: InputSet) -> float:
    """Infinity where the splits are shown to exclude each other in the set, else minus infinity.

    By Farkas: weights >= 0 with max over the set of weights.(signs x + offsets) < 0.
    """
    inputs, splits = leaf.rows.shape[1], len(leaf.signs)
    result = linprog(
        np.eye(inputs + 1)[-1],
        A_ub=np.hstack([-leaf.signs, -np.ones((splits, 1))]),
        b_ub=leaf.sign_offsets,
        bounds=[*zip(region.lower.tolist(), region.upper.tolist(), strict=True), (None, None)],
        method="highs",
    )
    if result.x is None:
        return -np.inf
    weights = np.maximum(-result.ineqlin.marginals, 0.0)
    largest = -float(region.minimum(torch.from_numpy(-(weights @ leaf.signs))[None, None])[0, 0])
    return np.inf if largest + float(weights @ leaf.sign_offsets) < 0 else -np.inf


def _composed(layer: DenseLayer, matrices: Sequence[Array], offsets: Sequence[Array]) -> tuple[Array, Array]:
    matrix = np.zeros((layer.units, matrices[0].shape[1]))
    offset = layer.bias.copy()
    for source, weight in layer.weights.items():
        matrix, offset = matrix + weight @ matrices[source], offset + weight @ offsets[source]
    return matrix, offset
