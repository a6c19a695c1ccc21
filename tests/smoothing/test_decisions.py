"""From counts to rows. Oracles: scipy's quantiles, closed forms, and the truth that simulated votes are drawn from."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from scipy import stats

from robustcert.errors import ValidityError
from robustcert.smoothing.decisions import (
    Counts,
    Row,
    candidate_stream,
    dense,
    finished_row,
    looks_of,
    plans_of,
    sparse,
    targets,
)
from robustcert.smoothing.noise import Stream
from robustcert.specification import Certification

NONE = Counts(counts=(0, 0, 0))


def certification(**options: Any) -> Certification:
    values = {"sigma": 0.5, "unit": "input", "radii": (0.1, 0.25), "n0": 10, "n": 1000, "alpha": 0.001} | options
    return Certification(**values)


def votes(*counts: int, fragile: int = 0) -> Counts:
    return Counts(counts=counts, fragile=fragile, draws=sum(counts) + fragile)


def row(
    wanted: Certification, estimation: Counts, *, selection: Counts, path: Sequence[int] = (), label: int = 0
) -> Row:
    return finished_row(
        sample=7,
        input_sha256="ab",
        label=label,
        selection=selection,
        estimation=estimation,
        path=path,
        certification=wanted,
        n_classes=len(estimation.counts),
    )


def lower(successes: int, n: int, alpha: float) -> float:
    return float(stats.beta.ppf(alpha, successes, n - successes + 1))


def rounded_down(value: float) -> str:
    return f"{math.floor(value * 10**6) / 10**6:.6f}"


RADII = {
    "gaussian": lambda p, sigma: sigma * stats.norm.ppf(p),
    "uniform": lambda p, sigma: 2 * math.sqrt(3) * sigma * (p - 0.5),
    "laplace": lambda p, sigma: -sigma / math.sqrt(2) * math.log(2 * (1 - p)),
}


@pytest.mark.parametrize("noise", RADII)
@pytest.mark.parametrize("counted", [(990, 7, 3), (700, 300, 0), (560, 350, 90)])
def test_a_fixed_number_of_votes_gives_the_closed_form_of_the_exact_lower_bound(
    noise: str, counted: tuple[int, int, int]
) -> None:
    found = row(certification(noise=noise), votes(*counted[:2], counted[2]), selection=votes(6, 4, 0))
    wanted = RADII[noise](lower(counted[0], 1000, 0.001), 0.5)
    assert (found["decision"], found["candidate"], found["radius"]) == ("certified", 0, rounded_down(wanted))
    assert "path" not in found


def test_no_majority_is_an_abstention_with_radius_0() -> None:
    found = row(certification(), votes(520, 400, 80), selection=votes(10, 0, 0))
    assert (found["decision"], found["radius"]) == ("abstain", "0")


def test_fragile_votes_are_failures_and_of_no_class() -> None:
    found = row(certification(), votes(900, 50, 0, fragile=50), selection=votes(9, 0, 0, fragile=1))
    assert found["radius"] == rounded_down(0.5 * stats.norm.ppf(lower(900, 1000, 0.001)))
    assert (found["fragile"], found["selectionFragile"], found["counts"]) == (50, 1, [[0, 900], [1, 50]])


def test_the_candidate_is_selected_by_votes_of_its_own_with_ties_to_the_first() -> None:
    found = row(certification(), votes(990, 5, 5), selection=votes(2, 4, 4))
    assert (found["candidate"], found["decision"]) == (1, "abstain")


def test_the_label_is_the_candidate_where_it_is_asked_about() -> None:
    wanted = certification(candidate="label")
    assert candidate_stream(wanted) is None
    found = row(wanted, votes(5, 5, 990), selection=NONE, label=2)
    assert (found["candidate"], found["n0"], found["selection"]) == (2, 0, [])
    assert row(wanted, votes(990, 5, 5), selection=NONE, label=2)["decision"] == "abstain"


def test_a_candidate_of_the_votes_that_bound_it_pays_half_of_alpha() -> None:
    found = row(certification(candidate="most-voted"), votes(3, 990, 7), selection=NONE)
    wanted = rounded_down(0.5 * stats.norm.ppf(lower(990, 1000, 0.0005)))
    assert (found["candidate"], found["radius"]) == (1, wanted)


def test_two_bounds_share_alpha_and_all_rivals_pay_for_the_runner_up() -> None:
    found = row(certification(bounds=2), votes(450, 300, 250), selection=votes(9, 1, 0))
    below = lower(450, 1000, 0.0005)
    above = float(stats.beta.isf(0.0005 / 2, 300 + 1, 1000 - 300))
    assert found["radius"] == rounded_down(0.25 * (stats.norm.ppf(below) - stats.norm.ppf(above)))
    assert row(certification(), votes(450, 300, 250), selection=votes(9, 1, 0))["decision"] == "abstain"


def sequential(**options: Any) -> Certification:
    return certification(method="group-sequential", **options)


def sampled(wanted: Certification, generator: np.random.Generator, q: float) -> Row:
    """A row of votes that fail with probability q, drawn as the method says: look by look until all is decided."""
    path: list[int] = []
    drawn = failures = 0
    for look in looks_of(wanted):
        failures += int(generator.binomial(look - drawn, q))
        drawn, path = look, [*path, failures]
        found = row_or_none(wanted, votes(drawn - failures, failures), votes(10, 0), path)
        if found is not None:
            return found
    raise AssertionError("the last look decides everything")


def row_or_none(wanted: Certification, counted: Counts, selection: Counts, path: Sequence[int] = ()) -> Row | None:
    try:
        return row(wanted, counted, selection=selection, path=path)
    except ValidityError as error:
        if not re.search("until every radius is decided|votes, as the pilot planned", str(error)):
            raise
        return None


@pytest.mark.parametrize("noise", ["gaussian", "laplace"])
def test_a_radius_that_does_not_hold_is_certified_no_more_often_than_alpha(noise: str) -> None:
    """400 rows whose true radius is just what 0.25 needs: at alpha 0.05, more than 35 false ones have p < 1e-3."""
    generator = np.random.default_rng(6)
    q = {"gaussian": float(stats.norm.sf(0.5)), "laplace": 0.5 * math.exp(-math.sqrt(2) * 0.5)}[noise]
    wanted = sequential(noise=noise, alpha=0.05, n=600)
    rows = [sampled(wanted, generator, q) for _ in range(400)]
    assert stats.binom.sf(35, 400, 0.05) < 1e-3
    assert sum(Decimal(found["radius"]) >= Decimal("0.25") for found in rows) <= 35
    assert sum(found["decision"] == "certified" for found in rows) > 380


def test_the_radius_is_the_largest_target_as_the_specification_writes_it() -> None:
    generator = np.random.default_rng(1)
    assert targets(sequential()) == sequential().radii
    certain, hopeless = sampled(sequential(), generator, 0.0), sampled(sequential(), generator, 0.9)
    assert (certain["decision"], certain["radius"], certain["fragile"]) == ("certified", "0.25", 0)
    assert (hopeless["decision"], hopeless["radius"]) == ("abstain", "0")
    undecided = sampled(sequential(radii=(0.0, 1.5)), generator, 0.2)
    assert (undecided["decision"], undecided["radius"]) == ("certified", "0")
    unasked = sampled(sequential(radii=(1.5,)), generator, 0.2)
    assert (unasked["decision"], unasked["radius"]) == ("abstain", "0")
    assert len(certain["path"]) < len(looks_of(sequential()))


def test_plans_are_of_level_alpha_at_the_failure_probabilities_of_the_radii() -> None:
    plans = plans_of(sequential())
    assert [plan.q0 for plan in plans] == pytest.approx([stats.norm.sf(0.2), stats.norm.sf(0.5)])
    assert {(plan.alpha, plan.beta, plan.looks[-1]) for plan in plans} == {(0.001, 0.01, 1000)}
    assert {plan.beta for plan in plans_of(sequential(beta=0.1))} == {0.1}


def unanimous() -> tuple[Certification, list[int], int]:
    wanted = sequential(radii=(0.1, 0.9))
    found = sampled(wanted, np.random.default_rng(0), 0.0)
    return wanted, list(found["path"]), found["n"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda path, n: (path[:-1], n), "expected one path entry for each look up to the last vote"),
        (lambda path, n: ([*path, 0], n), "expected one path entry for each look up to the last vote"),
        (lambda path, n: ([], n), "expected one path entry for each look up to the last vote"),
        (lambda path, n: ([*path[:-1], 1], n), "a path that ends with the 0 failures counted, got 1"),
        (lambda path, n: ([1, *path[1:]], n), "failures that grow by no more than the votes drawn"),
    ],
)
def test_a_path_that_is_not_that_of_the_votes_is_refused(change: Any, message: str) -> None:
    wanted, path, n = unanimous()
    path, n = change(path, n)
    with pytest.raises(ValidityError, match=message):
        row(wanted, votes(n, 0), selection=votes(10, 0), path=path)


def test_stopping_before_the_decision_or_after_it_is_refused() -> None:
    wanted, path, _ = unanimous()
    at = looks_of(wanted)
    with pytest.raises(ValidityError, match="votes until every radius is decided"):
        row(wanted, votes(at[0], 0), selection=votes(10, 0), path=path[:1])
    longer = at[len(path)]
    with pytest.raises(ValidityError, match=rf"after every radius is decided, got {len(path) + 1} looks"):
        row(wanted, votes(longer, 0), selection=votes(10, 0), path=[*path, 0])


@pytest.mark.parametrize(
    ("options", "counted", "selection", "path", "message"),
    [
        ({}, votes(999, 0), votes(10, 0), (), "expected 1000 votes, got 999"),
        ({}, votes(1001, 0), votes(10, 0), (), "expected 1000 votes, got 1001"),
        ({}, votes(1000, 0), votes(9, 0), (), "expected 10 votes that select the candidate, got 9"),
        ({}, votes(1000, 0), votes(10, 0), (0,), "expected no path of looks, got 1"),
        (
            {"candidate": "label"},
            votes(1000, 0),
            votes(10, 0),
            (),
            "expected 0 votes that select the candidate, got 10",
        ),
        ({}, Counts(counts=(1000, 0), draws=1001), votes(10, 0), (), "expected 1001 estimation votes, got 1000"),
        ({}, votes(1000, 0), votes(10, 0, 0), (), "expected selection votes of 2 classes, got 3"),
    ],
)
def test_other_votes_than_the_method_draws_are_refused(
    options: dict[str, Any], counted: Counts, selection: Counts, path: Sequence[int], message: str
) -> None:
    with pytest.raises(ValidityError, match=message):
        row(certification(**options), counted, selection=selection, path=path)


def piloted(**options: Any) -> Certification:
    return certification(method="adaptive-pilot", n=100_000, **options)


def test_a_pilot_of_the_published_plans_is_followed_by_as_many_votes() -> None:
    """45 failures of 100 plan 33 493 votes at tolerance 0.05: the pilot goes on; 0 of 10 000 is large enough."""
    with pytest.raises(ValidityError, match="expected a pilot of 150 votes, got 100"):
        row(piloted(), votes(33_493, 0), selection=votes(55, 45))
    assert candidate_stream(piloted()) is Stream.PILOT
    sizes = [100]
    while sizes[-1] < 5000:
        sizes.append(-(-3 * sizes[-1] // 2))
    pilot = votes(sizes[-1], 0)
    planned = next(n for n in range(49_000, 60_000) if row_or_none(piloted(), votes(n, 0), pilot))
    assert planned == 49_038
    found = row(piloted(), votes(planned, 0), selection=pilot)
    assert found["radius"] == rounded_down(0.5 * stats.norm.ppf(lower(planned, planned, 0.001)))
    assert found["path"] == []


def test_a_pilot_without_a_majority_plans_nothing_and_abstains() -> None:
    found = row(piloted(), votes(0, 0, 0), selection=votes(30, 35, 35))
    assert (found["decision"], found["radius"], found["n"], found["counts"]) == ("abstain", "0", 0, [])
    with pytest.raises(ValidityError, match="expected 0 votes, as the pilot planned, got 100"):
        row(piloted(), votes(100, 0, 0), selection=votes(30, 35, 35))


def test_a_pilot_of_a_size_where_none_ends_is_refused() -> None:
    with pytest.raises(ValidityError, match="a pilot that grows by half from 100 votes, got 120"):
        row(piloted(), votes(49_038, 0), selection=votes(120, 0))


def test_sparse_votes_read_back_as_they_were() -> None:
    counted = (0, 5, 0, 2)
    assert dense(sparse(counted), fragile=1, draws=8, n_classes=4) == Counts(counts=counted, fragile=1, draws=8)
