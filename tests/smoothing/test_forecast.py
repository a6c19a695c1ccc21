"""Oracles: the plans' own expectation; arithmetic on a clock that the test turns."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from robustcert.smoothing.forecast import TYPICAL_FAILURES, Forecast, most_draws, typical_draws
from robustcert.specification import Certification

MakeCertification = Callable[..., Certification]


def test_fixed_n_takes_what_it_says(make_certification: MakeCertification) -> None:
    for candidate, n0 in ((None, 64), ("selected", 64), ("label", 0), ("most-voted", 0)):
        certification = make_certification(n0=64, n=5000, candidate=candidate)
        assert most_draws(certification) == typical_draws(certification) == n0 + 5000


def test_group_sequential_is_expected_to_take_what_simulated_votes_do(make_certification: MakeCertification) -> None:
    """Mean over 300 simulated courses for each typical failure: within 15 %, and never more than the bound."""
    from robustcert.smoothing.decisions import looks_of, plans_of
    from robustcert.smoothing.group_sequential import decide

    certification = make_certification(n0=64, n=5000, radii=(0.5,), method="group-sequential")
    at, plans, generator = looks_of(certification), plans_of(certification), np.random.default_rng(0)
    drawn = []
    for q in TYPICAL_FAILURES:
        for path in generator.binomial(np.diff([0, *at]), q, (300, len(at))).cumsum(axis=1).tolist():
            k = next(k for k in range(1, len(at) + 1) if decide(plans, path[:k]).decided)
            drawn.append(64 + at[k - 1])
    assert max(drawn) <= most_draws(certification) == 5064
    assert typical_draws(certification) == pytest.approx(np.mean(drawn), rel=0.15)


def test_a_pilot_bounds_its_own_draws_too(make_certification: MakeCertification) -> None:
    """Pilots grow 100, 150, 225, 338, 507, 761, 1142, 1713 ...; a tenth of 10,000 is reached at 1142."""
    certification = make_certification(n=10_000, method="adaptive-pilot")
    assert most_draws(certification) == 11_142
    assert 1000 < typical_draws(certification) < 11_142


def test_time_left_is_told_as_an_estimate_and_a_bound(make_certification: MakeCertification) -> None:
    now = [100.0]
    certification = make_certification(n0=100, n=9900, method="group-sequential")
    forecast = Forecast(certification, samples=100, clock=lambda: now[0])
    assert forecast.text() == ""
    forecast.reused(20)
    assert forecast.text() == ""
    now[0] += 10.0
    forecast.done(10, draws=5000)
    assert forecast.text() == "about 2 min left, at most 24 min (500 draws a sample so far, at most 10,000)"
    forecast.done(70, draws=1)
    assert forecast.text() == ""


def test_of_few_samples_the_mean_is_not_told(make_certification: MakeCertification) -> None:
    now = [0.0]
    certification = make_certification(n0=64, n=5000, method="group-sequential")
    forecast = Forecast(certification, samples=1000, clock=lambda: now[0])
    now[0] = 1.0
    forecast.done(1, draws=96)
    assert f"({typical_draws(certification):,} draws a sample expected, at most 5,064)" in forecast.text()
