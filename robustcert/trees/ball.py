"""The linf box around one sample in floating point, exactly: every float64 input of the ball, and no other.

Shapes: D features. |x'_i - x_i| <= epsilon_i and lower_i <= x'_i <= upper_i. x - epsilon and x + epsilon are rounded
toward x where they are no float64, by the error of the sum (Knuth's two-sum), so that a witness always lies within.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from robustcert.errors import InputError, expected
from robustcert.trees.ensemble import TreeEnsemble


@dataclass(frozen=True, kw_only=True)
class Box:
    """x, lower, upper: float64 (D,), the least and greatest inputs of the ball; cells likewise, int32 (D,)."""

    x: NDArray[np.float64]
    lower: NDArray[np.float64]
    upper: NDArray[np.float64]
    x_cell: NDArray[np.int32]
    lower_cell: NDArray[np.int32]
    upper_cell: NDArray[np.int32]


def box_around(
    ensemble: TreeEnsemble,
    x_D: NDArray[np.float64],
    epsilon_D: NDArray[np.float64],
    *,
    lower_D: NDArray[np.float64] | float = -np.inf,
    upper_D: NDArray[np.float64] | float = np.inf,
) -> Box:
    """The box of `epsilon_D` (0: immutable) around `x_D` within the domain `lower_D` ... `upper_D`."""
    if not (np.isfinite(epsilon_D).all() and (epsilon_D >= 0).all() and epsilon_D.shape == x_D.shape):
        remedy = "give a number of 0 or more per feature"
        raise InputError(expected("a finite epsilon per feature", got=f"{epsilon_D.shape} numbers", remedy=remedy))
    if (x_D < lower_D).any() or (x_D > upper_D).any():
        raise InputError(expected("a sample within its domain", got="one outside", remedy="correct the domain"))
    low_D = np.maximum(-_toward(-x_D, epsilon_D), lower_D)
    high_D = np.minimum(_toward(x_D, epsilon_D), upper_D)
    x_cell, lower_cell, upper_cell = ensemble.cells(np.stack((x_D, low_D, high_D)))
    return Box(x=x_D, lower=low_D, upper=high_D, x_cell=x_cell, lower_cell=lower_cell, upper_cell=upper_cell)


def input_in(
    ensemble: TreeEnsemble, box: Box, first_D: NDArray[np.int32], last_D: NDArray[np.int32]
) -> NDArray[np.float64]:
    """The input of `box` nearest to x whose cells lie in first ... last (each D, within those of the box)."""
    found = box.x.copy()
    for d in np.flatnonzero((box.x_cell < first_D) | (box.x_cell > last_D)):
        cuts = ensemble.cuts[d]
        if box.x_cell[d] < first_D[d]:
            value = _next_up(float(cuts[first_D[d] - 1]), ensemble.arithmetic.inputs)
        else:
            value = float(cuts[last_D[d]])
        found[d] = min(max(value, box.lower[d]), box.upper[d])
    return found


def _toward(x: NDArray[np.float64], epsilon: NDArray[np.float64]) -> NDArray[np.float64]:
    """The greatest float64 that is at most x + epsilon exactly."""
    total = x + epsilon
    part = total - x
    error = (x - (total - part)) + (epsilon - part)
    return np.where(error < 0, np.nextafter(total, -np.inf), total)


def _next_up(value: float, precision: str) -> float:
    """The least number of `precision` above `value`, which is one."""
    if precision == "float32":
        return float(np.nextafter(np.float32(value), np.float32(np.inf)))
    return float(np.nextafter(value, np.inf))
