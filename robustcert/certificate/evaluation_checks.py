"""Checks of the evaluation's rows: each holds together, and the sanity checks that follow from rows are recomputed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from robustcert.attacks.budget import within
from robustcert.certificate.case import (
    Case,
    Finding,
    Row,
    by_this_versions_rules,
    established,
    not_established,
    require,
)
from robustcert.certificate.results import reached
from robustcert.errors import VerificationError
from robustcert.evaluation import validity
from robustcert.evaluation.curve import CLEAN, NO_PERTURBATION, curve_of
from robustcert.evaluation.suites import suite_names
from robustcert.evaluation.validity import AttackedPoint, Facts
from robustcert.specification import Specification
from robustcert.threat_model import ThreatModel

NAME = "evaluation evidence"
OF_A_SAMPLE = ("input", "label", "prediction")
RECOMPUTED = (validity.adversarials_reproduce, validity.falls_with_epsilon)

Strengths = Mapping[tuple[str, str], float]

_DISTANCE = re.compile(r"[0-9]{1,30}(\.[0-9]{1,30})?")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, kw_only=True)
class Terms:
    """What rows are held to: threats by name, their epsilons, the classes, and whether the evaluation is valid."""

    threats: Mapping[str, ThreatModel]
    strengths: Strengths
    classes: range
    valid: bool


def coherent_rows(case: Case) -> Finding:
    """One prediction per sample, targets as the goal asks, no outcome without a perturbed input within epsilon."""
    name = "coherent rows"
    if case.files.evaluation is None:
        return not_established(name, "no evaluation evidence was given")
    terms, seen = _terms(case), dict[tuple[str, int], object]()
    for row in case.evaluation_rows:
        wrong = _registered(row, terms) or _classes(row, terms) or _as_elsewhere(row, seen) or _perturbation(row, terms)
        if wrong is not None:
            where = f"sample {row['sample']} under {row['threat']}, epsilon {row['epsilon']}, {row['attack']}"
            raise VerificationError(f"{NAME}: {where}: {wrong}")
    return established(name, "one prediction per sample, and no outcome without its perturbed input")


@by_this_versions_rules
def sanity_checks(case: Case) -> Finding:
    """The evaluation names each of this version's sanity checks; outcomes that follow from rows are recomputed."""
    name, part = "sanity checks", case.predicate.evaluation
    names = [check.check for check in part.validity]
    require(names == list(validity.NAMES), f"evaluation: its own checks are {names}, not {list(validity.NAMES)}")
    if case.files.evaluation is None or part.suite not in suite_names():
        return not_established(
            name, "all are named; those that follow from rows need the evidence of a suite known here"
        )
    told = {check.check: (check.passed, check.detail) for check in part.validity}
    facts = _facts(case)
    for recompute in RECOMPUTED:
        wanted = recompute(facts)
        same = told[wanted.name] == (wanted.passed, wanted.detail)
        require(same, f"evaluation: its check {wanted.name} does not follow from its rows: {wanted.detail}")
    return established(name, f"all {len(names)} named, {len(RECOMPUTED)} recomputed from rows")


def _strengths(written: Specification) -> Strengths:
    """(threat, epsilon as it is written) -> epsilon, the clean pass included."""
    clean = {(threat.name, NO_PERTURBATION): 0.0 for threat in written.threat_models}
    return clean | {
        (threat.name, strength.text): strength.value
        for threat in written.threat_models
        for strength in curve_of(threat, written.evaluation.curve)
    }


def _terms(case: Case) -> Terms:
    return Terms(
        threats={threat.name: threat for threat in case.specification.threat_models},
        strengths=_strengths(case.specification),
        classes=range(len(case.predicate.data.classes)),
        valid=case.predicate.evaluation.valid,
    )


def _registered(row: Row, terms: Terms) -> str | None:
    return None if (row["threat"], row["epsilon"]) in terms.strengths else "no registered threat and epsilon"


def _classes(row: Row, terms: Terms) -> str | None:
    """Classes that there are, and a target exactly where an attack has to reach one."""
    goal, classes, target = terms.threats[row["threat"]].goal, terms.classes, row["target"]
    if not (row["label"] in classes and row["prediction"] in classes and row["adversarial"] in classes):
        return "a class that there is not"
    if (target is not None) != (goal == "targeted" and row["attack"] != CLEAN):
        return f"its target does not fit the goal {goal}"
    return None if target is None or (target in classes and target != row["label"]) else "a target that is none"


def _as_elsewhere(row: Row, seen: dict[tuple[str, int], object]) -> str | None:
    """What holds of a sample is the same in all of its rows, the target in those that have one."""
    for key in OF_A_SAMPLE if row["target"] is None else (*OF_A_SAMPLE, "target"):
        if seen.setdefault((key, row["sample"]), row[key]) != row[key]:
            return f"another {key} than in other rows"
    return None


def _perturbation(row: Row, terms: Terms) -> str | None:
    if not row["perturbed"]:
        unchanged = row["adversarial"] == row["prediction"] and row["distance"] == "0"
        return None if unchanged else "an outcome without a perturbed input"
    if row["attack"] == CLEAN or row["prediction"] != row["label"]:
        return "a perturbed input where nothing was attacked"
    if _SHA256.fullmatch(row["perturbed"]) is None or _DISTANCE.fullmatch(row["distance"]) is None:
        return "its perturbed input has no digest, or no distance"
    inside = bool(within(np.array(float(row["distance"])), terms.strengths[row["threat"], row["epsilon"]]))
    return None if inside or not terms.valid else "its distance is beyond epsilon, in an evaluation that is valid"


def _facts(case: Case) -> Facts:
    """What rows tell of the facts that sanity checks look at; the rest is nought."""
    return Facts(
        n_classes=len(case.predicate.data.classes), samples=0, not_finite=0, rows_that_sum_to_one=0, zero_gradients=0,
        zero_epsilon={}, whole_range=(), points=list(_points(case.evaluation_rows, _strengths(case.specification))),
    )  # fmt: skip


def _points(rows: Sequence[Row], strengths: Strengths) -> Iterator[AttackedPoint]:
    """In the order of the rows, which is the evaluation's own; `coherent_rows` has found every epsilon registered."""
    runs: dict[tuple[str, str, str], list[Row]] = {}
    for row in rows:
        if row["attack"] != CLEAN:
            runs.setdefault((row["threat"], row["attack"], row["epsilon"]), []).append(row)
    for (threat, attack, epsilon), found in runs.items():
        yield AttackedPoint(
            threat=threat, attack=attack, epsilon=strengths[threat, epsilon], worst_ratio=0.0, illegal=0,
            unbroken=np.array([row["prediction"] == row["label"] and not row["perturbed"] for row in found]),
            unreproduced=sum(bool(row["perturbed"]) and not reached(row) for row in found),
        )  # fmt: skip
