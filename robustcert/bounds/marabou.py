"""A second opinion by Marabou (Katz et al. 2019; Wu et al. 2024, arXiv:2401.14461), where maraboupy is installed.

Only its solver is used, never its readers of networks, so that it is asked about exactly the dense network that our
verifiers see. Its counterexamples are replayed; its unsat is an opinion and proves nothing here.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType
from typing import Any

import numpy as np

from robustcert.bounds.dense import DenseLayer
from robustcert.bounds.query import Outcome, Query
from robustcert.errors import InputError, ValidityError, expected

REMEDY = "use neither answer, and report this with network and property"


def solved_by_marabou(query: Query, *, seconds: float) -> Outcome:
    """`found` with a replayed counterexample, `none` for Marabou's unsat (bound 0: an opinion), `open` otherwise.

    Boxes only; InputError where maraboupy is not installed, or the set is another.
    """
    if query.region.norm != "linf":
        raise InputError(expected("a box for Marabou", got=query.region.norm, remedy="leave the second opinion out"))
    core = _core()
    program = _asked(core, query)
    options = core.Options()
    options._verbosity, options._timeoutInSeconds, options._numWorkers = 0, max(1, round(seconds)), 1
    answer, values, _ = core.solve(program, options, "")
    if answer == "unsat":
        return Outcome(answer="none", bound=0.0, steps=0)
    witness = _replayed(query, values) if answer == "sat" else None
    return Outcome(answer="open" if witness is None else "found", bound=-np.inf, steps=0, witness=witness)


def refuse_disagreement(query: Query, ours: Outcome, other: Outcome) -> None:
    """ValidityError where a replayed counterexample meets our proof, or Marabou's unsat a clear counterexample.

    A counterexample whose largest row lies within the tolerance of 0 is not clear: arithmetic may differ there.
    """
    if ours.answer == "none" and other.answer == "found":
        got = f"our lower bound {ours.bound:.6g} and a counterexample of Marabou"
        raise ValidityError(expected("two verifiers that agree", got=got, remedy=REMEDY))
    if ours.answer == "found" and other.answer == "none" and ours.witness is not None:
        largest = float(query.network.forward(ours.witness[None].astype(np.float64)).max())
        if largest < -query.tolerance:
            got = f"our counterexample, {-largest:.6g} below 0, and Marabou's unsat"
            raise ValidityError(expected("two verifiers that agree", got=got, remedy=REMEDY))


def _core() -> ModuleType:
    try:
        from maraboupy import MarabouCore
    except ImportError as error:
        remedy = "install maraboupy, or leave the second opinion out"
        raise InputError(expected("the package maraboupy", got=error, remedy=remedy)) from error
    found: ModuleType = MarabouCore
    return found


def _asked(core: Any, query: Query) -> Any:
    """Variables: x, then z and a of each layer, then the rows, all of them at most 0."""
    program, network = core.InputQuery(), query.network
    program.setNumberOfVariables(network.inputs + 2 * network.relus + network.output.units)
    sources = [list(range(network.inputs))]
    for index, (low, high) in enumerate(zip(query.region.lower.tolist(), query.region.upper.tolist(), strict=True)):
        program.setLowerBound(index, low)
        program.setUpperBound(index, high)
        program.markInputVariable(index, index)
    free = network.inputs
    for layer in network.hidden:
        before, after = range(free, free + layer.units), range(free + layer.units, free + 2 * layer.units)
        _equations(core, program, layer, sources, before)
        for z, a in zip(before, after, strict=True):
            core.addReluConstraint(program, z, a)
            program.setLowerBound(a, 0.0)
        sources.append(list(after))
        free += 2 * layer.units
    rows = range(free, free + network.output.units)
    _equations(core, program, network.output, sources, rows)
    for number, row in enumerate(rows):
        program.setUpperBound(row, 0.0)
        program.markOutputVariable(row, number)
    return program


def _equations(core: Any, program: Any, layer: DenseLayer, sources: list[list[int]], targets: range) -> None:
    """target = W sources + bias, one equation a unit."""
    for unit, target in enumerate(targets):
        equation = core.Equation()
        equation.addAddend(-1.0, target)
        for source, weight in layer.weights.items():
            for column in np.flatnonzero(weight[unit]):
                equation.addAddend(float(weight[unit, column]), sources[source][column])
        equation.setScalar(-float(layer.bias[unit]))
        program.addEquation(equation)


def _replayed(query: Query, values: Mapping[int, float]) -> Any:
    point_D = np.array([values[index] for index in range(query.network.inputs)])
    return query.confirm(point_D)
