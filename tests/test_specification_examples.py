"""The values of the examples: what the embedded ones promise to demonstrate."""

import json
from typing import Any

import pytest

from robustcert.data.contract import PROVENANCES
from robustcert.specification import Specification
from robustcert.specification_examples import EXAMPLES


def example(kind: str) -> Specification:
    return Specification.model_validate_json(json.dumps(EXAMPLES[kind]))


def test_digits_shows_images_attacked_and_certified_in_raw_input_units() -> None:
    digits = example("digits")
    assert digits.data.source == "builtin:digits"
    assert {threat.norm for threat in digits.threat_models} == {"linf", "l2"}
    assert {criterion.metric for criterion in digits.acceptance} == {
        "clean_accuracy",
        "accuracy_under_attack",
        "certified_accuracy",
        "abstention_rate",
    }


def test_breast_cancer_shows_the_high_stakes_profile_with_an_approval_marked_as_fictional() -> None:
    clinical = example("breast-cancer")
    assert clinical.profile == "high-stakes"
    assert clinical.data.provenance is not None
    assert clinical.data.provenance.source == PROVENANCES["breast-cancer"].source
    (approval,) = clinical.data.provenance.approvals
    assert "FICTIONAL" in approval.id
    assert "FICTIONAL" in approval.authority
    assert {threat.unit for threat in clinical.threat_models} == {clinical.certification.unit} == {"feature_std"}


@pytest.mark.parametrize("kind", ["images", "table"])
def test_the_skeletons_mark_what_must_be_replaced(kind: str) -> None:
    text = json.dumps(EXAMPLES[kind])
    for mark in ("YOUR TEAM", "YOUR USE", "YOUR CLAIM", "YOUR SOURCE", "YOUR LICENCE"):
        assert mark in text


@pytest.mark.parametrize("kind", EXAMPLES)
def test_noise_in_training_is_the_noise_of_certification(kind: str) -> None:
    specification: Any = example(kind)
    assert specification.training.noise_sigma == specification.certification.sigma
