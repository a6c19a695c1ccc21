"""Tails of weighed squares: against Imhof's integral, against chi-square, and there and back."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from scipy.integrate import quad

from robustcert.drift.quadratic_form import QuadraticFormLaw

ANDERSON_DARLING = 1 / (np.arange(1, 60) * np.arange(2, 61))
ROWS = {
    "Anderson-Darling": ANDERSON_DARLING,
    "two unlike": np.array([0.8, 0.2]),
    "two alike": np.array([0.55, 0.45]),
    "ten": np.arange(1, 11) / 55,
}


def imhof(weights: np.ndarray, score: float) -> float:
    """P(sum > score) by numerical inversion: J. P. Imhof, Biometrika 48 (1961) 419-426, equation 3.2."""

    def integrand(u: float) -> float:
        angle = 0.5 * np.arctan(weights * u).sum() - 0.5 * score * u
        return float(np.sin(angle) / (u * np.exp(0.25 * np.log1p((weights * u) ** 2).sum())))

    return 0.5 + quad(integrand, 0, 400 / score, limit=4_000, epsabs=1e-9)[0] / np.pi


@pytest.mark.parametrize("name", ["Anderson-Darling", "ten"])
@pytest.mark.parametrize("alpha", [0.5, 0.05, 0.01, 0.001])
def test_the_p_value_is_near_the_exact_one(name: str, alpha: float) -> None:
    law = QuadraticFormLaw(weights=ROWS[name])
    assert 0.92 <= imhof(ROWS[name], law.threshold(alpha)) / alpha <= 1.04


@pytest.mark.parametrize(("score", "p"), [(1.933, 0.10), (2.492, 0.05), (3.878, 0.01)])
def test_the_quantiles_of_anderson_and_darling_come_out(score: float, p: float) -> None:
    """Published: M. A. Stephens (1974), and for 1 % G. and J. Marsaglia, Journal of Statistical Software 9 (2004)."""
    assert QuadraticFormLaw(weights=ANDERSON_DARLING).p_value(score) == pytest.approx(p, rel=0.06)


@pytest.mark.parametrize("name", ROWS)
@pytest.mark.parametrize("alpha", [0.5, 0.3, 0.01, 1e-8])
def test_the_threshold_of_a_p_value_leads_back_to_it(name: str, alpha: float) -> None:
    law = QuadraticFormLaw(weights=ROWS[name])
    assert law.p_value(law.threshold(alpha)) == pytest.approx(alpha, rel=1e-4)


def test_p_values_fall_with_the_score_also_across_the_mean() -> None:
    law = QuadraticFormLaw(weights=ANDERSON_DARLING)
    p_values = [law.p_value(score) for score in (0.0, 1e-6, 0.2, 0.98, 0.983, 0.99, 1.0, 2.0, 50.0, 1e4, 1e7)]
    assert p_values == sorted(p_values, reverse=True)
    assert p_values[0] == 1.0
    assert p_values[-1] < 1e-12


@pytest.mark.parametrize("weights", [[2.0], [0.5, 0.5, 0.5]])
def test_equal_weights_are_exactly_chi_square(weights: list[float]) -> None:
    law = QuadraticFormLaw(weights=np.array(weights))
    assert law.p_value(3.0) == pytest.approx(stats.chi2.sf(3.0 / weights[0], len(weights)), rel=1e-12)
    assert law.threshold(0.01) == pytest.approx(weights[0] * stats.chi2.isf(0.01, len(weights)), rel=1e-9)


def test_without_weights_nothing_can_drift() -> None:
    law = QuadraticFormLaw(weights=np.zeros(3)[:0])
    assert (law.p_value(0.0), law.p_value(1.0), law.threshold(0.01)) == (1.0, 1.0, 0.0)
