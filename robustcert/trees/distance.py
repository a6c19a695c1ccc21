"""How far the nearest adversarial input of a tree ensemble is in linf, by bisection between proof and witness.

Shapes: D features. Every step is one verification: `verified` is proved, `falsified` has its witness, and the true
distance lies in between; witnesses shorten the interval by more than half where they lie nearer than the middle.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robustcert.errors import InputError, expected
from robustcert.trees.ensemble import TreeEnsemble
from robustcert.trees.verify import TreeVerdict, verify_sample

MOST_STEPS = 200


@dataclass(frozen=True, kw_only=True)
class Distance:
    """In units of `scale`: no adversarial input within `verified` (None: not even at 0), one at `falsified` or nearer.

    `falsified` and `witness` are None where none was found; `settled` is false where a verdict in between was unknown.
    """

    verified: float | None
    falsified: float | None
    witness: NDArray[np.float64] | None = field(repr=False)
    settled: bool


def adversarial_distance(
    ensemble: TreeEnsemble,
    x_D: NDArray[np.float64],
    label: int,
    *,
    scale_D: NDArray[np.float64],
    most: float,
    tolerance: float = 1e-4,
    **how: Any,
) -> Distance:
    """The linf distance to the nearest input of another class, up to `most`, within a relative `tolerance`.

    `scale_D` is 0 for immutable features; `how` goes to `verify_sample` (domain, predict, effort).
    """
    if not (most > 0 and 0 < tolerance < 1):
        got = f"{most} and {tolerance}"
        raise InputError(expected("a distance above 0 and a tolerance below 1", got=got, remedy="correct them"))

    def verdict_at(epsilon: float) -> TreeVerdict:
        return verify_sample(ensemble, x_D, label, epsilon * scale_D, **how)

    found, middle = verdict_at(most), most
    if found.verdict == "wrong":
        return Distance(verified=None, falsified=0.0, witness=x_D, settled=True)
    low, open_, high, settled = 0.0, most, math.inf, True
    witness: NDArray[np.float64] | None = None
    for _ in range(MOST_STEPS):
        if found.verdict == "verified":
            low = middle
        elif found.witness is not None:
            witness, high = found.witness, _reach(found.witness, x_D, scale_D)
            open_ = min(middle, high)
        else:
            settled, open_ = False, middle
        if open_ - low <= tolerance * open_:
            break
        middle = low + (open_ - low) / 2
        found = verdict_at(middle)
    return Distance(verified=low, falsified=None if witness is None else high, witness=witness, settled=settled)


def _reach(witness_D: NDArray[np.float64], x_D: NDArray[np.float64], scale_D: NDArray[np.float64]) -> float:
    """An epsilon whose ball holds the witness: its distance in units of scale, rounded up."""
    free = scale_D > 0
    return float(np.nextafter(np.max(np.abs(witness_D - x_D)[free] / scale_D[free], initial=0.0), np.inf))
