"""How far perturbed inputs really lie from their originals, in float64 and without the attacks' own arithmetic.

Shapes: R rows, *shape one input. `x_adv` is float32 as the model saw it, `x` float64. No torch here: an auditor too
measures. A coordinate whose float32 value is that of `x` has not moved.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robustcert.threat_model import Norm

RELATIVE_SLACK = 1e-6
ABSOLUTE_SLACK = 1e-9

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]


def distances(x_adv: Float32, x: Float64, *, scale: Float64, norm: Norm) -> Float64:
    """Float64 (R,): norm of (x_adv - x) / scale; infinite where a coordinate with scale 0 moved or is not a number."""
    moved = np.where(x_adv == x.astype(np.float32), 0.0, np.abs(x_adv.astype(np.float64) - x))
    with np.errstate(divide="ignore"):
        ratios = np.divide(moved, np.broadcast_to(scale, moved.shape), out=np.zeros_like(moved), where=moved != 0)
    ratios = np.nan_to_num(_flat(ratios), nan=np.inf, posinf=np.inf)
    order = np.inf if norm == "linf" else 2
    return np.asarray(np.linalg.norm(ratios, ord=order, axis=1), np.float64)


def within(distance: Float64, epsilon: float) -> NDArray[np.bool_]:
    """Bool (R,): distance at most epsilon * (1 + 1e-6) + 1e-9."""
    return distance <= epsilon * (1 + RELATIVE_SLACK) + ABSOLUTE_SLACK


def legal(x_adv: Float32, x: Float64, *, lower: Float64, upper: Float64) -> NDArray[np.bool_]:
    """Bool (R,): every moved coordinate lies within [lower, upper]."""
    point = x_adv.astype(np.float64)
    inside = ((point >= lower) & (point <= upper)) | (x_adv == x.astype(np.float32))
    return np.asarray(_flat(inside).all(axis=1))


def _flat(values: NDArray[Any]) -> NDArray[Any]:
    """(R, *shape) as (R, D); unlike reshape(R, -1) also where R is 0."""
    return values.reshape(len(values), math.prod(values.shape[1:]))
