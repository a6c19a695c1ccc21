"""Seeds of two specifications: scipy's t and Welch tests, and sides that are no seeds of one specification."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from scipy import stats

from robustcert.certificate.seed_comparison import ONE_SEED, label, seed_outcomes
from robustcert.errors import DataError
from robustcert.specification_file import parse_specification
from tests.chain import Chain, small_specification

SPECIFICATION = parse_specification(small_specification(), name="small").specification
FIRST, SECOND = (0.90, 0.94, 0.92), (0.80, 0.83, 0.85, 0.80)


def cases(rates: tuple[float, ...], *, name: str, **changes: Any) -> list[Any]:
    """Certificates with these clean accuracies of 1,000 samples, from as many seeds."""
    empty = {"accuracy_under_attack": (), "certified_accuracy": ()}
    return [
        SimpleNamespace(
            specification=SPECIFICATION.model_copy(update={"seed": seed} | changes),
            predicate=SimpleNamespace(
                model=SimpleNamespace(sha256=f"{name}{seed}"),
                results=SimpleNamespace(clean_accuracy=SimpleNamespace(count=round(1000 * rate), of=1000), **empty),
            ),
        )
        for seed, rate in enumerate(rates)
    ]


def test_means_deviations_and_intervals_are_those_of_scipy() -> None:
    (found,) = seed_outcomes(cases(FIRST, name="a"), cases(SECOND, name="b"))
    assert (found.metric, found.first.least, found.second.least) == ("clean_accuracy", 0.90, 0.80)
    assert found.first.mean == pytest.approx(np.mean(FIRST))
    assert found.first.deviation == pytest.approx(np.std(FIRST, ddof=1))
    t = stats.t.interval(0.95, 2, np.mean(FIRST), stats.sem(FIRST))
    assert found.first.interval == pytest.approx(t)
    welch = stats.ttest_ind(FIRST, SECOND, equal_var=False)
    assert found.p == pytest.approx(welch.pvalue)
    assert found.interval == pytest.approx(tuple(welch.confidence_interval(0.95)))


def test_fewer_than_three_seeds_are_described_and_not_compared() -> None:
    (found,) = seed_outcomes(cases(FIRST[:2], name="a"), cases(SECOND, name="b"))
    assert (found.p, found.interval, found.first.interval) == (None, None, None)
    assert found.first.deviation == pytest.approx(np.std(FIRST[:2], ddof=1))
    (single,) = seed_outcomes(cases(FIRST[:1], name="a"), cases(SECOND[:1], name="b"))
    assert single.first.deviation is None


def test_the_label_says_what_a_comparison_is_about() -> None:
    assert label(1, 5) == ONE_SEED
    assert label(2, 3).startswith("2 seeds: described, not compared")
    assert label(3, 4) == "3 and 4 seeds: a statement about training by these two specifications"


def test_seeds_without_any_spread_are_not_compared() -> None:
    (same,) = seed_outcomes(cases((0.5,) * 3, name="a"), cases((0.5,) * 3, name="b"))
    (other,) = seed_outcomes(cases((0.5,) * 3, name="a"), cases((0.25,) * 3, name="b"))
    assert (same.p, same.interval, other.p, other.interval) == (None,) * 4


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (
            lambda side: setattr(side[1].predicate.model, "sha256", "a0"),
            "expected 3 models of one side, got 2 different",
        ),
        (
            lambda side: setattr(
                side[1], "specification", SPECIFICATION.model_copy(update={"seed": 9, "name": "other"})
            ),
            "expected one specification on each side, got several",
        ),
        (
            lambda side: setattr(side[1], "specification", SPECIFICATION.model_copy(update={"seed": 0})),
            "expected another seed in each certificate of a side, got one twice",
        ),
    ],
)
def test_sides_that_are_no_seeds_of_one_specification_are_refused(spoil: Any, message: str) -> None:
    side = cases(FIRST, name="a")
    spoil(side)
    with pytest.raises(DataError, match=message):
        seed_outcomes(side, cases(SECOND, name="b"))


def test_a_real_certificate_has_every_rate_of_its_results(chain: Chain) -> None:
    from tests.certificate.tampering import case_of

    metrics = [found.metric for found in seed_outcomes([case_of(chain)], [case_of(chain)])]
    results = chain.predicate.results
    assert len(metrics) == 1 + len(results.accuracy_under_attack) + len(results.certified_accuracy)
