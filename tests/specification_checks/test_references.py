"""Whatever a specification names must exist."""

import pytest

from robustcert.specification_checks import CHOICES, REFERENCES, references
from tests.specification_checks.edited import messages, said, specification


@pytest.mark.parametrize("kind", ["digits", "breast-cancer", "images", "table"])
def test_the_examples_name_only_what_exists(kind: str) -> None:
    assert [finding for check in REFERENCES for finding in check(specification(kind))] == []


def test_an_unknown_builtin_source_is_named() -> None:
    check = references.builtin_data_exist
    assert said(check, data__source="builtin:digit") == [("data.source", "error")]
    assert "builtin:digits or builtin:breast-cancer" in messages(check, data__source="builtin:digit")[0]


def test_two_threat_models_of_one_name_are_both_named() -> None:
    check = references.threat_models_differ_in_name
    found = said(check, threatModels__1__name="linf-0.1")
    assert found == [("threatModels.0.name", "error"), ("threatModels.1.name", "error")]


def test_training_against_an_unknown_threat_model_gets_the_nearest_one() -> None:
    check = references.training_names_a_threat_model
    assert messages(check, training__threatModel="linf-01") == [
        "expected the name of a threat model, got 'linf-01'; did you mean 'linf-0.1'?"
    ]


def test_a_criterion_of_an_unknown_threat_model_gets_the_known_ones() -> None:
    check = references.criteria_name_threat_models
    assert messages(check, acceptance__1__threatModel="patch") == [
        "expected the name of a threat model, got 'patch'; known: linf-0.1, l2-0.5"
    ]


def test_an_unknown_suite_gets_the_nearest_one_before_anything_runs() -> None:
    assert messages(references.suite_exists, evaluation__suite="quick@7") == [
        "expected one of the suites quick@1, got 'quick@7'; did you mean 'quick@1'?"
    ]
    assert references.suite_exists in CHOICES
    assert references.suite_exists not in REFERENCES


def test_a_criterion_at_a_radius_that_is_not_computed_gets_those_that_are() -> None:
    check = references.criteria_name_certified_radii
    assert messages(check, acceptance__2__radius=0.3) == [
        "expected a radius of certification.radii (0, 0.1, 0.25, 0.5), got 0.3; take one of them, or add it there"
    ]
