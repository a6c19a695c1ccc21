"""Which exact verifier is asked, and what happens when two exclude each other."""

from dataclasses import replace

import numpy as np
import pytest

from robustcert.bounds import complete
from robustcert.bounds.complete import decided, stronger, suits_milp
from robustcert.bounds.query import Outcome
from robustcert.errors import ValidityError
from tests.bounds.random_queries import random_question

WITNESS = np.zeros(2, np.float32)


def outcome(answer: str, bound: float) -> Outcome:
    return Outcome(answer=answer, bound=bound, steps=3, witness=WITNESS if answer == "found" else None)


def test_milp_is_asked_where_branch_and_bound_does_not_end_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    query = random_question(17, most_units=9, rows=2).query()
    assert decided(query, seconds=60)[1] == "branch-and-bound"
    monkeypatch.setattr(complete, "FIRST_SHARE", 0.0)
    found, stage = decided(query, seconds=60)
    assert (found.answer, stage) == ("none", "milp")


def test_branch_and_bound_goes_on_where_milp_left_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(complete, "FIRST_SHARE", 0.0)
    monkeypatch.setattr(complete, "MILP_SHARE", 0.0)
    found, stage = decided(random_question(17, most_units=9, rows=2).query(), seconds=60)
    assert (found.answer, stage) == ("none", "branch-and-bound")


def test_many_undecided_relus_and_l2_balls_are_not_for_milp(monkeypatch: pytest.MonkeyPatch) -> None:
    query = random_question(1).query()
    assert suits_milp(query)
    assert not suits_milp(replace(query, region=replace(query.region, norm="l2")))
    monkeypatch.setattr(complete, "MILP_UNSTABLE", 0)
    assert not suits_milp(query)


def test_without_time_nothing_but_bounds_decides() -> None:
    assert decided(random_question(17, most_units=9, rows=2).query(), seconds=0)[0].answer == "open"


def test_the_better_bound_of_two_is_kept() -> None:
    both = stronger(outcome("open", -1.0), outcome("open", -2.0))
    assert (both.answer, both.bound, both.steps) == ("open", -1.0, 6)


def test_two_verifiers_that_exclude_each_other_end_the_run() -> None:
    with pytest.raises(ValidityError, match=r"two exact verifiers that agree, got none .* and found"):
        stronger(outcome("none", 1.0), outcome("found", -1.0))
