"""Why a model is certified again, and when its certificate is suspended: pure decisions over facts gathered elsewhere.

Each decision is a tuple of small checks, read aloud from the top: the first that gives a reason decides. The clock is a
fact like any other. The controller (monitoring/recertification_webhook/) gathers the facts and acts on the reasons.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from robustcert.document import rfc3339

# Reason code -> what it says; alerts carry these codes as their label `reason`.
REASONS = {
    "input-drift": "the inputs drifted away from the certified data",
    "output-drift": "the predictions drifted away from those on the certified data",
    "abstention": "the smoothed model abstains too often",
    "accuracy": "the accuracy on labelled production data is too low",
    "data-quality": "production data break their contract too often",
    "expiring": "the certificate ends soon",
    "expired": "the certificate has ended",
    "missing": "a deployed model has no valid certificate",
    "suspended": "the certificate is suspended",
    "schedule": "a recertification was planned for this time",
    "new-version": "a new version of the model is there",
    "manual": "a person asked for it",
    "incident": "an incident was reported",
}

Status = Literal["active", "suspended", "revoked"]
Drift = Literal["", "clean", "drifted", "gross", "undecided"]


@dataclass(frozen=True, kw_only=True)
class Reason:
    """A code of REASONS and one line for people."""

    code: str
    text: str


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What is known of one certificate in force at one moment.

    `trigger` is the code that came from outside with `trigger_text` (an alert, a person, a schedule; "" for none),
    `trigger_suspends` whether it asks for a suspension. `drift` is the verdict of the newest verified drift record.
    `suspend_on_gross` and `suspend_on_failure` are policy; `failed` says how a recertification ended dead, "" for none.
    `certified_at` and `not_after` are None where no valid certificate is in force.
    """

    now: datetime
    certified_at: datetime | None
    not_after: datetime | None
    recertify_before: timedelta = timedelta(days=14)
    status: Status = "active"
    deployed: bool = True
    trigger: str = ""
    trigger_text: str = ""
    trigger_suspends: bool = False
    drift: Drift = ""
    failed: str = ""
    suspend_on_gross: bool = True
    suspend_on_failure: bool = True


Check = Callable[[Facts], Reason | None]


def asked_for(facts: Facts) -> Reason | None:
    """Somebody outside asked: an alert, a person, a schedule, an event."""
    if not facts.trigger:
        return None
    return Reason(code=facts.trigger, text=facts.trigger_text or REASONS[facts.trigger])


def certificate_missing(facts: Facts) -> Reason | None:
    """The model is deployed and nothing valid is in force for it."""
    if facts.not_after is None and facts.deployed:
        return Reason(code="missing", text=REASONS["missing"])
    return None


def certificate_expired(facts: Facts) -> Reason | None:
    """The certificate has ended; at that very second it has."""
    if facts.not_after is not None and facts.now >= facts.not_after:
        return Reason(code="expired", text=f"the certificate ended at {rfc3339(facts.not_after)}")
    return None


def certificate_expiring(facts: Facts) -> Reason | None:
    """The certificate ends within `recertify_before`, or within the last third of its validity if that is shorter."""
    if facts.not_after is None:
        return None
    if facts.not_after - facts.now <= _lead(facts):
        return Reason(code="expiring", text=f"the certificate ends at {rfc3339(facts.not_after)}")
    return None


def inputs_drifted(facts: Facts) -> Reason | None:
    """The newest drift record says so."""
    if facts.drift in ("drifted", "gross"):
        return Reason(code="input-drift", text=f"the newest drift record says {facts.drift}")
    return None


# A revoked certificate is revived by a person alone, so nothing but being asked for revives it.
RECERTIFY_WHEN: tuple[Check, ...] = (
    asked_for,
    certificate_missing,
    certificate_expired,
    certificate_expiring,
    inputs_drifted,
)


def why_recertify(facts: Facts) -> Reason | None:
    """The first reason to certify the model again, None where there is none."""
    if facts.status == "revoked":
        return asked_for(facts) if facts.trigger in ("manual", "incident") else None
    return next((reason for check in RECERTIFY_WHEN if (reason := check(facts))), None)


def asked_to_suspend(facts: Facts) -> Reason | None:
    """The trigger asks for it and the policy allows it."""
    if facts.trigger_suspends and facts.suspend_on_gross:
        return Reason(code=facts.trigger, text=facts.trigger_text or REASONS[facts.trigger])
    return None


def drifted_grossly(facts: Facts) -> Reason | None:
    """The newest drift record calls the drift gross and the policy suspends on it."""
    if facts.drift == "gross" and facts.suspend_on_gross:
        return Reason(code="input-drift", text="the newest drift record says gross")
    return None


def recertification_failed(facts: Facts) -> Reason | None:
    """A recertification ended dead: the claim does not hold, or nobody could show that it does."""
    if facts.failed and facts.suspend_on_failure:
        return Reason(code=facts.failed, text=f"recertification ended dead: {facts.failed}")
    return None


SUSPEND_WHEN: tuple[Check, ...] = (asked_to_suspend, drifted_grossly, recertification_failed)


def why_suspend(facts: Facts) -> Reason | None:
    """The first reason to suspend the certificate in force; None where there is none, or none that can be suspended."""
    if facts.not_after is None or facts.status != "active":
        return None
    return next((reason for check in SUSPEND_WHEN if (reason := check(facts))), None)


def _lead(facts: Facts) -> timedelta:
    """How long before its end a certificate is replaced: short-lived ones would else be due from the first second."""
    assert facts.not_after is not None
    if facts.certified_at is None:
        return facts.recertify_before
    return min(facts.recertify_before, (facts.not_after - facts.certified_at) / 3)
