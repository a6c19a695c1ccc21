"""Files that travel between verifiers: properties and verdicts written and read, counterexamples as in VNN-COMP.

Brix et al. 2023, "First three years of the international verification of neural networks competition (VNN-COMP)",
section 3: a verdict file's first line is sat, unsat, unknown or timeout; after sat stand ((X_0 v) ... (Y_0 v) ...).
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from robustcert.bounds.dense import Array
from robustcert.bounds.property_proof import NetAnswer, PropertyAnswer, PropertyTarget, in_box
from robustcert.bounds.vnnlib import MOST_BYTES, NUMBER, Property
from robustcert.errors import InputError, ValidityError, expected

ANSWERS: dict[str, NetAnswer] = {
    "sat": "sat",
    "unsat": "unsat",
    "unknown": "unknown",
    "timeout": "timeout",
    "violated": "sat",
    "holds": "unsat",
}
PAIR = re.compile(r"\(\s*([XY])_([0-9]{1,9})\s+([^\s()]+)\s*\)")


@dataclass(frozen=True, kw_only=True)
class SolverVerdict:
    """What an external solver said; `inputs` (D,) float64 as written, None where it gave none."""

    answer: NetAnswer
    inputs: Array | None = None


def property_text(lower_D: Array, upper_D: Array, *, label: int, n_classes: int) -> str:
    """The property that another class than `label` reaches at least its logit somewhere in the box."""
    lines = [f"; a counterexample is an input of the box that is not classified as class {label}"]
    lines += [f"(declare-const X_{index} Real)" for index in range(len(lower_D))]
    lines += [f"(declare-const Y_{index} Real)" for index in range(n_classes)]
    for index, (low, high) in enumerate(zip(lower_D.tolist(), upper_D.tolist(), strict=True)):
        lines += [f"(assert (>= X_{index} {decimal(low)}))", f"(assert (<= X_{index} {decimal(high)}))"]
    others = [f"(and (>= Y_{other} Y_{label}))" for other in range(n_classes) if other != label]
    return "\n".join([*lines, f"(assert (or {' '.join(others)}))"]) + "\n"


def decimal(value: float) -> str:
    """The shortest decimal that reads back as the same float64, without an exponent.

    >>> decimal(0.1), decimal(-1e-7)
    ('0.1', '-0.0000001')
    """
    return np.format_float_positional(value, trim="0")


def verdict_text(answer: PropertyAnswer) -> str:
    """The verdict file: the answer, and after sat the counterexample."""
    if answer.inputs is None or answer.outputs is None:
        return f"{answer.answer}\n"
    pairs = [("X", answer.inputs), ("Y", answer.outputs)]
    lines = [
        f"({kind}_{index} {decimal(float(value))})" for kind, values in pairs for index, value in enumerate(values)
    ]
    return "sat\n(" + "\n".join(lines) + ")\n"


def read_verdict(text: str, *, source: str, inputs: int) -> SolverVerdict:
    """An external solver's verdict; InputError where it is none, or its counterexample lacks an input."""
    first, _, rest = text.strip().partition("\n")
    if len(text) > MOST_BYTES or first.strip().lower() not in ANSWERS:
        what, got = f"a verdict in {source}", repr(first[:40])
        raise InputError(expected(what, got=got, remedy="its first line is sat, unsat, unknown or timeout"))
    answer = ANSWERS[first.strip().lower()]
    if answer != "sat" or not rest.strip():
        return SolverVerdict(answer=answer)
    found = {int(index): _number(value, source=source) for kind, index, value in PAIR.findall(rest) if kind == "X"}
    if set(found) != set(range(inputs)):
        what, got = f"a counterexample of {inputs} inputs in {source}", f"{len(found)}"
        raise InputError(expected(what, got=got, remedy="give the file of this network and property"))
    return SolverVerdict(answer=answer, inputs=np.array([found[index] for index in range(inputs)]))


def replayed(target: PropertyTarget, wanted: Property, verdict: SolverVerdict) -> PropertyAnswer:
    """An external sat, evaluated by the deployed model; ValidityError where its input is no counterexample there.

    Other answers come back as they are: nothing of them can be replayed.
    """
    if verdict.answer != "sat":
        return PropertyAnswer(answer=verdict.answer, reason="an answer without a counterexample to replay")
    if verdict.inputs is None:
        return PropertyAnswer(answer="unknown", reason="sat without a counterexample")
    point: NDArray[np.float32] = verdict.inputs.astype(np.float32)
    if any(target.holds(case, point) for case in wanted.cases):
        return PropertyAnswer(answer="sat", inputs=point, outputs=target.output(point))
    inside = any(in_box(point, case) for case in wanted.cases)
    got = "outputs that do not hold the property" if inside else "an input outside every box"
    raise ValidityError(expected("a counterexample", got=got, remedy="do not trust that verdict"))


def _number(word: str, *, source: str) -> float:
    value = float(word) if NUMBER.fullmatch(word) else math.nan
    if not math.isfinite(value):
        raise InputError(expected(f"numbers in {source}", got=repr(word[:40]), remedy="write finite decimals"))
    return value
