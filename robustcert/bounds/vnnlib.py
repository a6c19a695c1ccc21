"""VNN-LIB 1.0: what a property file asserts about inputs X_i and outputs Y_j, read without running anything.

Demarchi, Guidotti, Pulina and Tacchella 2023, "Supporting Standardization of Neural Networks Verification with VNN-LIB
and CoCoNet", sections 3 and 4. Read here: declare-const, and assert with and, or, <=, >= between variables and numbers.
The file describes counterexamples: it is satisfiable where an input in a box leads to outputs that hold all atoms.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from robustcert.errors import InputError, ModelError, expected

MOST_BYTES = 1 << 26
MOST_TOKENS = 5_000_000
MOST_DEPTH = 64
MOST_CASES = 20_000
MOST_ATOMS = 4_000_000
TOKEN = re.compile(r"\s+|;[^\n]*|(?P<token>[()]|[^\s();]+)")
VARIABLE = re.compile(r"([XY])_([0-9]{1,9})")
NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,4})?")
REMEDY = "write the property in VNN-LIB 1.0"

Expression = str | list["Expression"]


class UnsupportedProperty(ModelError):  # noqa: N818 - the name says what was met, as the verdict does
    """A part of VNN-LIB that is not read here; `operator` names it. The answer about such a file is unknown."""

    def __init__(self, operator: str) -> None:
        self.operator = operator
        super().__init__(expected("and, or, <= and >= of variables and numbers", got=operator, remedy=REMEDY))


@dataclass(frozen=True, kw_only=True)
class Atom:
    """sum of coefficient * variable <= limit; variables are ("X", i) or ("Y", j)."""

    terms: tuple[tuple[str, int, float], ...]
    limit: float


@dataclass(frozen=True, kw_only=True)
class Case:
    """One disjunct: a box of inputs, and rows (coefficients by output, limit) that outputs must not exceed."""

    lower: tuple[float, ...]
    upper: tuple[float, ...]
    rows: tuple[tuple[dict[int, float], float], ...]


@dataclass(frozen=True, kw_only=True)
class Property:
    """Numbers of inputs and outputs, and the disjuncts in the file's order; no disjunct: nothing satisfies it."""

    inputs: int
    outputs: int
    cases: tuple[Case, ...]


def parse_vnnlib(text: str, *, source: str) -> Property:
    """The property in a file's text; InputError where it is none, UnsupportedProperty for what is not read here."""
    declared: set[tuple[str, int]] = set()
    asserted: list[list[tuple[Atom, ...]]] = []
    for command in _commands(text, source=source):
        if not isinstance(command, list) or not command or not isinstance(command[0], str):
            raise _refused(f"{_shown(command)} outside a command", source=source)
        if command[0] in ("declare-const", "declare-fun"):
            declared.add(_declared(command, source=source))
        elif command[0] == "assert" and len(command) == 2:
            asserted.append(_disjuncts(command[1], declared, source=source))
        else:
            raise UnsupportedProperty(command[0])
    inputs, outputs = _sizes(declared, source=source)
    found = [_case(atoms, inputs=inputs, source=source) for atoms in _conjunction(asserted, source=source)]
    return Property(inputs=inputs, outputs=outputs, cases=tuple(case for case in found if case is not None))


def _commands(text: str, *, source: str) -> list[Expression]:
    """The file's s-expressions, read with an own stack: depth and size are limited, nothing recurses."""
    if len(text) > MOST_BYTES:
        raise _refused(f"{len(text)} characters, more than {MOST_BYTES}", source=source)
    stack: list[list[Expression]] = [[]]
    for number, token in enumerate(_tokens(text)):
        if number > MOST_TOKENS or len(stack) > MOST_DEPTH:
            limit = f"more than {MOST_TOKENS} words or {MOST_DEPTH} brackets inside one another"
            raise _refused(limit, source=source)
        if token == "(":
            stack.append([])
        elif token != ")":
            stack[-1].append(token)
        elif len(stack) > 1:
            done = stack.pop()
            stack[-1].append(done)
        else:
            raise _refused("a ')' without its '('", source=source)
    if len(stack) != 1 or not stack[0]:
        raise _refused("no command" if len(stack) == 1 else "a '(' without its ')'", source=source)
    return stack[0]


def _tokens(text: str) -> Iterator[str]:
    return (match["token"] for match in TOKEN.finditer(text) if match["token"])


def _declared(command: Sequence[Expression], *, source: str) -> tuple[str, int]:
    """(declare-const X_0 Real), or SMT-LIB's (declare-fun X_0 () Real)."""
    sort = command[-1]
    shape = len(command) == 3 if command[0] == "declare-const" else len(command) == 4 and command[2] == []
    if not shape:
        raise _refused(f"the declaration {_shown(list(command))}", source=source)
    if sort != "Real":
        raise UnsupportedProperty(f"sort {_shown(sort)}")
    return _variable(command[1], source=source)


