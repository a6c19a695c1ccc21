"""Cells put together: nothing is lost, groups hold what the law needs, and the split never decides."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from robustcert.drift.grouping import by_mass, equal_levels, grouped, merge_neighbours, merge_rare, tail_levels

TABLES = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), min_size=2, max_size=30)


def table(rows: list[tuple[int, int]]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    a_K, b_K = np.array(rows, dtype=np.int64).T
    return a_K + (np.arange(len(a_K)) == 0), b_K + (np.arange(len(b_K)) == 1)


def smallest_expected(a_G: NDArray[np.int64], b_G: NDArray[np.int64]) -> float:
    """By scipy's definition: row total times column total over all."""
    both = np.stack([a_G, b_G])
    return float((both.sum(axis=0) * both.sum(axis=1, keepdims=True) / both.sum()).min())


@given(TABLES, st.sampled_from([1.0, 5.0, 20.0]))
def test_merged_neighbours_expect_enough_in_order(rows: list[tuple[int, int]], least: float) -> None:
    a_K, b_K = table(rows)
    a_G, b_G = merge_neighbours(a_K, b_K, least=least)
    assert (a_G.sum(), b_G.sum()) == (a_K.sum(), b_K.sum())
    assert len(a_G) == 1 or smallest_expected(a_G, b_G) >= least - 1e-9
    assert set(np.cumsum(a_G + b_G)) <= set(np.cumsum(a_K + b_K))


@given(TABLES, st.sampled_from([1.0, 5.0, 20.0]), st.sampled_from([(0, 0), (3, 1), (0, 30)]))
def test_rare_groups_become_one_that_expects_enough(
    rows: list[tuple[int, int]], least: float, rest: tuple[int, int]
) -> None:
    a_K, b_K = table(rows)
    a_G, b_G = merge_rare(a_K, b_K, rest=rest, least=least)
    assert (a_G.sum(), b_G.sum()) == (a_K.sum() + rest[0], b_K.sum() + rest[1])
    assert len(a_G) <= 2 or smallest_expected(a_G, b_G) >= least - 1e-9


def test_frequent_groups_stay_apart_and_rare_ones_join() -> None:
    a_G, b_G = merge_rare(np.array([50, 2, 47, 1]), np.array([40, 3, 50, 7]))
    assert (a_G.tolist(), b_G.tolist()) == ([50, 47, 3], [40, 50, 10])


def test_one_rare_group_alone_takes_the_rarest_other_with_it() -> None:
    a_G, b_G = merge_rare(np.array([60, 38, 2]), np.array([60, 40, 0]))
    assert (a_G.tolist(), b_G.tolist()) == ([60, 40], [60, 40])


def test_groups_of_equal_mass_follow_the_counts_and_an_atom_stays_whole() -> None:
    assert by_mass(np.array([10] * 8), equal_levels(4)).tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
    assert by_mass(np.array([5, 90, 5]), equal_levels(10)).tolist() == [0, 5, 9]


def test_empty_groups_are_left_out() -> None:
    a_G, b_G = grouped(np.array([1, 0, 3]), np.array([0, 0, 4]), np.array([0, 1, 2]))
    assert (a_G.tolist(), b_G.tolist()) == ([1, 3], [0, 4])


@pytest.mark.parametrize("groups", [2, 8, 64])
def test_levels_ascend_symmetrically_and_get_finer_in_the_tails(groups: int) -> None:
    equal, tail = equal_levels(groups), tail_levels(groups)
    for levels in (equal, tail):
        assert len(levels) == groups - 1
        assert levels + levels[::-1] == pytest.approx(1.0)
        assert (np.diff(levels) > 0).all()
    assert groups == 2 or tail[0] < equal[0]
