"""Reachable leaves against the estimator's own `apply` on every cell."""

from __future__ import annotations

import numpy as np

from robustcert.trees.ball import box_around
from robustcert.trees.reachable import reachable_leaves
from robustcert.trees.scikit_learn import from_estimator
from tests.trees.ensembles import fitted, points_of_all_cells, random_data


def test_leaves_are_those_that_the_estimators_own_paths_end_in() -> None:
    for seed in range(10):
        x, y = random_data(seed)
        estimator = fitted("forest", x, y, seed=seed)
        ensemble = from_estimator(estimator)
        epsilon = np.full(x.shape[1], 0.6)
        epsilon[0] = 0
        box = box_around(ensemble, x[5], epsilon)
        leaves = reachable_leaves(ensemble, box.lower_cell, box.upper_cell)
        points = points_of_all_cells(estimator, box.lower, box.upper)
        applied = estimator.apply(points)
        wanted = [len(set(column.tolist())) for column in applied.T]
        assert np.bincount(leaves.tree, minlength=len(wanted)).tolist() == wanted
        assert 0 not in leaves.free.tolist()


def test_every_cell_belongs_to_one_leaf_of_each_tree_with_the_value_of_that_leaf() -> None:
    x, y = random_data(3)
    estimator = fitted("extra trees", x, y, seed=0)
    ensemble = from_estimator(estimator)
    box = box_around(ensemble, x[5], np.full(x.shape[1], 0.7))
    leaves = reachable_leaves(ensemble, box.lower_cell, box.upper_cell)
    assert len(leaves.tree) > len(ensemble.roots)
    points = points_of_all_cells(estimator, box.lower, box.upper)
    cells = ensemble.cells(points)
    inside = ((leaves.first <= cells[:, None, leaves.free]) & (cells[:, None, leaves.free] <= leaves.last)).all(axis=2)
    for tree in range(len(ensemble.roots)):
        assert (inside[:, leaves.tree == tree].sum(axis=1) == 1).all()
    assert np.array_equal(inside.astype(np.int64) @ leaves.value + ensemble.base, ensemble.scores(cells))


def test_a_box_of_one_cell_reaches_one_leaf_a_tree() -> None:
    x, y = random_data(3)
    ensemble = from_estimator(fitted("boosting", x, y, seed=0))
    box = box_around(ensemble, x[5], np.zeros(x.shape[1]))
    leaves = reachable_leaves(ensemble, box.lower_cell, box.upper_cell)
    assert leaves.tree.tolist() == list(range(len(ensemble.roots)))
    assert leaves.first.shape == (len(ensemble.roots), 0)
