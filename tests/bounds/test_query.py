"""Queries: the tolerance, when the deployed model is asked, and an answer that contradicts itself."""

from dataclasses import replace

import numpy as np
import pytest

from robustcert.bounds.query import Outcome, tolerance_of
from robustcert.errors import ValidityError
from tests.bounds.random_queries import random_question

WITNESS = np.zeros(2, np.float32)


@pytest.mark.parametrize(("logits", "tolerance"), [([0.1, -0.2], 1e-4), ([3.0, -20.0], 2e-3)])
def test_the_tolerance_is_relative_to_the_largest_logit_and_at_least_1e_4(
    logits: list[float], tolerance: float
) -> None:
    assert tolerance_of(np.array(logits)) == pytest.approx(tolerance)


def test_logits_that_are_no_numbers_have_a_tolerance_that_no_bound_exceeds() -> None:
    assert not np.inf > tolerance_of(np.array([1.0, np.nan]))


def test_the_model_is_not_asked_about_a_point_far_from_a_counterexample() -> None:
    asked: list[float] = []
    query = random_question(0).query()
    query = replace(query, confirm=lambda point: asked.append(float(query.network.forward(point[None]).max())))
    for point in np.random.Generator(np.random.Philox(0)).uniform(
        query.region.lower, query.region.upper, (200, query.network.inputs)
    ):
        query.tried(point)
    values = query.network.forward(
        np.random.Generator(np.random.Philox(0)).uniform(
            query.region.lower, query.region.upper, (200, query.network.inputs)
        )
    )
    assert len(asked) == int((values.max(axis=1) <= query.tolerance).sum())


def test_a_counterexample_together_with_a_proof_ends_the_run() -> None:
    query = random_question(0).query()
    both = Outcome(answer="found", bound=1.0, steps=0, witness=WITNESS)
    with pytest.raises(
        ValidityError, match="expected a counterexample or a proof, got a counterexample, and a lower bound of 1"
    ):
        query.checked(both)
    fine = Outcome(answer="found", bound=-1.0, steps=0, witness=WITNESS)
    assert query.checked(fine) is fine
