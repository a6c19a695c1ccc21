"""One pass: counts by hand, memory that grows by a few bytes a row."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Iterator
from decimal import Decimal

import pytest

from robustcert.audit import survey as module
from robustcert.audit.claim import Claim
from robustcert.audit.log import LogRow
from robustcert.audit.source import LogSource
from robustcert.audit.survey import Survey, survey
from robustcert.errors import InputError


def rows(count: int, *, different: int = 500) -> Iterator[LogRow]:
    for place in range(count):
        yield LogRow(
            line=place + 2, sample=place, label=place % 10, predicted=place % 7 or None,
            radius=Decimal(place % different) / 1000 if place % 7 else Decimal(0), unit=Decimal("0.001"),
            correct=None, sigma=None, fault=None,
        )  # fmt: skip


def taken(count: int, **changes: int) -> Survey:
    return survey(LogSource(name="log", claim=Claim(), rows=rows(count, **changes)))


def test_rows_are_counted_by_outcome_and_radius() -> None:
    found, given = taken(700), list(rows(700))
    right = [row for row in given if row.predicted == row.label]
    assert (found.abstained, len(found.samples)) == (100, 700)
    assert sorted(found.right.elements()) == sorted(str(row.radius) for row in right)
    assert found.tally.certified(Decimal("0.3")) == sum(row.radius >= Decimal("0.3") for row in right)
    assert sum(found.wrong.values()) == 600 - len(right)
    assert (found.fingerprints == 0).sum() == sum(not row.radius for row in given)
    assert "0" not in found.radius_counts


def test_memory_grows_by_a_few_bytes_a_row() -> None:
    peaks = []
    for count in (10_000, 40_000):
        tracemalloc.start()
        taken(count)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert (peaks[1] - peaks[0]) / 30_000 < 40


def test_more_radii_than_votes_can_give_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_RADII", 100)
    with pytest.raises(InputError, match="expected at most 100 different radii, got more in log"):
        taken(5000)


@pytest.mark.parametrize("check", [taken])
def test_a_claim_without_parameters_fits_no_alpha(check: Callable[[int], Survey]) -> None:
    found = {finding.check: finding for finding in check(10).findings()}
    assert found["radius cap"].status == "cannot tell"
