"""Converted radii against corners and axes of the balls, in exact arithmetic; l1 noise against its half-spaces (T2)."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from scipy import integrate, stats

from robustcert.errors import InputError
from robustcert.smoothing.conversions import feature_readings, linf_of
from robustcert.smoothing.noise_kinds import KINDS


@pytest.mark.parametrize("dimension", [1, 2, 3, 784, 150_528])
@pytest.mark.parametrize("radius", ["0.000001", "0.7071", "1.5", "3.811457"])
def test_the_corner_of_the_linf_ball_lies_in_the_certified_ball_and_a_larger_one_does_not(
    dimension: int, radius: str
) -> None:
    step = Fraction(1, 10**6)
    l2, l1 = (Fraction(linf_of(radius, norm=norm, dimension=dimension).linf) for norm in ("l2", "l1"))
    assert l2**2 * dimension <= Fraction(radius) ** 2 < (l2 + step) ** 2 * dimension
    assert l1 * dimension <= Fraction(radius) < (l1 + step) * dimension


def test_the_dimension_is_printed_with_the_radius() -> None:
    assert str(linf_of("1.2", norm="l1", dimension=4)) == "linf 0.300000 (from l1 1.2 / 4: 4 coordinates)"


def test_a_feature_alone_may_move_by_the_radius_in_its_own_unit() -> None:
    found = feature_readings("0.5", scale=(12.5, 0.0, 3.0), features=("age", "sex", "bmi"), units=("years", "", ""))
    assert [str(line) for line in found] == [
        "age alone may move by 6.250000 years",
        "sex: no change is certified",
        "bmi alone may move by 1.500000",
    ]


def test_the_reading_is_the_reach_of_the_ellipsoid_of_a_half_space() -> None:
    """A linear classifier w.x > t with noise diag(scale^2 sigma^2): its radius in units of scale is margin / |w scale|.

    Moving feature i alone by its reading never crosses the plane, and reaches it exactly where w is along axis i.
    """
    generator = np.random.default_rng(0)
    for axis in range(4):
        scale = generator.uniform(0.1, 5, size=4)
        w = generator.normal(size=4) if axis else np.array([2.0, 0, 0, 0])
        margin = 0.8
        readings = feature_readings(
            f"{margin / np.linalg.norm(w * scale):.6f}", scale=scale.tolist(), features=tuple("abcd")
        )
        reached = [abs(w[i]) * float(readings[i].alone) for i in range(4)]
        assert max(reached) <= margin + 1e-5 * 10
        if not axis:
            assert reached[0] == pytest.approx(margin, abs=1e-4)


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(InputError, match="expected 1 coordinate or more, got 0"):
        linf_of("1", norm="l2", dimension=0)
    with pytest.raises(InputError, match="expected a radius of 0 or more, got -1"):
        linf_of("-1", norm="l2", dimension=3)
    with pytest.raises(InputError, match="expected a scale per feature, got 1 features, 2 scales, 0 units"):
        feature_readings("1", scale=(1.0, 2.0), features=("a",))


@pytest.mark.parametrize("name", ["uniform", "laplace", "gaussian"])
@pytest.mark.parametrize("sigma", [0.25, 1.0])
@pytest.mark.parametrize("margin", [0.01, 0.2, 0.4])
def test_the_radius_of_a_half_space_along_an_axis_is_its_margin(name: str, sigma: float, margin: float) -> None:
    """T2: f(x) = 1 where x_1 > -margin; the failure probability is scipy's distribution function."""
    noise = {
        "uniform": stats.uniform(-np.sqrt(3) * sigma, 2 * np.sqrt(3) * sigma),
        "laplace": stats.laplace(scale=sigma / np.sqrt(2)),
        "gaussian": stats.norm(scale=sigma),
    }[name]
    assert noise.std() == pytest.approx(sigma)
    failure = float(noise.cdf(-margin))
    assert KINDS[name].radius(failure, sigma=sigma) == pytest.approx(margin, rel=1e-9)
    assert KINDS[name].failure_at(margin, sigma=sigma) == pytest.approx(failure, rel=1e-9)


@pytest.mark.parametrize("name", ["uniform", "laplace"])
def test_no_classifier_of_one_coordinate_loses_more_than_the_l1_radius_allows(name: str) -> None:
    """The worst classifier by Neyman and Pearson, by quadrature: after a shift by the radius it has half the vote."""
    sigma, failure = 1.0, 0.1
    noise = {"uniform": stats.uniform(-np.sqrt(3), 2 * np.sqrt(3)), "laplace": stats.laplace(scale=1 / np.sqrt(2))}[
        name
    ]
    radius = KINDS[name].radius(failure, sigma=sigma)
    t = np.linspace(-12, 12, 240_001)
    clean, moved = noise.pdf(t), noise.pdf(t - radius)
    order = np.argsort(-np.log(np.maximum(clean, 1e-300)) + np.log(np.maximum(moved, 1e-300)), kind="stable")
    width = t[1] - t[0]
    kept = np.cumsum(clean[order]) * width <= 1 - failure
    assert integrate.trapezoid(clean, t) == pytest.approx(1, abs=1e-3)
    assert float(moved[order][kept].sum() * width) == pytest.approx(0.5, abs=1e-3)
