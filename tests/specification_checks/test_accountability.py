"""What a person answers for: approvals, reasons, wording."""

from robustcert.specification_checks import accountability
from tests.specification_checks.edited import ABSENT, messages, said

HIGH_STAKES = {"profile": "high-stakes"}
REASON = {"training.noiseSigma": "why", "certification.method": "why", "certification.n": "why"}


def test_an_overstatement_in_the_claim_is_refused_by_its_words() -> None:
    check = accountability.claim_says_what_was_measured
    claim = "On the digits of the test split, this network is unhackable."
    assert said(check, claim=claim) == [("claim", "error")]
    assert "'unhackable'" in messages(check, claim=claim)[0]
    assert said(check, claim="Within radius 0.25 the votes on test digits are robust.") == []


def test_personal_data_are_declared_in_the_high_stakes_profile_and_advised_elsewhere() -> None:
    check, absent = accountability.personal_data_are_declared, {"data__provenance__personalData": ABSENT}
    assert said(check, "breast-cancer", **absent) == [("data.provenance", "error")]
    assert said(check, "breast-cancer", profile="standard", **absent) == [("data.provenance", "warning")]
    assert said(check, "breast-cancer") == []
    assert said(check, **HIGH_STAKES) == [], "the embedded data sets declare it themselves"


def test_an_approval_is_mandatory_in_the_high_stakes_profile() -> None:
    check = accountability.approvals_are_named
    assert said(check, "breast-cancer") == []
    assert said(check, "breast-cancer", data__provenance__approvals=[]) == [("data.provenance", "error")]
    assert said(check, **HIGH_STAKES) == [("data.provenance", "error")]
    assert said(check) == []


def test_an_approval_is_advised_where_data_are_personal() -> None:
    found = said(accountability.approvals_are_named, "images", data__provenance__personalData="pseudonymised")
    assert found == [("data.provenance", "warning")]


def test_every_value_that_is_not_the_default_needs_its_rationale() -> None:
    check = accountability.choices_have_a_rationale
    changes = {"training__epochs": 41, "evaluation__samples": 100, "certification__alpha": 0.01, "validity__days": 30}
    paths = ["training.epochs", "evaluation.samples", "certification.alpha", "validity.days"]
    assert said(check, **changes) == [(path, "warning") for path in paths]
    assert said(check, **changes, **HIGH_STAKES) == [(path, "error") for path in paths]
    reasons = {**REASON, **dict.fromkeys(paths, "why")}
    assert said(check, **changes, rationale=reasons) == []


def test_the_rationale_of_a_section_covers_its_values() -> None:
    assert (
        said(
            accountability.choices_have_a_rationale,
            training__epochs=41,
            rationale={"training": "why", "certification": "why"},
        )
        == []
    )


def test_a_threat_model_that_pgd_needs_is_no_choice_against_a_default() -> None:
    assert said(accountability.choices_have_a_rationale, rationale=REASON) == []


def test_a_rationale_for_nothing_is_refused_with_the_nearest_path() -> None:
    check = accountability.rationale_names_existing_paths
    assert messages(check, rationale={"training.noise_sigma": "why"}) == [
        "expected the path of a value, got 'training.noise_sigma'; did you mean 'training.noiseSigma'?"
    ]
    good = {"threatModels[0].epsilon": "a", "certification": "b", "data.splits.test": "c", "model.width": "d"}
    assert said(check, rationale=good) == []


def test_of_an_unknown_source_nothing_is_asked() -> None:
    """References name the source; nobody is asked to approve data that do not exist."""
    for check in (accountability.personal_data_are_declared, accountability.approvals_are_named):
        assert said(check, data__source="builtin:digit", **HIGH_STAKES) == []


def test_leave_to_train_anew_needs_its_reason() -> None:
    allowed = {"recertification": {"retrain": "allowed"}}
    found = said(accountability.choices_have_a_rationale, **allowed)
    assert ("recertification.retrain", "warning") in found
    assert said(accountability.choices_have_a_rationale, recertification={"retrain": "never"}) == [
        item for item in found if item[0] != "recertification.retrain"
    ]
