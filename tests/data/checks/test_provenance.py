from typing import Any

import pytest

from robustcert.data.checks import provenance
from robustcert.data.checks.facts import Check, Facts
from robustcert.specification import Provenance
from tests.data.examples import PROVENANCE, facts, image_data, raw_images

APPROVAL = {"id": "IRB-7", "authority": "ethics board", "expires": "2026-05-17"}
COMPLETE = {**PROVENANCE, "personalData": "none", "approvals": (APPROVAL,)}


def stated(*, profile: str = "high-stakes", **fields: Any) -> Facts:
    """Facts whose provenance is complete but for these fields; the day is 2026-05-17."""
    written = {key: value for key, value in {**COMPLETE, **fields}.items() if value is not None}
    return facts(image_data(), raw_images(), provenance=Provenance.model_validate(written), profile=profile)


@pytest.mark.parametrize(
    "check", [provenance.provenance, provenance.personal_data, provenance.approvals, provenance.approval_expiry]
)
def test_a_complete_provenance_passes(check: Check) -> None:
    assert check(stated()) is None


@pytest.mark.parametrize("field", ["source", "licence", "collectedAt"])
@pytest.mark.parametrize("text", ["unknown", "TODO", "n/a", "-", "<TBD>", "None"])
def test_a_placeholder_is_a_missing_field(field: str, text: str) -> None:
    breach = provenance.provenance(stated(profile="standard", **{field: text}))
    assert breach is not None
    assert breach.message == (f"expected a complete provenance, got {field} {text!r}; state it in data.provenance")


@pytest.mark.parametrize("field", ["source", "licence", "collected_at"])
def test_an_empty_field_is_a_missing_field(field: str) -> None:
    empty = stated().provenance.model_copy(update={field: ""})
    assert provenance.provenance(facts(image_data(), raw_images(), provenance=empty)) is not None


def test_the_high_stakes_profile_needs_personal_data_stated() -> None:
    breach = provenance.personal_data(stated(personalData=None))
    assert breach is not None
    assert breach.message.startswith("expected personalData in profile high-stakes, got nothing; set")
    assert provenance.personal_data(stated(personalData=None, profile="standard")) is None


def test_the_high_stakes_profile_needs_an_approval() -> None:
    breach = provenance.approvals(stated(approvals=()))
    assert breach is not None
    assert breach.message.startswith(
        "expected an approval in profile high-stakes, got none; add data.provenance.approvals"
    )
    assert provenance.approvals(stated(approvals=(), profile="standard")) is None


@pytest.mark.parametrize("profile", ["standard", "high-stakes"])
def test_an_expired_approval_is_found_in_any_profile(profile: str) -> None:
    expired = {**APPROVAL, "expires": "2026-05-16"}
    breach = provenance.approval_expiry(stated(approvals=(APPROVAL, expired), profile=profile))
    assert breach is not None
    assert breach.message == (
        "expected approvals that are current on 2026-05-17, got approval 'IRB-7' that expires 2026-05-16; "
        "have it renewed, or drop the data"
    )


def test_an_approval_that_expires_on_no_day_of_the_calendar_is_found() -> None:
    odd = stated().provenance.approvals[0].model_copy(update={"expires": "2026-02-30"})
    given = stated().provenance.model_copy(update={"approvals": (odd,)})
    breach = provenance.approval_expiry(facts(image_data(), raw_images(), provenance=given))
    assert breach is not None
    assert "that expires 2026-02-30;" in breach.message
