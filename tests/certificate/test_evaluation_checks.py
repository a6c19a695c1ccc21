"""Checks of the evaluation's rows. Oracle: rows of a real evaluation, and one lie in each."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from robustcert.certificate import evaluation_checks as checks
from robustcert.certificate.bundle import BundleFiles
from robustcert.certificate.case import Case
from robustcert.errors import VerificationError
from robustcert.evaluation import validity
from tests.certificate.tampering import (
    Document,
    Rows,
    case_of,
    reason,
    replaced,
    rows_of,
    statement_of,
    verified,
    with_rows,
)
from tests.chain import Chain

PLACES = {name: f"evaluation.validity.{place}" for place, name in enumerate(validity.NAMES)}


def holding(case: Case, rows: Rows) -> Case:
    """The case with other rows, as if they stood in its file."""
    vars(case)["evaluation_rows"] = rows
    return case


def at(rows: Rows, **wanted: Any) -> int:
    """The place of the first row of an attack that fits."""
    return next(place for place, row in enumerate(rows) if row.items() >= wanted.items() and row["attack"] != "clean")


def broken(rows: Rows) -> int:
    return next(place for place, row in enumerate(rows) if row["perturbed"])


def unbroken(rows: Rows) -> int:
    return next(
        place
        for place, row in enumerate(rows)
        if row["attack"] != "clean" and row["prediction"] == row["label"] and not row["perturbed"]
    )


def clean(rows: Rows) -> int:
    return next(place for place, row in enumerate(rows) if row["attack"] == "clean")


def with_change(rows: Rows, place: int, changes: Document) -> Rows:
    return [row | changes if number == place else row for number, row in enumerate(rows)]


def as_targeted(case: Case) -> Case:
    """The same case, the goal of its first threat a chosen class."""
    text = case.predicate.specification.text.replace("goal: untargeted", "goal: targeted", 1)
    part = case.predicate.specification.model_copy(update={"text": text})
    predicate = case.predicate.model_copy(update={"specification": part})
    return replace(case, statement=case.statement.model_copy(update={"predicate": predicate}))


def targeted_rows(rows: Rows) -> Rows:
    """Honest rows of that goal: each attacked row has a target, which what is perturbed reaches."""
    first = rows[0]["threat"]
    targets = {row["sample"]: (row["label"] + 1) % 10 for row in rows}
    return [
        row | {"target": targets[row["sample"]]} | ({"adversarial": targets[row["sample"]]} if row["perturbed"] else {})
        if row["threat"] == first and row["attack"] != "clean"
        else row
        for row in rows
    ]


def test_real_rows_hold_together_and_without_them_nothing_is_established(chain: Chain) -> None:
    whole = case_of(chain)
    bare = replace(whole, files=BundleFiles(certificate=chain.files.certificate))
    assert checks.coherent_rows(whole).status == checks.sanity_checks(whole).status == "established"
    assert checks.coherent_rows(bare).status == checks.sanity_checks(bare).status == "not established"


LIES: tuple[tuple[Callable[[Rows], int], Document, str], ...] = (
    (broken, {"perturbed": ""}, "an outcome without a perturbed input"),
    (unbroken, {"adversarial": 11}, "a class that there is not"),
    (unbroken, {"label": -1}, "a class that there is not"),
    (unbroken, {"prediction": 10**18}, "a class that there is not"),
    (unbroken, {"distance": "0.01"}, "an outcome without a perturbed input"),
    (broken, {"distance": "nan"}, "no digest, or no distance"),
    (broken, {"distance": "1e-3"}, "no digest, or no distance"),
    (broken, {"distance": "9" * 400}, "no digest, or no distance"),
    (broken, {"distance": "\u0663"}, "no digest, or no distance"),
    (broken, {"perturbed": "none"}, "no digest, or no distance"),
    (unbroken, {"target": 3}, "its target does not fit the goal untargeted"),
    (unbroken, {"input": "0" * 64}, "another input than in other rows"),
    (clean, {"perturbed": "0" * 64}, "a perturbed input where nothing was attacked"),
    (broken, {"distance": "0.6"}, "its distance is beyond epsilon, in an evaluation that is valid"),
    (unbroken, {"threat": "l1-1"}, "no registered threat and epsilon"),
    (unbroken, {"epsilon": "abc"}, "no registered threat and epsilon"),
    (unbroken, {"epsilon": "0.3"}, "no registered threat and epsilon"),
)


@pytest.mark.parametrize(("where", "changes", "message"), LIES)
def test_a_row_that_does_not_hold_together_is_refused(
    chain: Chain, where: Callable[[Rows], int], changes: Document, message: str
) -> None:
    rows = rows_of(chain, "evaluation")
    case = holding(case_of(chain), with_change(rows, where(rows), changes))
    with pytest.raises(VerificationError, match=f"evaluation evidence: sample .*: .*{message}"):
        checks.coherent_rows(case)


@pytest.mark.parametrize("key", ["prediction", "label"])
def test_a_sample_has_one_prediction_and_one_label_in_all_rows(chain: Chain, key: str) -> None:
    rows = rows_of(chain, "evaluation")
    place = unbroken(rows)
    other = (rows[place]["label"] + 1) % 10
    changed = with_change(
        rows, place, {key: other, "adversarial": other if key == "prediction" else rows[place]["label"]}
    )
    with pytest.raises(VerificationError, match=f"another {key} than in other rows"):
        checks.coherent_rows(holding(case_of(chain), changed))


def test_a_sample_that_was_wrong_before_any_attack_has_no_perturbed_input(chain: Chain) -> None:
    rows = rows_of(chain, "evaluation")
    sample = rows[unbroken(rows)]["sample"]
    wrong = [
        row
        | {"prediction": (row["label"] + 1) % 10, "adversarial": (row["label"] + 1) % 10, "perturbed": ""}
        | {"distance": "0"}
        if row["sample"] == sample
        else row
        for row in rows
    ]
    assert checks.coherent_rows(holding(case_of(chain), wrong)).status == "established"
    place = at(rows, sample=sample)
    with pytest.raises(VerificationError, match="a perturbed input where nothing was attacked"):
        checks.coherent_rows(holding(case_of(chain), with_change(wrong, place, {"perturbed": "0" * 64})))


def test_an_outcome_that_is_hidden_is_refused_though_all_that_follows_is_signed(chain: Chain, tmp_path: Path) -> None:
    """The issuer drops what an attack found from the evidence, and keeps the class that it reached."""

    def hide(rows: Rows) -> Rows:
        return with_change(rows, broken(rows), {"perturbed": "", "distance": "0"})

    found = reason(verified(chain, with_rows(chain, tmp_path, "evaluation", hide)))
    assert found.endswith("an outcome without a perturbed input")


def test_a_chosen_class_is_the_target_of_every_attack_and_never_the_label(chain: Chain) -> None:
    rows = targeted_rows(rows_of(chain, "evaluation"))
    case = as_targeted(case_of(chain))
    assert checks.coherent_rows(holding(case, rows)).status == "established"
    place = at(rows, threat=rows[0]["threat"])
    label, target = rows[place]["label"], rows[place]["target"]
    for wrong, message in (
        (None, "its target does not fit the goal targeted"),
        (label, "a target that is none"),
        (10, "a target that is none"),
        ((target + 1) % 10, "another target than in other rows"),
    ):
        with pytest.raises(VerificationError, match=message):
            checks.coherent_rows(holding(case, with_change(rows, place, {"target": wrong})))
    with pytest.raises(VerificationError, match="its target does not fit the goal targeted"):
        checks.coherent_rows(holding(case, with_change(rows, clean(rows), {"target": target})))


def test_an_evaluation_that_calls_itself_invalid_may_show_why(chain: Chain) -> None:
    """It meets no empirical criterion, so that nothing is gained by an input beyond epsilon."""
    rows = rows_of(chain, "evaluation")
    case = case_of(chain, replaced("evaluation.valid", False))
    assert checks.coherent_rows(holding(case, with_change(rows, broken(rows), {"distance": "0.6"}))).check


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (PLACES["budget-kept"] + ".check", "invented", "its own checks are .*'invented'"),
        (PLACES["falls-with-epsilon"] + ".detail", "no rise", "its check falls-with-epsilon does not follow"),
        (PLACES["falls-with-epsilon"] + ".passed", False, "its check falls-with-epsilon does not follow"),
        (PLACES["adversarials-reproduce"] + ".detail", "all fine", "its check adversarials-reproduce does not follow"),
        (PLACES["adversarials-reproduce"] + ".passed", False, "its check adversarials-reproduce does not follow"),
    ],
)
def test_the_evaluations_own_checks_are_all_named_and_follow_from_rows(
    chain: Chain, path: str, value: object, message: str
) -> None:
    with pytest.raises(VerificationError, match=f"evaluation: {message}"):
        checks.sanity_checks(case_of(chain, replaced(path, value)))


@pytest.mark.parametrize("change", [lambda found: found[:-1], lambda found: found[::-1], lambda found: found * 2])
def test_a_sanity_check_less_more_or_elsewhere_is_refused_without_any_file(
    chain: Chain, change: Callable[[list[Document]], list[Document]]
) -> None:
    own = statement_of(chain)["predicate"]["evaluation"]["validity"]
    case = case_of(chain, replaced("evaluation.validity", change(own)))
    with pytest.raises(VerificationError, match="evaluation: its own checks are"):
        checks.sanity_checks(replace(case, files=BundleFiles(certificate=chain.files.certificate)))


def test_a_stored_input_that_breaks_nothing_is_counted_as_the_evaluation_would(chain: Chain) -> None:
    rows = rows_of(chain, "evaluation")
    place = broken(rows)
    case = holding(case_of(chain), with_change(rows, place, {"adversarial": rows[place]["label"]}))
    with pytest.raises(VerificationError, match="adversarials-reproduce does not follow from its rows: 1 stored"):
        checks.sanity_checks(case)


def test_accuracy_that_rises_with_epsilon_is_found_in_rows(chain: Chain) -> None:
    """Every sample that an attack broke at the larger epsilon is said to have held there."""
    rows = rows_of(chain, "evaluation")
    large = [row["epsilon"] for row in rows if row["threat"] == rows[0]["threat"]][-1]
    healed = [
        row | {"perturbed": "", "distance": "0", "adversarial": row["prediction"]} if row["epsilon"] == large else row
        for row in rows
    ]
    case = holding(case_of(chain), hit_at_smaller(healed, rows[0]["threat"], large))
    with pytest.raises(VerificationError, match=r"falls-with-epsilon does not follow .* more unbroken at"):
        checks.sanity_checks(case)


def hit_at_smaller(rows: Rows, threat: str, large: str) -> Rows:
    """Every attacked sample is broken at the epsilons below `large`."""
    return [
        row | {"perturbed": "0" * 64, "adversarial": (row["label"] + 1) % 10}
        if (row["threat"], row["epsilon"] != large) == (threat, True) and _attacked(row)
        else row
        for row in rows
    ]


def _attacked(row: Document) -> bool:
    return bool(row["attack"] != "clean" and row["prediction"] == row["label"])


def test_another_version_may_have_other_sanity_checks(chain: Chain) -> None:
    def change(statement: Document) -> None:
        statement["predicate"]["environment"]["robustcert"] = "9.0.0"
        statement["predicate"]["evaluation"]["validity"] = [{"check": "new", "passed": True, "detail": "fine"}]

    found = checks.sanity_checks(case_of(chain, change))
    assert (found.check, found.status) == ("sanity checks", "not established")
    assert re.match("issued by another version of robustcert; by the rules of this one, evaluation: ", found.message)


def test_rows_of_a_suite_that_this_version_does_not_know_are_not_recomputed(chain: Chain) -> None:
    rows = rows_of(chain, "evaluation")
    found = checks.sanity_checks(holding(case_of(chain, replaced("evaluation.suite", "later@1")), rows[:-1]))
    assert (found.status, "suite known here" in found.message) == ("not established", True)
