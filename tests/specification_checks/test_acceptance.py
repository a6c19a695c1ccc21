"""Criteria that no model can meet, or none can miss. The oracle for the limits is scipy."""

import math

import pytest
from scipy import stats

from robustcert.smoothing.decisions import plans_of
from robustcert.specification_checks import acceptance
from tests.specification_checks.edited import messages, said, specification


@pytest.mark.parametrize("n", [100, 1000, 100_000])
def test_a_radius_is_refused_exactly_above_what_n_votes_can_certify(n: int) -> None:
    largest = 0.25 * stats.norm.isf(1 - 0.001 ** (1 / n))
    below, above = [round(largest - 1e-6, 7)], [round(largest + 1e-6, 7)]
    assert said(acceptance.radii_can_be_certified, certification__n=n, certification__radii=below) == []
    found = said(acceptance.radii_can_be_certified, certification__n=n, certification__radii=above)
    assert found == [("certification.radii.0", "error")]


def test_an_accuracy_of_one_and_an_abstention_of_zero_are_impossible() -> None:
    assert said(acceptance.thresholds_can_be_met, acceptance__0__threshold=1) == [("acceptance.0.threshold", "error")]
    assert said(acceptance.thresholds_can_be_met, acceptance__3__threshold=0) == [("acceptance.3.threshold", "error")]
    assert said(acceptance.thresholds_can_be_met) == []


@pytest.mark.parametrize(("number", "section"), [(1, "evaluation"), (2, "certification")])
def test_few_samples_limit_the_accuracy_that_can_be_shown(number: int, section: str) -> None:
    best = stats.binomtest(50, 50).proportion_ci(0.95, method="exact").low
    changes = {f"{section}__samples": 50, f"acceptance__{number}__threshold": best - 1e-5}
    assert said(acceptance.thresholds_can_be_met, **changes) == []
    changes[f"acceptance__{number}__threshold"] = best + 1e-5
    assert said(acceptance.thresholds_can_be_met, **changes) == [(f"acceptance.{number}.threshold", "error")]
    assert "the most that 50 samples can show" in messages(acceptance.thresholds_can_be_met, **changes)[0]


def test_few_samples_limit_the_abstention_that_can_be_shown() -> None:
    best = stats.binomtest(0, 50).proportion_ci(0.95, method="exact").high
    found = said(acceptance.thresholds_can_be_met, certification__samples=50, acceptance__3__threshold=best - 1e-5)
    assert ("acceptance.3.threshold", "error") in found


def test_a_threshold_that_nothing_misses_is_advised_against() -> None:
    check = acceptance.thresholds_can_be_missed
    found = said(check, acceptance__0__threshold=0, acceptance__3__threshold=1)
    assert found == [("acceptance.0.threshold", "warning"), ("acceptance.3.threshold", "warning")]
    assert said(check) == []


def test_a_limit_on_abstentions_wants_radius_0_where_only_the_registered_radii_are_asked_about() -> None:
    check, sequential = acceptance.abstentions_are_asked_about, {"certification__method": "group-sequential"}
    found = said(check, **sequential, certification__radii=[0.1, 0.25])
    assert found == [("acceptance.3.metric", "warning")]
    assert said(check, **sequential, certification__radii=[0, 0.25]) == []
    assert said(check, certification__method="fixed-n", certification__radii=[0.1, 0.25]) == []


RADIUS_OF_ALL = {
    "gaussian": lambda failure: stats.norm.isf(failure),
    "uniform": lambda failure: 2 * math.sqrt(3) * (0.5 - failure),
    "laplace": lambda failure: -math.log(2 * failure) / math.sqrt(2),
}


@pytest.mark.parametrize("noise", RADIUS_OF_ALL)
@pytest.mark.parametrize(("options", "alpha"), [({}, 0.001), ({"certification__candidate": "most-voted"}, 0.0005)])
def test_the_largest_radius_is_that_of_the_noise_and_of_the_level_that_is_left(
    noise: str, options: dict[str, str], alpha: float
) -> None:
    largest = 0.25 * RADIUS_OF_ALL[noise](1 - alpha ** (1 / 1000))
    for radius, problems in ((largest - 1e-6, 0), (largest + 1e-6, 1)):
        options = {"certification__method": "fixed-n", **options}
        changes = {"certification__noise": noise, "certification__n": 1000, "certification__radii": [round(radius, 8)]}
        assert len(said(acceptance.radii_can_be_certified, **changes, **options)) == problems


@pytest.mark.parametrize("radius", [0.79, 0.81])
def test_a_radius_that_no_sequential_plan_can_certify_is_refused(radius: float) -> None:
    """The plan of a radius beyond the limit has no look at which even no failures certify."""
    changes = {"certification__method": "group-sequential", "certification__n": 10_000}
    largest = 0.25 * stats.norm.isf(1 - 0.001 ** (1 / 10_000))
    wanted = specification(**changes, certification__radii=[largest * radius / 0.8])
    attainable = max(plans_of(wanted.certification)[-1].certify_at) >= 0
    assert attainable == (not list(acceptance.radii_can_be_certified(wanted))) == (radius < 0.8)
