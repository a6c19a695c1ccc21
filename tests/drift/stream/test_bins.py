"""Oracles: numpy's quantiles, digitize and histogram."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from robustcert.drift.stream.bins import bin_of, counts_in, equal_mass_edges, shares
from robustcert.errors import DataError


def sample(n: int) -> np.ndarray:
    return np.random.Generator(np.random.Philox(7)).normal(size=n)


@pytest.mark.parametrize("n", [100, 447, 1003])
def test_ten_bins_hold_equally_many_rows_and_lie_at_the_quantiles(n: int) -> None:
    values_N = sample(n)
    edges = equal_mass_edges(values_N)
    counts = counts_in(values_N, edges)
    assert len(counts) == 10
    assert max(counts) - min(counts) <= 1
    spacing = np.diff(np.sort(values_N)).max()
    assert np.allclose(edges, np.quantile(values_N, np.arange(1, 10) / 10), atol=spacing)


def test_a_value_falls_where_numpy_puts_it() -> None:
    edges = (-1.0, 0.0, 2.5)
    values = [-5.0, -1.0, -0.5, 0.0, 2.4, 2.5, 9.0]
    assert [bin_of(value, edges) for value in values] == np.digitize(values, edges).tolist()
    assert counts_in(np.array(values), edges) == (1, 2, 2, 2)


@given(st.lists(st.sampled_from([0.0, 0.1, 0.25, 0.3, 1.0, 7.0]) | st.floats(-5, 5), min_size=1, max_size=80))
def test_no_bin_is_empty_and_no_row_is_lost_whatever_ties(values: list[float]) -> None:
    edges = equal_mass_edges(np.array(values))
    counts = counts_in(np.array(values), edges)
    assert min(counts) > 0
    assert sum(counts) == len(values)
    assert list(edges) == sorted(set(edges))
    assert len(counts) <= max(1, min(10, len(values) // 10))


def test_values_that_are_all_equal_share_one_bin() -> None:
    assert equal_mass_edges(np.ones(500)) == ()


def test_a_heavy_tie_gets_a_bin_of_its_own() -> None:
    values_N = np.concatenate([np.linspace(0, 0.9, 100), np.ones(200)])
    edges = equal_mass_edges(values_N)
    assert counts_in(values_N, edges)[-1] == 200


def test_the_last_bits_of_a_value_move_no_edge() -> None:
    values_N = sample(500)
    nudged_N = np.nextafter(values_N.astype(np.float32), np.float32(np.inf)).astype(np.float64)
    assert np.allclose(equal_mass_edges(values_N), equal_mass_edges(nudged_N), rtol=2e-5)
    assert counts_in(nudged_N, equal_mass_edges(values_N)) == counts_in(values_N, equal_mass_edges(values_N))


@pytest.mark.parametrize("values", [[], [1.0, np.nan], [np.inf]])
def test_values_that_are_missing_are_refused(values: list[float]) -> None:
    with pytest.raises(DataError, match="expected finite values to make bins of"):
        equal_mass_edges(np.array(values))


def test_shares_add_up_to_one() -> None:
    assert shares((1, 2, 1)) == (0.25, 0.5, 0.25)
