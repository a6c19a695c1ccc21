"""Oracles: scipy's distributions, and the probability of a half-space, which noise of each kind takes exactly."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.stats

from robustcert.smoothing.noise_kinds import KINDS

DISTRIBUTIONS = {
    "gaussian": scipy.stats.norm(),
    "uniform": scipy.stats.uniform(-math.sqrt(3), 2 * math.sqrt(3)),
    "laplace": scipy.stats.laplace(scale=math.sqrt(0.5)),
}


@pytest.mark.parametrize("name", sorted(KINDS))
@pytest.mark.parametrize("margin", [0.01, 0.3, 1.2])
def test_a_half_space_at_some_distance_is_certified_exactly_that_far(name: str, margin: float) -> None:
    """Noise of deviation sigma crosses x_1 = margin with probability 1 - cdf; the certified radius is the margin."""
    sigma = 0.75
    failure = float(DISTRIBUTIONS[name].sf(margin / sigma))
    assert KINDS[name].radius(failure, sigma=sigma) == pytest.approx(margin, rel=1e-12)
    assert KINDS[name].failure_at(margin, sigma=sigma) == pytest.approx(failure, rel=1e-12)


@pytest.mark.parametrize("name", sorted(KINDS))
def test_the_distributions_that_are_meant_have_variance_1(name: str) -> None:
    assert DISTRIBUTIONS[name].var() == pytest.approx(1)


@pytest.mark.parametrize("name", sorted(KINDS))
def test_radius_and_failure_are_inverse_and_fall_together(name: str) -> None:
    failures = np.geomspace(1e-12, 0.499, 60)
    radii = np.array([KINDS[name].radius(float(q), sigma=2.0) for q in failures])
    assert (np.diff(radii) < 0).all()
    assert radii[-1] > 0
    back = [KINDS[name].failure_at(float(radius), sigma=2.0) for radius in radii]
    assert back == pytest.approx(failures, rel=1e-9, abs=1e-15)


def test_uniform_noise_certifies_nothing_beyond_its_width() -> None:
    """Moved by 2 sqrt(3) sigma in all, no noise is shared."""
    kind = KINDS["uniform"]
    assert kind.radius(0.0, sigma=1.0) == pytest.approx(math.sqrt(3))
    assert kind.failure_at(2.0, sigma=1.0) == 0.0


def test_norms_are_those_of_the_theorems() -> None:
    assert {name: kind.norm for name, kind in KINDS.items()} == {"gaussian": "l2", "uniform": "l1", "laplace": "l1"}
    assert all(kind.name == name for name, kind in KINDS.items())
