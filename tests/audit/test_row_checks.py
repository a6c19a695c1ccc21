"""Row checks, one by one: which can be made, and what each says."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from robustcert.audit.claim import Claim
from robustcert.audit.lattice import Lattice
from robustcert.audit.log import LogRow
from robustcert.audit.row_checks import NO_VOTES, fits, printed_above, row_checks

CLAIM = Claim(sigma=0.5, alpha=0.001, n=100_000)
ROW = LogRow(
    line=2, sample=7, label=1, predicted=1, radius=Decimal("0.5"), unit=Decimal("0.001"), correct=True, sigma="0.5",
    fault=None,
)  # fmt: skip


def faults(row: LogRow, claim: Claim = CLAIM, **columns: Any) -> dict[str, str]:
    known = {"has_correct": True, "has_sigma": True, "evidence": False, "votes_open": ""} | columns
    found = {check.name: check.fault and check.fault(row) for check in row_checks(claim, **known)}
    return {name: reason for name, reason in found.items() if reason}


def test_an_honest_row_has_no_fault() -> None:
    assert faults(ROW) == {}


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"radius": Decimal("nan")}, {"numbers": "radius NaN"}),
        ({"radius": Decimal("inf")}, {"numbers": "radius Infinity"}),
        ({"radius": Decimal("-1")}, {"numbers": "radius -1"}),
        ({"predicted": None, "correct": False, "radius": Decimal("nan")}, {"numbers", "abstentions"}),
        (
            {"predicted": None, "correct": True, "radius": Decimal(0)},
            {"abstentions": "an abstention that counts as correct"},
        ),
        ({"predicted": None, "correct": False}, {"abstentions": "an abstention with radius 0.5"}),
        ({"correct": False}, {"correct column": "correct is 0 for label 1 and prediction 1"}),
        ({"label": 2}, {"correct column": "correct is 1 for label 2 and prediction 1"}),
        ({"radius": Decimal("1.907")}, {"radius cap": "radius 1.907, at most 1.905728 is possible"}),
        ({"sigma": "0.25"}, {"one sigma": "sigma 0.25, others have 0.5"}),
        ({"sigma": "x"}, {"one sigma": "sigma 'x'"}),
    ],
)
def test_each_fault_is_named(changes: dict[str, Any], fault: Any) -> None:
    found = faults(ROW._replace(**changes))
    assert (found if isinstance(fault, dict) else set(found)) == fault


def test_votes_are_judged_where_there_are_votes() -> None:
    row = ROW._replace(fault="radius '9' for '1'")
    assert faults(row) == {}
    assert faults(row, evidence=True) == {"votes": "radius '9' for '1'"}
    open_checks = {
        check.name: check.open_because
        for check in row_checks(CLAIM, has_correct=False, has_sigma=False, evidence=False, votes_open="")
        if check.fault is None
    }
    assert open_checks.keys() == {"correct column", "one sigma", "votes"}
    assert open_checks["votes"] == NO_VOTES


def test_radii_that_were_rounded_up_to_nearest_are_known_and_allowed() -> None:
    row = ROW._replace(radius=Decimal("1.91"), unit=Decimal("0.01"))
    assert printed_above(row, claim=CLAIM)
    assert faults(row) == {}
    strict = Claim(sigma=0.5, alpha=0.001, n=100_000, rounding="down")
    assert set(faults(row, strict)) == {"radius cap"}
    assert not printed_above(ROW, claim=CLAIM)


def test_a_radius_fits_or_does_not() -> None:
    lattice = Lattice.of(CLAIM)
    assert lattice is not None
    assert fits(Decimal("1.905"), Decimal("0.001"), lattice=lattice, rounds_down=True)
    assert not fits(Decimal("1.9"), Decimal("0.001"), lattice=lattice, rounds_down=True)
