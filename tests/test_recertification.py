"""Why a model is certified again and when its certificate is suspended: each check alone, their order, their edges."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from robustcert.recertification import (
    REASONS,
    RECERTIFY_WHEN,
    SUSPEND_WHEN,
    Facts,
    Reason,
    why_recertify,
    why_suspend,
)

DAY = timedelta(days=1)
NOW = datetime(2026, 6, 1, tzinfo=UTC)
SOUND = Facts(now=NOW, certified_at=NOW - 10 * DAY, not_after=NOW + 80 * DAY)


def code(found: Reason | None) -> str:
    return "" if found is None else found.code


def test_a_sound_certificate_is_left_alone() -> None:
    assert why_recertify(SOUND) is None
    assert why_suspend(SOUND) is None


@pytest.mark.parametrize(
    ("left", "wanted"),
    [
        (14 * DAY + timedelta(seconds=1), ""),
        (14 * DAY, "expiring"),
        (timedelta(seconds=1), "expiring"),
        (timedelta(0), "expired"),
        (-DAY, "expired"),
    ],
)
def test_the_end_is_counted_to_the_second(left: timedelta, wanted: str) -> None:
    assert code(why_recertify(replace(SOUND, certified_at=NOW - 90 * DAY, not_after=NOW + left))) == wanted


@pytest.mark.parametrize(("age", "wanted"), [(timedelta(hours=15), ""), (timedelta(hours=16), "expiring")])
def test_a_certificate_of_one_day_is_due_after_two_thirds_of_it_not_from_the_first_second(
    age: timedelta, wanted: str
) -> None:
    facts = replace(SOUND, certified_at=NOW - age, not_after=NOW - age + DAY)
    assert code(why_recertify(facts)) == wanted


def test_recertify_before_is_the_policy_of_whoever_runs_it() -> None:
    facts = replace(SOUND, certified_at=NOW - 900 * DAY, not_after=NOW + 20 * DAY)
    assert code(why_recertify(replace(facts, recertify_before=20 * DAY))) == "expiring"
    assert why_recertify(replace(facts, recertify_before=19 * DAY)) is None


def test_a_deployed_model_without_a_certificate_is_missing_one() -> None:
    bare = replace(SOUND, certified_at=None, not_after=None)
    assert code(why_recertify(bare)) == "missing"
    assert why_recertify(replace(bare, deployed=False)) is None
    assert why_suspend(replace(bare, trigger="incident", trigger_suspends=True)) is None


@pytest.mark.parametrize("trigger", REASONS)
def test_whoever_asks_is_heard_with_his_own_words(trigger: str) -> None:
    facts = replace(SOUND, trigger=trigger, trigger_text="said so")
    assert why_recertify(facts) == Reason(code=trigger, text="said so")
    assert why_recertify(replace(facts, trigger_text="")) == Reason(code=trigger, text=REASONS[trigger])


@pytest.mark.parametrize(
    ("drift", "again", "suspends"),
    [
        ("", "", ""),
        ("clean", "", ""),
        ("undecided", "", ""),
        ("drifted", "input-drift", ""),
        ("gross", "input-drift", "input-drift"),
    ],
)
def test_drift_recertifies_and_gross_drift_suspends_too(drift: str, again: str, suspends: str) -> None:
    facts = replace(SOUND, drift=drift)
    assert (code(why_recertify(facts)), code(why_suspend(facts))) == (again, suspends)
    assert why_suspend(replace(facts, suspend_on_gross=False)) is None


def test_a_trigger_suspends_only_where_it_asks_for_it_and_the_policy_allows_it() -> None:
    facts = replace(SOUND, trigger="input-drift", trigger_text="far off", trigger_suspends=True)
    assert why_suspend(facts) == Reason(code="input-drift", text="far off")
    assert why_suspend(replace(facts, trigger_suspends=False)) is None
    assert why_suspend(replace(facts, suspend_on_gross=False)) is None


def test_a_recertification_that_failed_suspends_where_the_policy_says_so() -> None:
    facts = replace(SOUND, failed="claim-failed")
    assert why_suspend(facts) == Reason(code="claim-failed", text="recertification ended dead: claim-failed")
    assert why_suspend(replace(facts, suspend_on_failure=False)) is None


@pytest.mark.parametrize("status", ["suspended", "revoked"])
def test_what_is_not_active_is_not_suspended_again(status: str) -> None:
    assert why_suspend(replace(SOUND, failed="claim-failed", status=status)) is None


def test_a_revoked_certificate_is_revived_by_a_person_alone() -> None:
    revoked = replace(SOUND, status="revoked", not_after=NOW - DAY, drift="gross")
    found = {trigger: code(why_recertify(replace(revoked, trigger=trigger))) for trigger in ("", *REASONS)}
    assert {trigger for trigger, answer in found.items() if answer} == {"manual", "incident"}


def test_the_first_reason_decides() -> None:
    everything = replace(SOUND, trigger="accuracy", not_after=NOW - DAY, drift="gross", failed="refused")
    assert code(why_recertify(everything)) == "accuracy"
    assert code(why_recertify(replace(everything, trigger=""))) == "expired"
    assert [check.__name__ for check in RECERTIFY_WHEN] == [
        "asked_for",
        "certificate_missing",
        "certificate_expired",
        "certificate_expiring",
        "inputs_drifted",
    ]
    assert [check.__name__ for check in SUSPEND_WHEN] == [
        "asked_to_suspend",
        "drifted_grossly",
        "recertification_failed",
    ]
