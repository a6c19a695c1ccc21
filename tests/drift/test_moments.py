"""Moments of batches are those of all numbers at once."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from robustcert.drift.moments import Moments, moments_of

NUMBERS = st.lists(st.floats(-1e6, 1e6), max_size=30)


@given(NUMBERS, NUMBERS)
def test_two_batches_merge_to_what_numpy_says_of_both(first: list[float], second: list[float]) -> None:
    merged = moments_of(np.array(first)).merge(moments_of(np.array(second)))
    both = np.array(first + second)
    assert merged.count == len(both)
    if len(both) > 1:
        assert merged.mean == pytest.approx(both.mean(), abs=1e-6)
        assert merged.deviation == pytest.approx(both.std(ddof=1), abs=1e-4)


def test_an_offset_of_a_billion_costs_no_digits_of_the_deviation() -> None:
    """Squares of such numbers, summed, would lose all of them."""
    values = 1e9 + np.tile([0.0, 1.0], 500)
    merged = moments_of(values[:300]).merge(moments_of(values[300:]))
    assert merged.deviation == pytest.approx(np.sqrt(250 / 999), rel=1e-6)


def test_nothing_has_no_deviation() -> None:
    assert (Moments().merge(Moments()), Moments().deviation, Moments(1, 5.0, 0.0).deviation) == (Moments(), 0.0, 0.0)


def test_numbers_whose_squares_overflow_warn_of_nothing() -> None:
    assert moments_of(np.array([1e308, -1e308])).squares == np.inf
