"""Kolmogorov-Smirnov against scipy: the distance to 1/1024, never more; p-values never smaller than exact ones."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from robustcert.drift.histogram import BINS, ColumnCounts, number_bins
from robustcert.drift.ks import ks_distance, ks_measurement
from robustcert.drift.thresholds import Measurement


def measured(x: np.ndarray, y: np.ndarray, *, bins: int = BINS) -> Measurement:
    cells = number_bins(x, bins=bins)
    return ks_measurement(ColumnCounts(cells=cells).add(x).counts, ColumnCounts(cells=cells).add(y).counts)


@pytest.mark.parametrize("bins", [64, 1024])
@pytest.mark.parametrize("shift", [0.0, 0.1, 2.0])
def test_the_distance_is_that_of_scipy_or_up_to_one_cell_less(bins: int, shift: float) -> None:
    rng = np.random.default_rng(4)
    x, y = rng.normal(size=5_000), rng.normal(shift, 1.2, size=3_000)
    exact = stats.ks_2samp(x, y).statistic
    assert exact - 1 / bins - 1e-3 <= measured(x, y, bins=bins).score <= exact + 1e-12


@pytest.mark.parametrize("seed", range(3))
def test_with_few_or_tied_values_the_distance_is_exact(seed: int) -> None:
    rng = np.random.default_rng(seed)
    for x, y in ((rng.normal(size=300), rng.normal(size=200)), (rng.poisson(3, 900) * 1.0, rng.poisson(4, 800) * 1.0)):
        assert measured(x, y).score == pytest.approx(stats.ks_2samp(x, y).statistic, abs=1e-12)


@pytest.mark.parametrize(("n", "m"), [(100, 100), (300, 200)])
def test_the_p_value_is_near_the_exact_one_and_on_its_safe_side(n: int, m: int) -> None:
    rng = np.random.default_rng(n)
    for shift in (0.2, 0.3, 0.5):
        x, y = rng.normal(size=n), rng.normal(shift, size=m)
        exact = stats.ks_2samp(x, y, method="exact").pvalue
        assert exact <= measured(x, y).p_value <= 2 * exact + 0.02


def test_threshold_p_value_and_effect_agree() -> None:
    rng = np.random.default_rng(0)
    found = measured(rng.normal(size=4_000), rng.normal(0.1, size=4_000))
    assert found.law.threshold(found.p_value) == pytest.approx(found.score, rel=1e-6)
    assert found.score_of_effect(found.effect) == pytest.approx(found.score, rel=1e-9)
    assert (found.n, found.m, found.effect_name) == (4_000, 4_000, "equivalent_shift")


def test_the_effect_of_a_shifted_normal_column_is_its_shift() -> None:
    """At 200,000 rows the distance errs by less than 0.006 with probability above 0.999."""
    rng = np.random.default_rng(9)
    assert measured(rng.normal(size=200_000), rng.normal(0.5, size=200_000)).effect == pytest.approx(0.5, abs=0.02)


def test_disjoint_samples_have_distance_one() -> None:
    assert ks_distance(np.array([3, 0]), np.array([0, 4])) == 1.0
    assert measured(np.arange(50.0), np.arange(50.0) + 100).p_value < 1e-20
