"""MILP against brute force over all activation patterns, z3, and known answers."""

from dataclasses import replace

import numpy as np
import pytest

from robustcert.bounds.dense import dense_chain
from robustcert.bounds.input_set import InputSet
from robustcert.bounds.milp import solved_by_milp
from robustcert.bounds.query import Query
from tests.bounds.exact_minimum import exact_minimum
from tests.bounds.random_queries import random_question
from tests.bounds.z3_oracle import z3_answer


def never(point: np.ndarray) -> None:
    return None


@pytest.mark.parametrize("seed", range(8))
def test_the_dual_bound_is_the_exact_minimum(seed: int) -> None:
    query = replace(random_question(seed, most_units=4, rows=1 + seed % 2).query(), tolerance=1e9, confirm=never)
    outcome = solved_by_milp(query, seconds=30)
    assert outcome.bound == pytest.approx(exact_minimum(query), abs=1e-5)
    assert outcome.answer == "open"


def known(*, offset: float, confirm: object = never) -> Query:
    """|x| + offset over [-1, 1] as relu(x) + relu(-x): its minimum is the offset."""
    network = dense_chain([(np.array([[1.0], [-1.0]]), np.zeros(2)), (np.array([[1.0, 1.0]]), np.array([offset]))])
    region = InputSet.box(np.array([-1.0]), np.array([1.0]))
    return Query(network=network, region=region, tolerance=1e-4, confirm=confirm)


def test_a_network_above_the_tolerance_everywhere_has_no_counterexample() -> None:
    outcome = solved_by_milp(known(offset=0.01), seconds=30)
    assert outcome.answer == "none"
    assert outcome.bound == pytest.approx(0.01, abs=1e-6)


def test_a_minimum_within_the_tolerance_stays_open() -> None:
    assert solved_by_milp(known(offset=0.00005), seconds=30).answer == "open"


def test_a_point_counts_as_a_counterexample_only_where_it_is_confirmed() -> None:
    assert solved_by_milp(known(offset=-0.5), seconds=30).answer == "open"
    found = solved_by_milp(known(offset=-0.5, confirm=lambda point: point.astype(np.float32)), seconds=30)
    assert found.answer == "found"
    assert found.witness is not None
    assert abs(found.witness[0]) < 0.5


def test_without_time_only_crown_decides() -> None:
    assert solved_by_milp(known(offset=-0.5), seconds=0).answer == "open"
    linear = Query(
        network=dense_chain([(np.array([[1.0]]), np.array([2.0]))]),
        region=InputSet.box(np.array([-1.0]), np.array([1.0])),
        tolerance=1e-4,
        confirm=never,
    )
    assert solved_by_milp(linear, seconds=0).answer == "none"


@pytest.mark.parametrize("seed", range(10))
def test_answers_over_l1_balls_are_those_of_z3(seed: int) -> None:
    question = random_question(seed, most_units=5)
    radius = float(question.upper[0] - question.x[0])
    region = InputSet.ball(
        "l1", question.x, epsilon=radius, scale=np.ones(len(question.x)), lower=question.lower, upper=question.upper
    )
    query = replace(question.query(), region=region)
    wanted = z3_answer(
        question.layers,
        lower=question.lower,
        upper=question.upper,
        rows=question.rows,
        offsets=question.offsets,
        radius=(question.x, radius),
    )
    assert wanted != "open"
    assert solved_by_milp(query, seconds=30).answer == wanted


def test_an_l2_ball_is_not_answered_but_by_bounds() -> None:
    query = known(offset=-0.5, confirm=lambda point: point.astype(np.float32))
    region = InputSet.ball("l2", np.zeros(1), epsilon=1.0, scale=np.ones(1), lower=np.full(1, -1.0), upper=np.ones(1))
    assert solved_by_milp(replace(query, region=region), seconds=30).answer == "open"


@pytest.mark.parametrize("scale", [1e-7, 1e-5, 1e5])
def test_weights_that_are_small_in_one_layer_and_large_in_the_next_prove_nothing_false(scale: float) -> None:
    rng = np.random.default_rng(11)
    w1, w2, w3 = (rng.normal(size=shape) for shape in ((8, 3), (8, 8), (1, 8)))
    b1, b2 = 0.3 * rng.normal(size=8), 0.3 * rng.normal(size=8)
    points = rng.uniform(-0.5, 0.5, (50_000, 3))
    least = dense_chain([(w1, b1), (w2, b2), (w3, np.zeros(1))]).forward(points).min()
    network = dense_chain([(w1 * scale, b1 * scale), (w2, b2 * scale), (w3 / scale, np.array([-least - 0.05]))])
    region = InputSet.box(np.full(3, -0.5), np.full(3, 0.5))
    outcome = solved_by_milp(Query(network=network, region=region, tolerance=1e-4, confirm=never), seconds=10)
    assert outcome.answer == "open"
    assert outcome.bound <= network.forward(points).min()
