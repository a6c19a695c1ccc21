"""Branch and bound against brute force, z3 and MILP; and the small part of tests/bounds/agreement.py."""

from dataclasses import replace

import numpy as np
import pytest

from robustcert.bounds.branch_and_bound import solved_by_branching
from robustcert.bounds.dense import dense_chain
from robustcert.bounds.input_set import InputSet
from robustcert.bounds.query import Query
from robustcert.errors import ValidityError
from tests.bounds.agreement import answers, disagreement
from tests.bounds.exact_minimum import exact_minimum
from tests.bounds.random_queries import random_question


@pytest.mark.parametrize("seed", range(12))
def test_all_exact_verifiers_and_z3_agree(seed: int) -> None:
    found = answers(seed)
    assert not disagreement(found)
    assert found["z3"] == found["milp"] == found["branch-and-bound"] != "open"


def test_the_questions_have_both_answers() -> None:
    assert {answers(seed)["z3"] for seed in range(4)} == {"found", "none"}


def test_a_disagreement_is_seen() -> None:
    assert disagreement({"milp": "none", "z3": "found"})
    assert not disagreement({"milp": "none", "z3": "open"})


@pytest.mark.parametrize("seed", [2, 3, 5, 11])
def test_the_bound_is_never_above_the_exact_minimum(seed: int) -> None:
    query = random_question(seed, most_units=4).query()
    for tolerance in (-0.5, 0.0, 0.5):
        outcome = solved_by_branching(replace(query, tolerance=tolerance, confirm=lambda _: None), seconds=20)
        assert outcome.bound <= exact_minimum(query) + 1e-6
        assert outcome.answer == ("none" if exact_minimum(query) > tolerance + 1e-9 else "open")


def test_the_same_question_takes_the_same_steps() -> None:
    query = random_question(17, most_units=9, rows=2).query()
    one, other = (solved_by_branching(query, seconds=60) for _ in range(2))
    assert one == other
    assert one.steps > 10


def test_without_time_nothing_is_decided() -> None:
    outcome = solved_by_branching(random_question(0).query(), seconds=0)
    assert (outcome.answer, outcome.bound) == ("open", -np.inf)


@pytest.mark.parametrize("seed", range(6))
def test_an_l2_ball_gives_no_answer_that_sampling_refutes(seed: int) -> None:
    question = random_question(seed)
    radius = float(question.upper[0] - question.x[0])
    ones = np.ones(len(question.x))
    region = InputSet.ball("l2", question.x, epsilon=radius, scale=ones, lower=question.lower, upper=question.upper)
    query = replace(question.query(), region=region)
    outcome = solved_by_branching(query, seconds=5)
    directions = np.random.Generator(np.random.Philox(seed)).normal(size=(20_000, len(ones)))
    points = question.x + radius * directions / np.linalg.norm(directions, axis=1, keepdims=True)
    smallest = float(query.network.forward(points).min())
    assert smallest >= outcome.bound - 1e-9
    assert outcome.answer != "none" or smallest > 0


def test_a_proof_that_meets_a_counterexample_is_refused() -> None:
    query = replace(random_question(0).query(), confirm=lambda point: point.astype(np.float32))
    outcome = solved_by_branching(query, seconds=5)
    with pytest.raises(ValidityError, match="a counterexample, and a lower bound"):
        query.checked(replace(outcome, answer="found", bound=1.0))


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_units_that_see_large_fixed_inputs_alone_empty_no_subdomain(seed: int) -> None:
    rng = np.random.default_rng(seed)
    first, second, rows = rng.normal(size=(8, 6)), rng.normal(size=(8, 8)), 0.1 * rng.normal(size=(1, 8))
    first[:4, :3] = first[4:, 3:] = second[:4, 4:] = rows[0, :4] = 0  # four units of either layer are constants
    x = np.concatenate([rng.random(3), 1e6 * rng.random(3)])
    reach = np.array([0.3, 0.3, 0.3, 0, 0, 0])
    points = rng.uniform(x - reach, x + reach, (20_000, 6))
    free = [(first, np.zeros(8)), (second, np.zeros(8))]
    least = dense_chain([*free, (rows, np.zeros(1))]).forward(points).min()
    network = dense_chain([*free, (rows, np.array([-least - 0.05]))])
    query = Query(network=network, region=InputSet.box(x - reach, x + reach), tolerance=1e-4, confirm=lambda _: None)
    outcome = solved_by_branching(query, seconds=5)
    assert outcome.answer == "open"
    assert outcome.bound <= network.forward(points).min()
