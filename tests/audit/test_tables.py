"""Tables against numpy, scipy and simulation."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import numpy as np
import pytest
from scipy import stats

from robustcert.audit.claim import Claim
from robustcert.audit.log import LogForm
from robustcert.audit.source import open_source
from robustcert.audit.survey import survey
from robustcert.audit.tables import UNKNOWN, Table, average_interval, median_interval, round_radii, table
from robustcert.smoothing.certified_accuracy import Tally
from tests.audit.conftest import Log


def tables(log: Log, **claim: object) -> Table:
    claimed = Claim(**claim)
    return table(survey(open_source(log.write(), claim=claimed, form=LogForm())))


def radii_of(log: Log) -> np.ndarray:
    return np.array([float(line[3]) if line[1] == line[2] else 0.0 for line in log.lines])


def test_figures_are_those_of_numpy(clean_log: Callable[..., Log]) -> None:
    log = clean_log(201)
    found, radii = tables(log, radii=(Decimal("0.25"), Decimal("0.5"))), radii_of(log)
    assert float(found.average_radius) == pytest.approx(radii.mean(), abs=1e-6)
    assert float(found.median_radius) == pytest.approx(np.median(radii), abs=1e-6)
    assert found.abstention.count == sum(line[2] == -1 for line in log.lines)
    assert [point.rate.count for point in found.curve] == [(radii >= 0.25).sum(), (radii >= 0.5).sum()]
    plain = stats.binomtest(int((radii >= 0.25).sum()), 201).proportion_ci(0.95, "exact")
    assert float(found.curve[0].rate.lower) == pytest.approx(plain.low, abs=2e-6)
    assert found.curve[0].true_at_once is None


def test_a_known_alpha_deducts_false_certificates(clean_log: Callable[..., Log]) -> None:
    log = clean_log(500)
    found = tables(log, alpha=0.001, radii=(Decimal(0),)).curve[0]
    assert found.true_at_once == found.rate.count - stats.binom.ppf(0.999, 500, 0.001)


def test_an_average_without_the_largest_radius_has_no_upper_end(clean_log: Callable[..., Log]) -> None:
    log = clean_log(50)
    assert tables(log).average_interval[1] == UNKNOWN
    assert float(tables(log, sigma=0.5, alpha=0.001, n=100_000).average_interval[1]) < 1.9058


def test_intervals_cover_as_often_as_they_say() -> None:
    """1,000 logs of 60 samples: both ends of both intervals miss at most 2.5 % (4 standard errors)."""
    generator, top, rounds = np.random.default_rng(5), 1.9, 1000
    truth = {"average": 0.6 * top / 2, "median": np.quantile([0.0] * 4000 + list(np.linspace(0, top, 6000)), 0.5)}
    missed = dict.fromkeys([(name, end) for name in truth for end in (0, 1)], 0)
    for _ in range(rounds):
        radii = np.where(generator.uniform(size=60) < 0.4, 0, generator.uniform(0, top, 60))
        tally = Tally(of=60, abstained=0, right={f"{radius:.9f}": 1 for radius in radii if radius})
        ends = {"average": average_interval(tally, largest=top), "median": median_interval(tally)}
        for name, (lower, upper) in ends.items():
            missed[name, 0] += float(lower) > truth[name]
            missed[name, 1] += float(upper) < truth[name]
    assert max(missed.values()) <= rounds * 0.025 + 4 * np.sqrt(rounds * 0.025)


def test_the_medians_interval_is_of_order_statistics() -> None:
    tally = Tally(of=100, abstained=0, right={f"{rank / 100:.2f}": 1 for rank in range(1, 101)})
    rank = int(stats.binom.ppf(0.025, 100, 0.5))
    assert stats.binom.cdf(rank - 1, 100, 0.5) <= 0.025
    assert median_interval(tally) == (f"{rank / 100:.6f}", f"{(101 - rank) / 100:.6f}")


def test_few_samples_have_no_interval_of_the_median() -> None:
    assert median_interval(Tally(of=3, abstained=0, right={"0.5": 3})) == ("0.000000", UNKNOWN)


def test_nothing_certified_is_zero_everywhere() -> None:
    tally = Tally(of=50, abstained=50, right={})
    assert average_interval(tally, largest=None) == ("0.000000", UNKNOWN)
    assert median_interval(tally) == ("0.000000", "0.000000")
    assert round_radii({}) == (Decimal(0),)


@pytest.mark.parametrize("largest", ["0.00031", "0.457", "1.96", "3.8115", "17", "12345"])
def test_round_radii_are_few_and_reach_far(largest: str) -> None:
    radii = round_radii({largest: 1})
    assert 4 <= len(radii) <= 12
    assert radii[-1] <= Decimal(largest) < radii[-1] + (radii[1] - radii[0])
