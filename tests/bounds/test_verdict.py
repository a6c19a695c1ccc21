"""Rows, the invariant between stages, and what verdicts say about robust accuracy."""

import json

import numpy as np
import pytest
from scipy.stats import beta

from robustcert.bounds.verdict import SampleVerdict, margins, refuse_below, refuse_both, summary, witness_sha256
from robustcert.errors import ValidityError
from robustcert.provenance.digests import canonical_json


def verdict(**changes: object) -> SampleVerdict:
    wanted: dict[str, object] = {
        "sample": 7,
        "input_sha256": "0" * 64,
        "label": 1,
        "verdict": "verified",
        "stage": "crown",
        "tolerance": 2**-13,
        "bounds_Q": np.array([0.1234567899, -np.inf]),
    }
    return SampleVerdict(**(wanted | changes))


def test_bounds_are_rounded_down_and_the_label_has_none() -> None:
    row = verdict().row()
    assert row["bounds"] == ["0.123456789", "", ""]
    assert row["tolerance"] == "0.000122071"


def test_rows_are_canonical_json_without_floats() -> None:
    row = verdict(verdict="falsified", witness=np.ones((1, 2), np.float32)).row()
    assert json.loads(canonical_json(row)) == row
    assert row["witness"] == witness_sha256(np.ones((1, 2), np.float32))


def test_margins_leave_the_label_out() -> None:
    assert margins([1.0, 5.0, 2.0], label=1).tolist() == [4.0, 3.0]


def test_a_point_below_a_proved_bound_ends_the_run() -> None:
    bounds = np.array([0.5, -np.inf])
    refuse_below(np.array([0.4999, -9.0]), bounds, sample=3, tolerance=1e-3, stage="the attack")
    with pytest.raises(ValidityError, match=r"a point of milp that lies 0.1 below a bound, at sample 3"):
        refuse_below(np.array([0.4, -9.0]), bounds, sample=3, tolerance=1e-3, stage="milp")


@pytest.mark.parametrize("verified", ["interval", "crown", "alpha-crown", "milp", "branch-and-bound"])
@pytest.mark.parametrize("falsified", ["attack", "milp", "branch-and-bound"])
def test_no_pair_of_stages_may_verify_and_falsify(verified: str, falsified: str) -> None:
    with pytest.raises(ValidityError, match=f"sample 9 verified by {verified} and falsified by {falsified}"):
        refuse_both(9, verified=verified, falsified=falsified)


def test_verified_is_a_lower_and_not_refuted_an_upper_bound_with_clopper_pearson_intervals() -> None:
    names = ["wrong"] * 3 + ["falsified"] * 5 + ["verified"] * 30 + ["unknown"] * 2
    found = summary([{"verdict": name} for name in names])
    assert (found.verified.count, found.possible.count, found.total) == (30, 32, 40)
    assert float(found.verified.lower) == pytest.approx(beta.ppf(0.025, 30, 11), abs=1e-6)
    assert float(found.possible.upper) == pytest.approx(beta.ppf(0.975, 33, 8), abs=1e-6)
