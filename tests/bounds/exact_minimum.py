"""The exact smallest largest row of a tiny network over a box: every activation pattern as one linear program."""

from __future__ import annotations

from itertools import product

import numpy as np
from scipy.optimize import linprog

from robustcert.bounds.query import Query


def exact_minimum(query: Query) -> float:
    """By brute force over the signs of all ReLUs, with scipy's linprog; boxes only."""
    network, inputs = query.network, query.network.inputs
    limits = [*zip(query.region.lower.tolist(), query.region.upper.tolist(), strict=True), (None, None)]
    best = np.inf
    for pattern in product((0.0, 1.0), repeat=network.relus):
        matrices, offsets = [np.eye(inputs)], [np.zeros(inputs)]
        conditions, sides, start = [], [], 0
        for layer in network.hidden:
            on = np.array(pattern[start : start + layer.units])
            start += layer.units
            matrix = sum(weight @ matrices[source] for source, weight in layer.weights.items())
            offset = layer.bias + sum(weight @ offsets[source] for source, weight in layer.weights.items())
            sign = 2 * on - 1
            conditions.append(np.c_[-sign[:, None] * matrix, np.zeros(layer.units)])
            sides.append(sign * offset)
            matrices.append(on[:, None] * matrix)
            offsets.append(on * offset)
        rows = sum(weight @ matrices[source] for source, weight in network.output.weights.items())
        row_offsets = network.output.bias + sum(
            weight @ offsets[source] for source, weight in network.output.weights.items()
        )
        conditions.append(np.c_[rows, -np.ones(len(row_offsets))])
        sides.append(-row_offsets)
        found = linprog(np.eye(inputs + 1)[-1], A_ub=np.vstack(conditions), b_ub=np.concatenate(sides), bounds=limits)
        best = min(best, found.fun) if found.status == 0 else best
    return float(best)
