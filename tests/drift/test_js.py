"""Jensen-Shannon against scipy; its threshold, derived in the module, against simulation."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from scipy.spatial.distance import jensenshannon

from robustcert.drift.js import js_divergence, js_law, js_measurement
from robustcert.evaluation.statistics import binomial_quantile


@pytest.mark.parametrize("seed", range(5))
def test_its_root_is_the_distance_of_scipy(seed: int) -> None:
    a_G, b_G = np.random.default_rng(seed).integers(0, 9, size=(2, 12))
    assert js_divergence(a_G, b_G) == pytest.approx(jensenshannon(a_G, b_G) ** 2, rel=1e-9)


def test_it_is_zero_for_equal_shares_and_ln_2_for_disjoint_ones() -> None:
    assert js_divergence(np.array([1, 2, 0]), np.array([10, 20, 0])) == pytest.approx(0.0, abs=1e-15)
    assert js_divergence(np.array([5, 0]), np.array([0, 7])) == pytest.approx(np.log(2))


@pytest.mark.parametrize(("n", "m", "bins", "alpha"), [(200, 200, 10, 0.001), (5_000, 300, 6, 0.05)])
def test_the_threshold_is_an_eighth_of_chi_square(n: int, m: int, bins: int, alpha: float) -> None:
    expected = (1 / n + 1 / m) / 8 * stats.chi2.ppf(1 - alpha, bins - 1)
    assert js_law(n, m, bins=bins).threshold(alpha) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(("n", "m"), [(300, 300), (2_000, 400), (5_000, 5_000)])
def test_clean_samples_exceed_the_threshold_as_rarely_as_it_says(n: int, m: int) -> None:
    """4,000 clean pairs at 1 %: more than 1.4 times as many false alarms fail this with probability below 1e-4."""
    rng = np.random.default_rng(n + 1)
    limit = js_law(n, m, bins=10).threshold(0.01)
    pairs = zip(rng.multinomial(n, [0.1] * 10, size=4_000), rng.multinomial(m, [0.1] * 10, size=4_000), strict=True)
    alarms = sum(js_divergence(a_G, b_G) > limit for a_G, b_G in pairs)
    assert 15 <= alarms <= binomial_quantile(0.9999, 4_000, 0.01)


def test_the_mean_of_clean_scores_is_that_of_the_law() -> None:
    """Mean of 2,000 scores against scale times degrees: five standard errors are 5 %."""
    rng = np.random.default_rng(2)
    pairs = rng.multinomial(3_000, [0.1] * 10, size=(2, 2_000))
    mean = np.mean([js_divergence(a_G, b_G) for a_G, b_G in zip(*pairs, strict=True)])
    assert mean == pytest.approx(9 * (2 / 3_000) / 8, rel=0.055)


def test_measurement_p_value_threshold_and_effect_agree() -> None:
    found = js_measurement(np.array([100, 200, 300]), np.array([150, 150, 350]))
    assert found.score == js_divergence(np.array([100, 200, 300]), np.array([150, 150, 350]))
    assert found.p_value == pytest.approx(stats.chi2.sf(found.score * 8 / (1 / 600 + 1 / 650), 2), rel=1e-9)
    assert found.law.threshold(found.p_value) == pytest.approx(found.score, rel=1e-9)
    assert found.score_of_effect(found.effect) == pytest.approx(found.score, rel=1e-9)
    assert found.effect_name == "equivalent_shift"


@pytest.mark.parametrize("shift", [0.25, 0.5])
def test_the_effect_of_a_shifted_normal_column_is_its_shift(shift: float) -> None:
    cuts = stats.norm.ppf(np.arange(1, 10) / 10)
    a_G, b_G = (np.diff(stats.norm.cdf(cuts - move), prepend=0, append=1) * 1e7 for move in (0.0, shift))
    assert js_measurement(a_G.astype(np.int64), b_G.astype(np.int64)).effect == pytest.approx(shift, rel=0.05)