def _variable(word: Expression, *, source: str) -> tuple[str, int]:
    match = VARIABLE.fullmatch(word) if isinstance(word, str) else None
    if match is None:
        raise _refused(f"{_shown(word)} where a variable X_i or Y_j stands", source=source)
    return match[1], int(match[2])


def _disjuncts(expression: Expression, declared: set[tuple[str, int]], *, source: str) -> list[tuple[Atom, ...]]:
    """The expression as a disjunction of conjunctions of atoms."""
    if not isinstance(expression, list) or not expression or not isinstance(expression[0], str):
        raise _refused(f"{_shown(expression)} where a condition stands", source=source)
    operator, parts = expression[0], expression[1:]
    if operator in ("and", "or"):
        found = [_disjuncts(part, declared, source=source) for part in parts]
        return _conjunction(found, source=source) if operator == "and" else [case for part in found for case in part]
    if operator in ("<=", ">=") and len(parts) == 2:
        smaller, larger = parts if operator == "<=" else parts[::-1]
        return [(_atom(smaller, larger, declared, source=source),)]
    raise UnsupportedProperty(operator)


def _conjunction(parts: Sequence[list[tuple[Atom, ...]]], *, source: str) -> list[tuple[Atom, ...]]:
    """All choices of one disjunct from each part; what has one disjunct only is joined first."""
    shared = tuple(atom for part in parts if len(part) == 1 for atom in part[0])
    cases: list[tuple[Atom, ...]] = [shared]
    for part in parts:
        if len(part) != 1:
            atoms = sum(map(len, cases)) * len(part) + sum(map(len, part)) * len(cases)
            if len(cases) * len(part) > MOST_CASES or atoms > MOST_ATOMS:
                raise _refused(f"more than {MOST_CASES} cases or {MOST_ATOMS} conditions", source=source)
            cases = [case + other for case in cases for other in part]
    return cases


def _atom(smaller: Expression, larger: Expression, declared: set[tuple[str, int]], *, source: str) -> Atom:
    terms, limit = [], 0.0
    for side, sign in ((smaller, 1.0), (larger, -1.0)):
        if isinstance(side, list):
            raise UnsupportedProperty(str(side[0]) if side and isinstance(side[0], str) else _shown(side))
        if NUMBER.fullmatch(side):
            limit -= sign * _number(side, source=source)
        else:
            kind, index = _variable(side, source=source)
            if (kind, index) not in declared:
                raise _refused(f"{side}, which is not declared before", source=source)
            terms.append((kind, index, sign))
    return Atom(terms=tuple(terms), limit=limit)


def _number(word: str, *, source: str) -> float:
    value = float(word)
    if not math.isfinite(value):
        raise _refused(f"{word}, which no float64 holds", source=source)
    return value


def _sizes(declared: set[tuple[str, int]], *, source: str) -> tuple[int, int]:
    counts = []
    for kind in "XY":
        indices = {index for found, index in declared if found == kind}
        if not indices or indices != set(range(len(indices))):
            raise _refused(f"declarations of {kind} that are not {kind}_0, {kind}_1, ...", source=source)
        counts.append(len(indices))
    return counts[0], counts[1]


def _case(atoms: Sequence[Atom], *, inputs: int, source: str) -> Case | None:
    """The disjunct as box and rows; None where its box, or an atom without variables, can't hold."""
    lower, upper = [-math.inf] * inputs, [math.inf] * inputs
    rows: list[tuple[dict[int, float], float]] = []
    for atom in atoms:
        kinds = {kind for kind, _, _ in atom.terms}
        if kinds == {"X"} and len(atom.terms) == 1:
            _, index, sign = atom.terms[0]
            if sign > 0:
                upper[index] = min(upper[index], atom.limit)
            else:
                lower[index] = max(lower[index], -atom.limit)
        elif "X" in kinds:
            raise UnsupportedProperty("a condition between inputs, or of inputs and outputs")
        elif kinds or atom.limit < 0:
            rows.append((_coefficients(atom), atom.limit))
    if any(low > high for low, high in zip(lower, upper, strict=True)):
        return None
    if not all(map(math.isfinite, (*lower, *upper))):
        raise _refused("an input without a lower or an upper limit", source=source)
    return Case(lower=tuple(lower), upper=tuple(upper), rows=tuple(rows))


def _coefficients(atom: Atom) -> dict[int, float]:
    """Coefficient by output; one that occurs on both sides cancels."""
    found: dict[int, float] = {}
    for _, index, sign in atom.terms:
        found[index] = found.get(index, 0.0) + sign
    return {index: value for index, value in found.items() if value}


def _shown(expression: Expression) -> str:
    return repr(expression)[:60]


def _refused(got: str, *, source: str) -> InputError:
    return InputError(expected(f"a VNN-LIB property in {source}", got=got, remedy=REMEDY))
