"""Rows checked again: true ones hold, and every single change of one is seen."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from robustcert.bounds.pipeline import ProofConfig, Prover
from robustcert.bounds.proof_file import ProofHeader
from robustcert.bounds.proof_threat import ProofThreat
from robustcert.bounds.recheck import Rechecker, recheck
from robustcert.bounds.verdict import SampleVerdict, witness_sha256
from robustcert.errors import DataError
from tests.bounds.digits_nets import digits_body, digits_dataset, loaded

DATASET = digits_dataset(samples=40)
MODEL = loaded(digits_body(width=16, epsilon=0.1, epochs=8), hidden=(16, 16))
HEADER = ProofHeader(
    model="0" * 64,
    dataset="0" * 64,
    norm="linf",
    epsilon="0.08",
    unit="input",
    time_limit="30.000",
    steps=15,
    restarts=2,
    alpha_iterations=30,
    seed=0,
)


@pytest.fixture(scope="module")
def found() -> dict[str, SampleVerdict]:
    """One verdict of each kind and stage."""
    threat = ProofThreat.of(DATASET, norm="linf", epsilon="0.08", unit="input")
    verdicts = Prover(MODEL, threat, ProofConfig(steps=15, restarts=2)).verdicts(DATASET.select("test"))
    return {f"{verdict.verdict} by {verdict.stage}": verdict for verdict in verdicts}


@pytest.fixture(scope="module")
def rechecker() -> Rechecker:
    return Rechecker(MODEL, DATASET, HEADER)


def reason(rechecker: Rechecker, found: SampleVerdict, /, **changes: Any) -> str | None:
    return rechecker.reason(found.row() | changes, witness=found.witness)


def test_rows_of_every_stage_hold(rechecker: Rechecker, found: dict[str, SampleVerdict]) -> None:
    assert {"wrong by clean", "falsified by attack", "verified by crown", "verified by branch-and-bound"} <= set(found)
    assert [reason(rechecker, verdict) for verdict in found.values()] == [None] * len(found)


@pytest.mark.parametrize(
    ("kind", "changes", "wanted"),
    [
        ("verified by crown", {"input": "1" * 64}, "an input other than"),
        ("verified by crown", {"label": 11}, "a label other than"),
        ("verified by crown", {"verdict": "robust"}, "an unknown verdict 'robust'"),
        ("verified by crown", {"tolerance": "0.000000001"}, "a tolerance other than"),
        ("verified by crown", {"verdict": "wrong"}, "wrong though classified as labelled"),
        ("wrong by clean", {"verdict": "verified"}, "verified though classified wrongly"),
        ("verified by crown", {"verdict": "falsified"}, "falsified without a witness"),
        ("falsified by attack", {"witness": "1" * 64}, "a witness other than the one in the row"),
        ("falsified by attack", {"verdict": "verified"}, "verified with a bound that does not exceed"),
        ("verified by crown", {"bounds": []}, "verified with a bound that does not exceed"),
    ],
)
def test_every_change_of_a_row_is_named(
    rechecker: Rechecker, found: dict[str, SampleVerdict], kind: str, changes: dict[str, Any], wanted: str
) -> None:
    assert wanted in str(reason(rechecker, found[kind], **changes))


@pytest.mark.parametrize("kind", ["verified by crown", "verified by branch-and-bound"])
def test_a_bound_that_is_claimed_too_high_is_refused(
    rechecker: Rechecker, found: dict[str, SampleVerdict], kind: str
) -> None:
    verdict = found[kind]
    assert verdict.bounds_Q is not None
    for row in (int(verdict.bounds_Q.argmin()), int(verdict.bounds_Q.argmax())):
        raised = verdict.bounds_Q.copy()
        raised[row] += 0.01 if kind == "verified by crown" else 100.0
        assert "a claimed bound of" in str(reason(rechecker, replace(verdict, bounds_Q=raised)))


def test_a_sample_falsified_elsewhere_is_not_verified_by_a_claim(
    rechecker: Rechecker, found: dict[str, SampleVerdict]
) -> None:
    claimed = replace(found["falsified by attack"], verdict="verified", stage="milp", bounds_Q=np.full(9, 0.5))
    assert "a claimed bound of" in str(reason(rechecker, claimed))


def test_a_witness_outside_the_ball_or_classified_as_labelled_is_refused(
    rechecker: Rechecker, found: dict[str, SampleVerdict]
) -> None:
    verdict = found["falsified by attack"]
    x = DATASET.rows([verdict.sample]).x()[0].astype(np.float32)
    for point, wanted in (
        (1 - x, "a witness outside the ball"),
        (x, "a witness that the model classifies as labelled"),
    ):
        row = verdict.row() | {"witness": witness_sha256(point)}
        assert rechecker.reason(row, witness=point) == wanted


def test_one_row_can_be_checked_alone_and_an_unknown_sample_is_an_error(found: dict[str, SampleVerdict]) -> None:
    row = found["verified by crown"].row()
    assert recheck(row, model=MODEL, dataset=DATASET, header=HEADER) is None
    with pytest.raises(DataError, match="expected sample ids of the data set"):
        recheck(row | {"sample": 99_999}, model=MODEL, dataset=DATASET, header=HEADER)
