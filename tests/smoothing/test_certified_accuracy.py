"""Oracles: rows counted by hand, scipy.stats, a simulation of false certificates with a stated failure probability."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.stats

from robustcert.errors import InputError
from robustcert.evaluation.statistics import binomial_quantile
from robustcert.smoothing.certified_accuracy import (
    GAMMA,
    abstention_rate,
    average_certified_radius,
    band,
    certified_accuracy,
    curve,
    median_certified_radius,
    shared_noise_alpha,
    simultaneous_count,
    simultaneous_count_with_shared_noise,
    smoothed_accuracy,
)
from robustcert.smoothing.confidence import largest_radius

ALPHA = 0.001


def row(
    sample: int, *, label: int = 0, candidate: int = 0, radius: str = "0", decision: str = "certified"
) -> dict[str, Any]:
    return {"sample": sample, "label": label, "candidate": candidate, "decision": decision, "radius": radius}


@pytest.fixture
def five_rows() -> list[dict[str, Any]]:
    return [
        row(0, radius="0.500000"),
        row(1, radius="0.300001"),
        row(2, radius="0.900000", label=1),
        row(3, decision="abstain"),
        row(4, radius="0.100000"),
    ]


def many(right: int, of: int) -> list[dict[str, Any]]:
    return [row(i, radius="0.250000") if i < right else row(i, decision="abstain") for i in range(of)]


@pytest.mark.parametrize(
    ("radius", "count"), [(0, 3), (0.1, 3), ("0.100001", 2), (0.3, 2), (0.5, 1), ("0.500001", 0), (10.0, 0)]
)
def test_certified_accuracy_counts_right_rows_with_enough_radius_among_all_rows(
    five_rows: list[dict[str, Any]], radius: float | str, count: int
) -> None:
    found = certified_accuracy(five_rows, radius, alpha=ALPHA)
    assert (found.count, found.of) == (count, 5)


def test_a_radius_written_as_a_float_means_its_shortest_decimal() -> None:
    """0.1 as a float is a little above one tenth; a row certified at 0.100000 is certified at 0.1."""
    assert certified_accuracy([row(0, radius="0.100000")], 0.1, alpha=ALPHA).count == 1


def test_abstentions_are_certified_at_no_radius_whatever_their_row_says() -> None:
    rows = [row(0, radius="2.000000", decision="abstain"), row(1, radius="0.000000")]
    assert certified_accuracy(rows, 0, alpha=ALPHA).count == 1
    assert smoothed_accuracy(rows).count == 1
    assert average_certified_radius(rows) == "0.000000"
    assert abstention_rate(rows).count == 1


def test_interval_bounds_the_population_after_deducting_false_certificates() -> None:
    """lower: Clopper-Pearson at .025 - gamma of K - 4, where 4 = qBin(.999; 450, .001); upper: at .025 of K."""
    found = certified_accuracy(many(400, 450), 0.25, alpha=ALPHA)
    deducted = 400 - int(scipy.stats.binom.ppf(0.999, 450, ALPHA))
    lower = scipy.stats.binomtest(deducted, 450).proportion_ci(1 - 2 * (0.025 - 0.001), method="exact").low
    upper = scipy.stats.binomtest(400, 450).proportion_ci(0.95, method="exact").high
    assert deducted == 396
    assert simultaneous_count(many(400, 450), 0.25, alpha=ALPHA) == 396
    assert 0 <= lower - float(found.lower) < 1e-6
    assert 0 <= float(found.upper) - upper < 1e-6
    assert found.estimate == "0.888889"
    assert found.confidence == "0.95"


def test_lower_end_exceeds_the_true_proportion_no_more_often_than_it_says() -> None:
    """4,000 data sets of 200 points, 70 % truly robust; each other point is falsely certified with alpha = .2.

    Without the deduction nearly every lower end would be false. At level .025 this fails under 1 in 15,000.
    """
    trials, of, truth, alpha = 4_000, 200, 0.7, 0.2
    generator = np.random.Generator(np.random.Philox(1))
    robust = generator.binomial(of, truth, trials)
    certified = robust + generator.binomial(of - robust, alpha)
    lower = {int(k): float(certified_accuracy(many(int(k), of), 0.25, alpha=alpha).lower) for k in np.unique(certified)}
    false = np.mean([lower[int(k)] > truth for k in certified])
    plain = np.mean([scipy.stats.beta.ppf(0.025, k, of - k + 1) > truth for k in certified])
    assert false <= 0.025 + 4 * (0.025 * 0.975 / trials) ** 0.5
    assert plain > 0.3


def test_fewer_certificates_than_may_be_false_leave_nothing() -> None:
    assert simultaneous_count(many(2, 450), 0.25, alpha=ALPHA) == 0
    assert certified_accuracy(many(2, 450), 0.25, alpha=ALPHA).lower == "0.000000"


def test_numbers_of_false_certificates_are_the_published_quantiles() -> None:
    """Independent noise, alpha = .001: 95 % and 99.9 % quantiles at 500 and at 10,000 samples."""
    found = {of: tuple(binomial_quantile(level, of, ALPHA) for level in (0.95, 0.999)) for of in (500, 10_000)}
    assert found == {500: (2, 4), 10_000: (15, 21)}
    for of, quantiles in found.items():
        assert quantiles == tuple(int(scipy.stats.binom.ppf(level, of, ALPHA)) for level in (0.95, 0.999))
    assert simultaneous_count(many(10_000, 10_000), 0.25, alpha=ALPHA) == 10_000 - 21


def test_shared_noise_is_paid_for_by_markov_or_by_the_number_of_samples() -> None:
    """Errors that come all at once, with probability alpha: at least m are false with probability alpha N / N."""
    rows = many(400, 450)
    assert simultaneous_count_with_shared_noise(rows, 0.25, alpha=ALPHA) == 0
    assert simultaneous_count_with_shared_noise(rows, 0.25, alpha=1e-4) == 400 - 44  # P(at least 45) <= .045 / 45
    for of in (1, 3, 7, 450, 10_000):
        level = shared_noise_alpha(of)
        assert 0.999999 * GAMMA < of * level <= GAMMA
        assert simultaneous_count_with_shared_noise(many(of, of), 0.25, alpha=level) == of
    assert simultaneous_count_with_shared_noise(rows, 0.3, alpha=1e-6) == 0, "none is certified at .3"
    with pytest.raises(InputError, match="expected at least one certificate, got 0"):
        shared_noise_alpha(0)


def test_the_price_of_shared_noise_is_the_published_one() -> None:
    """Unanimous 100,000 votes, 10,000 samples: 3.60 sigma with shared noise, 3.81 with independent noise."""
    shared = largest_radius(100_000, alpha=shared_noise_alpha(10_000), sigma=1.0)
    assert shared == pytest.approx(3.60, abs=0.005)
    assert largest_radius(100_000, alpha=ALPHA, sigma=1.0) == pytest.approx(3.81, abs=0.005)


def test_smoothed_accuracy_and_abstention_rate_are_plain_exact_rates() -> None:
    rows = many(400, 450)
    for found, count in ((smoothed_accuracy(rows), 400), (abstention_rate(rows), 50)):
        exact = scipy.stats.binomtest(count, 450).proportion_ci(0.95, method="exact")
        assert (found.count, found.of) == (count, 450)
        assert float(found.lower) == pytest.approx(exact.low, abs=1e-6)
        assert float(found.upper) == pytest.approx(exact.high, abs=1e-6)


def test_summary_radii_count_wrong_and_abstained_rows_as_0_and_round_down(five_rows: list[dict[str, Any]]) -> None:
    """(.5 + .300001 + 0 + 0 + .1) / 5 = .1800002; sorted 0, 0, .1, .300001, .5."""
    assert average_certified_radius(five_rows) == "0.180000"
    assert median_certified_radius(five_rows) == "0.100000"
    assert median_certified_radius(five_rows[:2]) == "0.300001"
    assert average_certified_radius([row(0, radius="1.000000"), row(1), row(2)]) == "0.333333"


def test_curve_is_certified_accuracy_at_each_radius_and_never_rises() -> None:
    generator = np.random.Generator(np.random.Philox(2))
    rows = [row(i, radius=f"{r:.6f}") for i, r in enumerate(generator.uniform(0, 1, 300))]
    radii = (0.0, 0.25, 0.5, 0.75, 1.0)
    points = curve(rows, radii, alpha=ALPHA, confidence=0.9)
    assert [radius for radius, _ in points] == ["0.0", "0.25", "0.5", "0.75", "1.0"]
    assert [rate for _, rate in points] == [certified_accuracy(rows, r, alpha=ALPHA, confidence=0.9) for r in radii]
    for part in ("lower", "estimate", "upper"):
        values = [float(getattr(rate, part)) for _, rate in points]
        assert values == sorted(values, reverse=True)


def test_band_shares_the_failure_probability_among_the_radii_but_pays_for_false_certificates_once() -> None:
    radii = (0.1, 0.2, 0.25)
    rows = many(400, 450)
    lower = scipy.stats.beta.ppf((0.025 - GAMMA) / 3, 396, 450 - 396 + 1)
    upper = scipy.stats.beta.isf(0.025 / 3, 401, 50)
    for _, rate in band(rows, radii, alpha=ALPHA):
        assert float(rate.lower) == pytest.approx(lower, abs=1e-6)
        assert float(rate.upper) == pytest.approx(upper, abs=1e-6)
    assert band(rows, radii[:1], alpha=ALPHA) == curve(rows, radii[:1], alpha=ALPHA)


def test_rows_that_prove_nothing_are_refused() -> None:
    for function in (smoothed_accuracy, abstention_rate, average_certified_radius, median_certified_radius):
        with pytest.raises(InputError, match="expected evidence rows, got none"):
            function([])
        with pytest.raises(InputError, match="expected each sample once"):
            function([row(3), row(3)])
    with pytest.raises(InputError, match="expected each sample once"):
        certified_accuracy([row(3), row(3)], 0.1, alpha=ALPHA)


@pytest.mark.parametrize("radius", [-0.1, float("nan"), float("inf")])
def test_a_radius_that_is_no_distance_is_refused(radius: float) -> None:
    with pytest.raises(InputError, match="expected a radius of at least 0"):
        certified_accuracy([row(0)], radius, alpha=ALPHA)


def test_a_confidence_that_leaves_nothing_beside_gamma_is_refused() -> None:
    with pytest.raises(InputError, match=r"ask for a confidence below 0\.998"):
        certified_accuracy([row(0)], 0.1, alpha=ALPHA, confidence=0.999)
