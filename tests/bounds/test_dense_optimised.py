"""Optimised bounds: between CROWN and the exact minimum that MILP gives."""

import pytest
import torch

from robustcert.bounds.dense_linear import Weights, bounded, linear_rows
from robustcert.bounds.dense_optimised import optimised_rows
from robustcert.bounds.query import Query
from tests.bounds.exact_minimum import exact_minimum
from tests.bounds.random_queries import random_question


def bounds(query: Query, *, iterations: int) -> tuple[float, float]:
    weights = Weights.of(query.network)
    signs = [torch.zeros(1, layer.units, dtype=torch.float64) for layer in query.network.hidden]
    relaxed, _ = bounded(weights, query.region, signs)
    plain = linear_rows(weights, query.region, relaxed).lower.max()
    return float(plain), float(optimised_rows(weights, query.region, relaxed, iterations=iterations).lower.max())


@pytest.mark.parametrize("seed", range(10))
def test_crown_is_at_most_the_optimised_bound_which_is_at_most_the_exact_one(seed: int) -> None:
    query = random_question(seed, most_units=4, rows=1 + seed % 2).query()
    crown, optimised = bounds(query, iterations=20)
    assert crown <= optimised <= exact_minimum(query) + 1e-6


def test_optimisation_tightens_some_bounds_and_none_is_worse() -> None:
    gains = [bounds(random_question(seed, most_units=8).query(), iterations=20) for seed in range(8)]
    assert sum(optimised > crown + 1e-3 for crown, optimised in gains) >= 3


def test_no_iterations_give_crown() -> None:
    crown, optimised = bounds(random_question(1).query(), iterations=0)
    assert crown == optimised
