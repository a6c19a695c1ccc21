"""Leaves: the recomputed dual bound against linprog's own optimum, and infeasible leaves."""

import numpy as np
import pytest
import torch
from scipy.optimize import linprog

from robustcert.bounds.dense import dense_chain
from robustcert.bounds.dense_linear import Relaxation
from robustcert.bounds.input_set import InputSet
from robustcert.bounds.leaf_program import Leaf, dual_bound, leaf_of, solved_leaf

BOX = InputSet.box(np.array([-1.0, -1.0]), np.array([1.0, 1.0]))


def leaf(seed: int) -> Leaf:
    generator = np.random.Generator(np.random.Philox(seed))
    return Leaf(
        rows=generator.normal(size=(2, 2)),
        row_offsets=generator.normal(size=2),
        signs=generator.normal(size=(3, 2)),
        sign_offsets=generator.uniform(0, 1, 3),
    )


def optimum(found: Leaf) -> float:
    a = np.vstack([np.c_[found.rows, -np.ones(2)], np.c_[-found.signs, np.zeros(3)]])
    b = np.r_[-found.row_offsets, found.sign_offsets]
    return float(linprog([0, 0, 1], A_ub=a, b_ub=b, bounds=[(-1, 1), (-1, 1), (None, None)]).fun)


@pytest.mark.parametrize("seed", range(20))
def test_the_recomputed_bound_is_the_optimum_and_never_above_it(seed: int) -> None:
    found = leaf(seed)
    bound = solved_leaf(found, BOX).bound
    assert bound <= optimum(found) + 1e-12
    assert bound == pytest.approx(optimum(found), abs=1e-7)


@pytest.mark.parametrize("seed", range(20))
def test_wrong_multipliers_only_give_a_weaker_bound(seed: int) -> None:
    multipliers = np.random.Generator(np.random.Philox(seed)).uniform(0, 3, 5)
    assert dual_bound(leaf(seed), BOX, multipliers) <= optimum(leaf(seed)) + 1e-12


def test_splits_that_exclude_each_other_are_proved_empty() -> None:
    nothing = Leaf(
        rows=np.ones((1, 2)),
        row_offsets=np.zeros(1),
        signs=np.array([[1.0, 0.0], [-1.0, 0.0]]),
        sign_offsets=np.array([-0.5, 0.2]),
    )
    assert solved_leaf(nothing, BOX).bound == np.inf


def test_a_leaf_is_the_network_where_its_signs_hold() -> None:
    network = dense_chain(
        [(np.array([[1.0, 1.0], [1.0, -1.0]]), np.zeros(2)), (np.array([[1.0, 2.0]]), np.array([3.0]))]
    )
    signs = torch.tensor([[1.0, -1.0]], dtype=torch.float64)
    found = leaf_of(
        network, [Relaxation(lower=torch.tensor([[0.0, -2.0]]), upper=torch.tensor([[2.0, 0.0]]), signs=signs)]
    )
    x = np.array([0.2, 0.6])
    assert found.rows @ x + found.row_offsets == pytest.approx(network.forward(x[None])[0])
    assert ((found.signs @ x + found.sign_offsets) > 0).all()
