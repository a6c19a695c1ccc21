"""Corrections against scipy, published vectors and the guarantee itself."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from robustcert.drift.multiplicity import Correction, adjusted_p_values, level
from robustcert.errors import InputError
from robustcert.evaluation.statistics import binomial_quantile

P_VALUES = st.lists(st.floats(0, 1), min_size=1, max_size=40)


@given(P_VALUES)
def test_benjamini_hochberg_is_that_of_scipy(p_values: list[float]) -> None:
    found = adjusted_p_values(p_values, correction="bh")
    assert found == pytest.approx(stats.false_discovery_control(p_values), abs=1e-12)


def test_holm_by_hand() -> None:
    """Ranked .001 .01 .02 .03 times 4 3 2 1: .004 .03 .04 .03, and never falling: .004 .03 .04 .04."""
    found = adjusted_p_values([0.03, 0.001, 0.02, 0.01], correction="holm")
    assert found == pytest.approx([0.04, 0.004, 0.04, 0.03])


@given(P_VALUES, st.sampled_from([0.01, 0.05, 0.3]))
def test_holm_rejects_step_by_step_as_written_in_his_paper(p_values: list[float], alpha: float) -> None:
    rejected = set()
    for step, place in enumerate(np.argsort(p_values, kind="stable")):
        if p_values[place] > alpha / (len(p_values) - step):
            break
        rejected.add(int(place))
    adjusted = adjusted_p_values(p_values, correction="holm")
    assert {place for place in range(len(p_values)) if adjusted[place] <= alpha * (1 + 1e-12)} >= rejected
    assert {place for place in range(len(p_values)) if adjusted[place] <= alpha * (1 - 1e-12)} <= rejected


@given(P_VALUES, st.sampled_from(["holm", "bh"]), st.sampled_from([0.01, 0.05, 0.3]))
def test_plain_comparison_with_the_level_rejects_the_same(
    p_values: list[float], correction: Correction, alpha: float
) -> None:
    adjusted = adjusted_p_values(p_values, correction=correction)
    cut = level(p_values, alpha=alpha, correction=correction)
    for p, corrected in zip(p_values, adjusted, strict=True):
        assert (p <= cut) == (corrected <= alpha) or corrected == pytest.approx(alpha, rel=1e-9)


def test_benjamini_hochberg_never_rejects_less_than_holm() -> None:
    p_values = np.random.default_rng(0).random(50) ** 3
    assert (adjusted_p_values(p_values, correction="bh") <= adjusted_p_values(p_values, correction="holm")).all()


def test_holm_keeps_the_chance_of_any_false_alarm_also_for_dependent_columns() -> None:
    """4,000 families of 30 tests, half of them copies of one another; fails by chance below 1e-4."""
    rng = np.random.default_rng(1)
    p_values = rng.random((4_000, 30))
    p_values[:, 15:] = p_values[:, :15]
    families = sum((adjusted_p_values(family, correction="holm") <= 0.05).any() for family in p_values)
    assert 50 <= families <= binomial_quantile(0.9999, 4_000, 0.05)


@pytest.mark.parametrize("correction", ["holm", "bh"])
def test_no_tests_have_no_adjusted_p_values(correction: Correction) -> None:
    assert len(adjusted_p_values([], correction=correction)) == 0
    assert level([], alpha=0.05, correction=correction) == 0.05 if correction == "holm" else True


def test_an_unknown_correction_is_refused() -> None:
    with pytest.raises(InputError, match="expected 'holm' or 'bh', got 'none'"):
        adjusted_p_values([0.1], correction="none")  # type: ignore[arg-type]
