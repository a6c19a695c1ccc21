"""Whether an evaluation can vouch for itself: an ordered tuple of small checks on facts gathered elsewhere.

An evaluation that fails one still reports its rows, but may not be used as evidence. Why such checks: Carlini et al.
2019, "On evaluating adversarial robustness" (arXiv:1902.06705), sections 4 and 5. No torch here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from robustcert.evaluation.statistics import binomial_interval

MOST_ZERO_GRADIENTS = 0.05
STANDARD_ERRORS = 2.0


@dataclass(frozen=True, kw_only=True)
class ValidityCheck:
    """One check: whether it passed, and what was seen, in one line."""

    name: str
    passed: bool
    detail: str


@dataclass(frozen=True, kw_only=True)
class AttackedPoint:
    """One attack at one epsilon: which samples (bool (N,)) kept their class, and how the others measure.

    `worst_ratio` is the largest distance over epsilon, `illegal` how many perturbed inputs lie outside budget or
    bounds, `unreproduced` how many a fresh forward pass of the stored array does not break.
    """

    threat: str
    attack: str
    epsilon: float
    unbroken: NDArray[np.bool_]
    worst_ratio: float
    illegal: int
    unreproduced: int


@dataclass(frozen=True, kw_only=True)
class WholeRange:
    """All attacks of a threat with an epsilon that reaches every input: how many samples none of them broke.

    `fixed` coordinates may not be changed, so that not every input is within reach.
    """

    threat: str
    unbroken: int
    of: int
    fixed: int


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What the checks look at. `zero_epsilon` counts, by threat and attack, samples that changed under epsilon 0."""

    n_classes: int
    samples: int
    not_finite: int
    rows_that_sum_to_one: int
    zero_gradients: int
    zero_epsilon: dict[str, int]
    whole_range: Sequence[WholeRange]
    points: Sequence[AttackedPoint]


def validity_of(facts: Facts) -> tuple[ValidityCheck, ...]:
    """Every check, in order."""
    return tuple(check(facts) for check in CHECKS)


def epsilon_zero_is_clean(facts: Facts) -> ValidityCheck:
    """Every attack with epsilon 0 leaves every input and prediction as they were."""
    changed = [f"{name}: {count}" for name, count in facts.zero_epsilon.items() if count]
    seen = "; ".join(changed) or f"none, in {_times(len(facts.zero_epsilon), 'attack run')}"
    return ValidityCheck(
        name="epsilon-zero-is-clean", passed=not changed, detail=f"inputs or predictions changed at epsilon 0: {seen}"
    )


def budget_kept(facts: Facts) -> ValidityCheck:
    """Stored perturbed inputs lie inside budget and bounds, in float64."""
    illegal = sum(point.illegal for point in facts.points)
    worst = max((point.worst_ratio for point in facts.points), default=0.0)
    detail = f"{illegal} perturbed inputs outside budget or bounds; largest distance is {worst:.9f} of epsilon"
    return ValidityCheck(name="budget-kept", passed=illegal == 0, detail=detail)


def adversarials_reproduce(facts: Facts) -> ValidityCheck:
    """A fresh forward pass of each stored perturbed input gives the class that the attack claims."""
    count = sum(point.unreproduced for point in facts.points)
    return ValidityCheck(
        name="adversarials-reproduce", passed=count == 0, detail=f"{count} stored perturbed inputs break nothing"
    )


def whole_range_breaks(facts: Facts) -> ValidityCheck:
    """With every input within reach, no more samples survive than chance explains: lower end of the interval <= 1/K."""
    parts = [_whole_range(entry, chance=1 / facts.n_classes) for entry in facts.whole_range]
    return ValidityCheck(
        name="whole-range-breaks",
        passed=all(passed for passed, _ in parts),
        detail="; ".join(text for _, text in parts),
    )


def logits_are_scores(facts: Facts) -> ValidityCheck:
    """Logits are finite, and not probabilities, whose gradients would mislead the attacks."""
    passed = facts.not_finite == 0 and facts.rows_that_sum_to_one < facts.samples
    detail = (
        f"{facts.not_finite} rows not finite, {facts.rows_that_sum_to_one} of {facts.samples} look like probabilities"
    )
    return ValidityCheck(name="logits-are-scores", passed=passed, detail=detail)


def gradients_present(facts: Facts) -> ValidityCheck:
    """At most 5 % of the inputs have an input gradient that is exactly zero, a sign of masked gradients."""
    passed = facts.zero_gradients <= MOST_ZERO_GRADIENTS * facts.samples
    detail = f"{facts.zero_gradients} of {facts.samples} input gradients are exactly zero; at most 5 % may be"
    return ValidityCheck(name="gradients-present", passed=passed, detail=detail)


def falls_with_epsilon(facts: Facts) -> ValidityCheck:
    """Accuracy does not rise by more than 2 standard errors (paired) from one epsilon to the next larger one."""
    rises = [text for smaller, larger in _neighbours(facts.points) if (text := _rise(smaller, larger))]
    detail = "; ".join(rises) or f"no rise beyond {STANDARD_ERRORS:g} standard errors"
    return ValidityCheck(name="falls-with-epsilon", passed=not rises, detail=detail)


CHECKS: tuple[Callable[[Facts], ValidityCheck], ...] = (
    epsilon_zero_is_clean,
    budget_kept,
    adversarials_reproduce,
    whole_range_breaks,
    logits_are_scores,
    gradients_present,
    falls_with_epsilon,
)
NAMES = tuple(check.__name__.replace("_", "-") for check in CHECKS)


def _whole_range(entry: WholeRange, *, chance: float) -> tuple[bool, str]:
    text = f"{entry.threat}: {entry.unbroken} of {entry.of} unbroken"
    if entry.fixed:
        return True, f"{text}; not judged, {_times(entry.fixed, 'coordinate')} may not be changed"
    lower, _ = binomial_interval(entry.unbroken, entry.of)
    return lower <= chance, f"{text}, chance is {chance:.3f}"


def _neighbours(points: Sequence[AttackedPoint]) -> Iterator[tuple[AttackedPoint, AttackedPoint]]:
    for key in dict.fromkeys((point.threat, point.attack) for point in points):
        same = [point for point in points if (point.threat, point.attack) == key]
        yield from pairwise(sorted(same, key=lambda point: point.epsilon))


def _rise(smaller: AttackedPoint, larger: AttackedPoint) -> str | None:
    gained = int((larger.unbroken & ~smaller.unbroken).sum())
    lost = int((smaller.unbroken & ~larger.unbroken).sum())
    if gained - lost <= STANDARD_ERRORS * math.sqrt(gained + lost):
        return None
    where = f"{larger.epsilon:g} than at {smaller.epsilon:g}"
    return f"{larger.threat}, {larger.attack}: {gained - lost} more unbroken at {where}"


def _times(count: int, noun: str) -> str:
    return f"{count} {noun}" + ("" if count == 1 else "s")
