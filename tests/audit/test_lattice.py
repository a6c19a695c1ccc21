"""Attainable radii against scipy's, by brute force over all counts."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pytest
from scipy import stats

from robustcert.audit.claim import Claim
from robustcert.audit.lattice import MOST_VOTES, Lattice, Place
from robustcert.smoothing.noise_kinds import KINDS

N, ALPHA, SIGMA = 500, 0.01, 0.5
LATTICE = Lattice(n=N, alpha=ALPHA, sigma=SIGMA, kind=KINDS["gaussian"])


def every_radius() -> np.ndarray:
    """All radii above 0 that N votes can give, descending, by scipy's beta quantile."""
    failures = np.arange(N)
    radii = SIGMA * stats.norm.ppf(stats.beta.ppf(ALPHA, N - failures, failures + 1))
    return radii[radii > 0]


def test_the_largest_radius_is_the_cap() -> None:
    assert LATTICE.largest == pytest.approx(SIGMA * stats.norm.ppf(ALPHA ** (1 / N)), rel=1e-12)
    assert Lattice(n=1, alpha=0.001, sigma=1.0, kind=KINDS["gaussian"]).largest == 0


@pytest.mark.parametrize("digits", [2, 3, 4, 5])
@pytest.mark.parametrize("down", [True, False])
def test_every_attainable_radius_fits_as_it_is_printed(digits: int, down: bool) -> None:
    unit = Decimal(1).scaleb(-digits)
    for radius in every_radius():
        exact = Decimal(float(radius))
        printed = exact.quantize(unit, rounding="ROUND_DOWN" if down else "ROUND_HALF_EVEN")
        assert LATTICE.place(printed, unit, rounds_down=down) in {Place.ATTAINABLE, Place.ABOVE}


def test_what_lies_between_attainable_radii_is_told_by_brute_force() -> None:
    unit, radii = Decimal("0.0001"), every_radius()
    found = []
    for step in range(1, 13_000, 7):
        printed = step * unit
        value, half = float(printed), 0.00005
        place = LATTICE.place(printed, unit, rounds_down=False)
        found.append(place)
        below, above = np.abs(radii - value + half / 2) <= half / 2, np.abs(radii - value - half / 2) <= half / 2
        wanted = (
            Place.BEYOND
            if value - half > radii[0]
            else Place.ATTAINABLE
            if above.any()
            else Place.ABOVE
            if below.any()
            else Place.ROUNDED_UP
            if ((radii >= value - 2 * half) & (radii < value)).any()
            else Place.NOWHERE
        )
        assert place is wanted, printed
    assert set(found) == set(Place)


@pytest.mark.parametrize("kind", ["uniform", "laplace"])
def test_other_noise_has_its_own_radii(kind: str) -> None:
    lattice = Lattice(n=N, alpha=ALPHA, sigma=SIGMA, kind=KINDS[kind])
    failure = 1 - stats.beta.ppf(ALPHA, N - 20, 21)
    scale = SIGMA / np.sqrt(2)
    radius = 2 * np.sqrt(3) * SIGMA * (0.5 - failure) if kind == "uniform" else -scale * np.log(2 * failure)
    assert lattice.has_between(radius * (1 - 1e-9), radius * (1 + 1e-9))
    assert not lattice.has_between(radius * (1 + 1e-6), radius * (1 + 2e-6))


def test_a_claim_that_leaves_something_open_has_no_lattice() -> None:
    full = {"sigma": 0.5, "alpha": 0.001, "n": 100}
    assert Lattice.of(Claim(**full)) is not None
    for name in full:
        assert Lattice.of(Claim(**full | {name: None})) is None
    assert Lattice.of(Claim(**full | {"n": MOST_VOTES + 1})) is None
