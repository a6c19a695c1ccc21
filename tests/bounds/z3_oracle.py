"""z3 as an oracle for tiny networks: exact rational arithmetic, none of our code."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import z3
from numpy.typing import NDArray

Array = NDArray[np.float64]


def z3_answer(
    layers: Sequence[tuple[Array, Array]],
    *,
    lower: Array,
    upper: Array,
    rows: Array,
    offsets: Array,
    radius: tuple[Array, float] | None = None,
    seconds: float = 5.0,
) -> str:
    """Whether x in the box (and within `radius` = centre, epsilon in l1) has rows @ network(x) + offsets <= 0."""
    solver = z3.Solver()
    solver.set("timeout", int(1000 * seconds))
    values = [z3.Real(f"x{index}") for index in range(len(lower))]
    for value, low, high in zip(values, lower, upper, strict=True):
        solver.add(value >= _exact(low), value <= _exact(high))
    if radius is not None:
        centre, epsilon = radius
        moves = [z3.Real(f"m{index}") for index in range(len(lower))]
        for value, move, middle in zip(values, moves, centre, strict=True):
            solver.add(move >= value - _exact(middle), move >= _exact(middle) - value)
        solver.add(z3.Sum(moves) <= _exact(epsilon))
    for weight, bias in layers[:-1]:
        values = [z3.If(z > 0, z, z3.RealVal(0)) for z in _affine(weight, bias, values)]
    for row in _affine(rows, offsets, _affine(*layers[-1], values)):
        solver.add(row <= 0)
    return {"sat": "found", "unsat": "none"}.get(str(solver.check()), "open")


def _affine(weight: Array, bias: Array, values: Sequence[z3.ArithRef]) -> list[z3.ArithRef]:
    return [
        z3.Sum([_exact(w) * value for w, value in zip(row, values, strict=True) if w]) + _exact(b)
        for row, b in zip(weight, bias, strict=True)
    ]


def _exact(number: float) -> z3.RatNumRef:
    return z3.RealVal(str(Fraction(float(number))))
