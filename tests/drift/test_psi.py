"""PSI against hand vectors and normal theory; its threshold against simulation."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from robustcert.drift.psi import psi, psi_law, psi_measurement
from robustcert.evaluation.statistics import binomial_quantile


def test_a_published_hand_vector() -> None:
    """Shares .5 .3 .2 against .4 .4 .2: (.1) ln(1.25) + (-.1) ln(.75)."""
    found = psi(np.array([50, 30, 20]), np.array([40, 40, 20]), continuity=0.0)
    assert found == pytest.approx(0.1 * np.log(1.25) - 0.1 * np.log(0.75), rel=1e-12)


def test_it_is_both_relative_entropies() -> None:
    a_G, b_G = np.array([12, 30, 58]), np.array([20, 25, 155])
    p_G, q_G = a_G / a_G.sum(), b_G / b_G.sum()
    both = stats.entropy(p_G, q_G) + stats.entropy(q_G, p_G)
    assert psi(a_G, b_G, continuity=0.0) == pytest.approx(both, rel=1e-12)


def test_a_group_that_one_sample_lacks_counts_as_the_continuity_says() -> None:
    a_G, b_G = np.array([0, 10]), np.array([5, 5])
    values = [psi(a_G, b_G, continuity=continuity) for continuity in (0.5, 1.0, 5.0)]
    assert np.isfinite(values).all()
    assert values == sorted(values, reverse=True)
    p_G, q_G = np.array([0.5, 10.5]) / 11, np.array([5.5, 5.5]) / 11
    assert values[0] == pytest.approx(((p_G - q_G) * np.log(p_G / q_G)).sum())


@pytest.mark.parametrize(
    ("n", "m", "bins", "alpha"), [(200, 200, 10, 0.001), (5_000, 300, 10, 0.05), (900, 900, 4, 0.01)]
)
def test_the_threshold_is_that_of_chi_square(n: int, m: int, bins: int, alpha: float) -> None:
    expected = (1 / n + 1 / m) * stats.chi2.ppf(1 - alpha, bins - 1)
    assert psi_law(n, m, bins=bins).threshold(alpha) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(("n", "m"), [(200, 200), (2_000, 400), (5_000, 5_000)])
def test_clean_samples_exceed_the_threshold_as_rarely_as_it_says(n: int, m: int) -> None:
    """4,000 clean pairs at 1 %: more than 1.4 times as many false alarms fail this with probability below 1e-4."""
    rng = np.random.default_rng(n)
    limit = psi_law(n, m, bins=10).threshold(0.01)
    pairs = zip(rng.multinomial(n, [0.1] * 10, size=4_000), rng.multinomial(m, [0.1] * 10, size=4_000), strict=True)
    alarms = sum(psi(a_G, b_G) > limit for a_G, b_G in pairs)
    assert 15 <= alarms <= binomial_quantile(0.9999, 4_000, 0.01)


def test_the_customary_tenth_fires_on_clean_small_windows() -> None:
    rng = np.random.default_rng(5)
    pairs = rng.multinomial(200, [0.1] * 10, size=(2, 2_000))
    assert sum(psi(a_G, b_G) > 0.1 for a_G, b_G in zip(*pairs, strict=True)) > 0.02 * 2_000
    assert psi_law(200, 200, bins=10).threshold(0.001) > 0.25


def test_measurement_p_value_threshold_and_effect_agree() -> None:
    rng = np.random.default_rng(1)
    a_G, b_G = rng.multinomial(3_000, [0.1] * 10), rng.multinomial(2_000, [0.13] + [0.87 / 9] * 9)
    found = psi_measurement(a_G, b_G)
    assert found.score == psi(a_G, b_G)
    assert found.p_value == pytest.approx(stats.chi2.sf(found.score / (1 / 3_000 + 1 / 2_000), 9), rel=1e-9)
    assert found.law.threshold(found.p_value) == pytest.approx(found.score, rel=1e-9)
    assert found.score_of_effect(found.effect) == pytest.approx(found.score, rel=1e-9)
    assert found.effect_name == "equivalent_shift"


@pytest.mark.parametrize("shift", [0.25, 0.5, 1.0])
def test_the_effect_of_a_shifted_normal_column_is_its_shift(shift: float) -> None:
    """Ten groups of equal mass lose a few per cent of it."""
    cuts = stats.norm.ppf(np.arange(1, 10) / 10)
    a_G, b_G = (np.diff(stats.norm.cdf(cuts - move), prepend=0, append=1) * 1e7 for move in (0.0, shift))
    found = psi_measurement(a_G.astype(np.int64), b_G.astype(np.int64))
    assert found.effect == pytest.approx(shift, rel=0.05)
