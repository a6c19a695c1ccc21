from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from robustcert.evaluation.adversarials import Adversarials
from robustcert.provenance.digests import sha256_bytes
from robustcert.report.worst_samples import (
    ABSTAINED,
    CHANGED,
    FEWEST,
    MOST,
    WEAK,
    WRONG,
    WorstSample,
    withheld,
    worst_samples,
)
from tests.report.sample_certificate import Sample


def chosen(sample: Sample, **changes: Any) -> list[WorstSample]:
    given: dict[str, Any] = {
        "certification_rows": sample.certification_rows,
        "evaluation_rows": sample.evaluation_rows,
        "adversarials": sample.adversarials,
    }
    return worst_samples(changes.pop("predicate", sample.predicate), sample.dataset, **(given | changes))


def test_between_five_and_twelve_samples_are_shown_each_once(any_sample: Sample) -> None:
    numbers = [found.row["sample"] for found in chosen(any_sample)]
    assert 5 <= len(numbers) <= MOST <= 12
    assert len(numbers) == len(set(numbers))


def test_changed_samples_come_by_the_share_of_epsilon_they_needed(any_sample: Sample) -> None:
    shares = [found.share_of_size for found in chosen(any_sample) if found.reason == CHANGED]
    assert shares == sorted(shares)
    epsilons = {threat.name: float(threat.epsilon) for threat in any_sample.predicate.threat_models}
    stored = [
        float(row["distance"]) / epsilons[row["threat"]]
        for row in any_sample.evaluation_rows
        if row["perturbed"] and float(row["epsilon"]) == epsilons[row["threat"]]
    ]
    assert shares[0] == pytest.approx(min(stored))


def test_every_perturbed_input_that_is_shown_is_the_one_in_the_evidence(any_sample: Sample) -> None:
    shown = [found for found in chosen(any_sample) if found.x_adv is not None]
    assert shown
    for found in shown:
        assert found.x_adv is not None
        assert sha256_bytes(found.x_adv.tobytes()) == found.row["perturbed"]


def test_perturbed_inputs_that_are_not_those_of_the_evidence_are_not_shown(digits: Sample) -> None:
    other = {key: replace(found, x_adv=found.x_adv + np.float32(1e-3)) for key, found in digits.adversarials.items()}
    assert {found.reason for found in chosen(digits, adversarials=other)} == {WRONG}


def test_rows_of_an_unknown_threat_are_passed_over(digits: Sample) -> None:
    rows = [row | {"threat": "another"} for row in digits.evaluation_rows]
    assert {found.reason for found in chosen(digits, evaluation_rows=rows)} == {WRONG}


def test_samples_that_are_wrong_unperturbed_follow(digits: Sample) -> None:
    wrong = [found for found in chosen(digits) if found.reason == WRONG]
    assert wrong
    assert all(found.row["prediction"] != found.row["label"] for found in wrong)


def test_a_faultless_model_is_shown_where_it_abstained_or_was_certified_least(digits: Sample) -> None:
    faultless = [row | {"prediction": row["label"], "perturbed": ""} for row in digits.evaluation_rows]
    found = chosen(digits, evaluation_rows=faultless)
    assert len(found) == FEWEST
    abstained = sum(row["decision"] == "abstain" for row in digits.certification_rows)
    assert [sample.reason for sample in found] == [ABSTAINED] * abstained + [WEAK] * (FEWEST - abstained)
    least = sorted(float(row["radius"]) for row in digits.certification_rows)[:FEWEST]
    assert [float(sample.row["radius"]) for sample in found] == least


def test_fewer_samples_than_five_are_all_shown(digits: Sample) -> None:
    found = chosen(digits, evaluation_rows=[], certification_rows=digits.certification_rows[:3])
    assert len(found) == 3


@pytest.mark.parametrize(
    ("kind", "shown"),
    [("none", True), ("anonymised", True), ("pseudonymised", False), ("identifiable", False), (None, True)],
)
def test_samples_of_persons_are_withheld(digits: Sample, kind: str | None, shown: bool) -> None:
    data = digits.predicate.data
    other = data.model_copy(update={"provenance": data.provenance | {"personalData": kind}})
    predicate = digits.predicate.model_copy(update={"data": other})
    assert bool(chosen(digits, predicate=predicate)) == shown
    assert withheld(predicate) == ("" if shown else kind)


def test_an_attack_that_stored_nothing_shows_nothing(digits: Sample) -> None:
    nothing = Adversarials(sample_ids=np.zeros(0, np.int64), x_adv=np.zeros((0, 1, 8, 8), np.float32))
    for stored in (dict.fromkeys(digits.adversarials, nothing), {}):
        assert {found.reason for found in chosen(digits, adversarials=stored)} == {WRONG}
