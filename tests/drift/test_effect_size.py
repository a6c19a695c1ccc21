"""Effects: closed forms for normal columns, scipy for association and rank tests, and the way back to the score."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from robustcert.drift.effect_size import (
    LARGEST_SHIFT,
    auc_of_shift,
    cramers_v,
    distance_of_shift,
    score_of_cramers_v,
    score_of_shift,
    shift_of_auc,
    shift_of_chi_square,
    shift_of_distance,
    standardised_mean_difference,
)
from robustcert.drift.moments import Moments, moments_of
from robustcert.drift.thresholds import ChiSquareLaw


def test_the_standardised_mean_difference_is_that_of_the_pooled_t_test() -> None:
    """t = d / root(1/n + 1/m)."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=40), rng.normal(1.0, 2.0, size=70)
    found = standardised_mean_difference(moments_of(x), moments_of(y))
    assert found / np.sqrt(1 / 40 + 1 / 70) == pytest.approx(-stats.ttest_ind(x, y).statistic, rel=1e-9)


def test_where_nothing_varies_a_difference_is_infinite_and_equality_none() -> None:
    three, four = Moments(10, 3.0, 0.0), Moments(10, 4.0, 0.0)
    assert standardised_mean_difference(three, four) == np.inf
    assert standardised_mean_difference(four, three) == -np.inf
    assert standardised_mean_difference(three, three) == 0.0
    assert standardised_mean_difference(three, Moments()) == 0.0


@given(st.floats(0.01, 0.9), st.integers(1, 20), st.integers(10, 10_000), st.integers(10, 10_000))
def test_cramers_v_leads_back_to_its_score(effect: float, degrees: int, n: int, m: int) -> None:
    assert cramers_v(score_of_cramers_v(effect, degrees=degrees, n=n, m=m), degrees=degrees, n=n, m=m) == pytest.approx(
        effect
    )


@pytest.mark.parametrize(("n", "m"), [(1_000, 1_000), (9_000, 1_000)])
def test_cramers_v_is_one_for_disjoint_samples_of_any_sizes(n: int, m: int) -> None:
    """Their chi-square is n + m; weighed alike, V may not exceed 1."""
    assert cramers_v(float(n + m), degrees=1, n=n, m=m) == pytest.approx(1.0, abs=0.001)


def test_chance_alone_has_no_cramers_v() -> None:
    assert cramers_v(7.0, degrees=8, n=50, m=50) == 0.0


@given(st.floats(0.01, 5.0), st.sampled_from([1.0, 0.01, 0.125]), st.integers(1, 20))
def test_the_shift_of_a_chi_square_leads_back_to_its_score(effect: float, scale: float, degrees: int) -> None:
    law = ChiSquareLaw(scale=scale, degrees=degrees)
    score = score_of_shift(effect, law, n=400, m=300)
    assert shift_of_chi_square(score, law, n=400, m=300) == pytest.approx(effect)


def test_an_average_clean_score_has_no_shift() -> None:
    law = ChiSquareLaw(scale=0.01, degrees=9)
    assert shift_of_chi_square(0.09, law, n=200, m=200) == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize("shift", [0.1, 0.5, 2.0])
def test_distance_and_auc_of_shifted_normals_are_the_closed_forms(shift: float) -> None:
    """By scipy: the distance is reached midway, the AUC is P(difference of two normals > -shift)."""
    distance = stats.norm.cdf(shift / 2) - stats.norm.cdf(-shift / 2)
    auc = stats.norm(scale=np.sqrt(2)).cdf(shift)
    assert (distance_of_shift(shift), auc_of_shift(shift)) == pytest.approx((distance, auc), rel=1e-9)
    assert (shift_of_distance(distance), shift_of_auc(auc)) == pytest.approx((shift, shift), rel=1e-9)


def test_no_difference_and_total_difference_are_the_ends() -> None:
    assert (shift_of_distance(0.0), shift_of_auc(0.5), shift_of_auc(0.3)) == (0.0, 0.0, 0.0)
    assert (shift_of_distance(1.0), shift_of_auc(1.0)) == (LARGEST_SHIFT, LARGEST_SHIFT)
