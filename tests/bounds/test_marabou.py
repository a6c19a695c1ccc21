"""Marabou as a second opinion: agreement, replay, and what counts as a disagreement."""

import sys
from dataclasses import replace

import numpy as np
import pytest

from robustcert.bounds.marabou import refuse_disagreement, solved_by_marabou
from robustcert.bounds.milp import solved_by_milp
from robustcert.bounds.query import Outcome
from robustcert.errors import InputError, ValidityError
from tests.bounds.random_queries import random_question


@pytest.mark.parametrize("seed", range(6))
def test_marabou_and_milp_agree(seed: int) -> None:
    query = random_question(seed, rows=1 + seed % 2).query()
    ours, other = solved_by_milp(query, seconds=20), solved_by_marabou(query, seconds=20)
    assert other.answer in ("open", ours.answer)
    refuse_disagreement(query, ours, other)


def test_marabou_answers_both_ways() -> None:
    found = {solved_by_marabou(random_question(seed).query(), seconds=20).answer for seed in range(6)}
    assert found >= {"found", "none"}


def test_a_counterexample_that_is_not_confirmed_is_no_answer() -> None:
    query = next(
        q
        for q in (random_question(seed).query() for seed in range(20))
        if solved_by_marabou(q, seconds=20).answer == "found"
    )
    assert solved_by_marabou(replace(query, confirm=lambda _: None), seconds=20).answer == "open"


def test_a_proof_against_its_counterexample_is_a_disagreement() -> None:
    witness = Outcome(answer="found", bound=-np.inf, steps=0, witness=np.zeros(2, np.float32))
    with pytest.raises(ValidityError, match=r"our lower bound 0.5 and a counterexample of Marabou"):
        refuse_disagreement(random_question(0).query(), Outcome(answer="none", bound=0.5, steps=0), witness)


def test_its_unsat_against_a_clear_counterexample_is_a_disagreement_and_a_close_one_is_not() -> None:
    query = random_question(1).query()
    ours = solved_by_milp(query, seconds=20)
    assert ours.answer == "found"
    unsat = Outcome(answer="none", bound=0.0, steps=0)
    with pytest.raises(ValidityError, match="and Marabou's unsat"):
        refuse_disagreement(query, ours, unsat)
    refuse_disagreement(replace(query, tolerance=1e9), ours, unsat)


def test_without_maraboupy_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "maraboupy", None)
    with pytest.raises(InputError, match="expected the package maraboupy"):
        solved_by_marabou(random_question(0).query(), seconds=1)


def test_only_boxes_are_asked_about() -> None:
    query = random_question(0).query()
    with pytest.raises(InputError, match="expected a box for Marabou, got l1"):
        solved_by_marabou(replace(query, region=replace(query.region, norm="l1")), seconds=1)
