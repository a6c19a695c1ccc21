"""Blocks move as wholes, samples keep apart, and what can't be compared is refused."""

from __future__ import annotations

import numpy as np
import pytest

from robustcert.drift.blocks import pool
from robustcert.errors import DataError, InputError

X = np.arange(12.0).reshape(6, 2)
Y = np.arange(8.0).reshape(4, 2) + 100


def test_without_groups_every_row_is_a_block() -> None:
    pooled = pool(X, Y, groups=None, most=100, seed=0)
    assert pooled.rows_LD.tolist() == [*X.tolist(), *Y.tolist()]
    assert pooled.window_L.tolist() == [0] * 6 + [1] * 4
    assert len(set(pooled.block_L.tolist())) == 10


def test_a_group_that_spans_both_samples_is_two_blocks() -> None:
    pooled = pool(X, Y, groups=(list("aaabbb"), list("bbcc")), most=100, seed=0)
    assert pooled.block_L.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 3, 3]


def test_permuting_moves_whole_blocks_and_keeps_how_many_are_the_windows() -> None:
    pooled = pool(X, Y, groups=(list("aaabbb"), list("ccdd")), most=100, seed=0)
    permuted_LP = pooled.permuted(500, np.random.default_rng(0))
    by_block_BP = permuted_LP[[0, 3, 6, 8]]
    assert (permuted_LP == by_block_BP[pooled.block_L]).all()
    assert (by_block_BP.sum(axis=0) == 2).all()
    assert len(np.unique(by_block_BP, axis=1).T) == 6


@pytest.mark.parametrize("most", [2, 3, 100])
def test_at_most_so_many_rows_of_each_are_drawn_by_the_seed(most: int) -> None:
    rows = [pool(X, Y, groups=None, most=most, seed=seed).rows_LD.tolist() for seed in (1, 1, 2)]
    assert rows[0] == rows[1]
    assert len(rows[0]) == min(most, 6) + min(most, 4)
    assert (rows[0] == rows[2]) == (most == 100)


def test_groups_follow_their_rows_into_a_drawn_sample() -> None:
    x_ND = np.repeat(np.arange(5.0), 4)[:, None]
    pooled = pool(x_ND, x_ND, groups=(x_ND[:, 0], x_ND[:, 0]), most=7, seed=3)
    names = pooled.rows_LD[:7, 0]
    assert all(
        (pooled.block_L[:7] == pooled.block_L[place]).tolist() == (names == names[place]).tolist() for place in range(7)
    )


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (X, Y[:, :1], "expected as many columns in both samples, got 2 and 1"),
        (X[:, 0], Y, r"expected a table of at least two rows of finite numbers, got shape \(6,\)"),
        (X, Y[:1], r"got shape \(1, 2\)"),
        (np.where(X == 4, np.nan, X), Y, r"got shape \(6, 2\), 1 not finite; .*nulls replaced or left out"),
    ],
)
def test_tables_that_can_not_be_compared_are_refused(x: np.ndarray, y: np.ndarray, message: str) -> None:
    with pytest.raises(DataError, match=message):
        pool(x, y, groups=None, most=100, seed=0)


def test_a_row_without_a_group_is_refused() -> None:
    with pytest.raises(DataError, match=r"expected one group for each row, got \(5,\) for 6 rows"):
        pool(X, Y, groups=(list("aaabb"), list("ccdd")), most=100, seed=0)


def test_too_few_groups_to_reach_alpha_are_refused() -> None:
    pooled = pool(X, Y, groups=(list("aaabbb"), list("ccdd")), most=100, seed=0)
    pooled.require_arrangements(1 / 6)
    with pytest.raises(
        InputError, match=r"expected enough groups for alpha 0\.1, got 2 of the reference and 2 of the win"
    ):
        pooled.require_arrangements(0.1)
