"""What is done with one trigger, inside a transaction: the rules that make one run out of many deliveries.

A known episode is a duplicate, or it escalates where its alert fires on after the run that it caused. A new one merges
into the open request of its model version, waits for cool-down and budget, or starts a request. What nobody can act on
becomes a dead letter at once. Nothing is dropped.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import datetime, timedelta

from monitoring.recertification_webhook.fleet import Fleet, InForce
from monitoring.recertification_webhook.request_rows import Open, add_reason, new_request, next_day
from monitoring.recertification_webhook.requests import Offer, Result
from monitoring.recertification_webhook.schema import milliseconds, moment_of
from monitoring.recertification_webhook.settings import Settings
from monitoring.recertification_webhook.suspension import want_suspension
from monitoring.recertification_webhook.transaction import Transaction
from monitoring.recertification_webhook.trigger import CONTINUING, Trigger
from robustcert.recertification import Facts, why_suspend

# Ends after which another run would say the same: a person decides, further alerts join the dead letter.
HOPELESS = ("claim-failed", "input-refused", "unknown-model", "certificate-refused", "revoked", "stuck", "no-labels")
UNKNOWN = "unknown-model"
SEEN_AGAIN = timedelta(minutes=1)  # an episode's last delivery is kept no more exactly than that


@dataclass(frozen=True, kw_only=True)
class Rules:
    """What a trigger is placed by: the transaction, what is in force, and the policy."""

    transaction: Transaction
    fleet: Fleet
    settings: Settings


def place(rules: Rules, trigger: Trigger) -> Offer:
    """What was done with a trigger; counted by source and result."""
    known = _episode(rules, trigger)
    if trigger.resolved:
        offer = _resolved(rules, trigger, known)
    elif known is not None and known["request_id"] is not None:
        offer = _again(rules, trigger, known)
    else:
        offer = _new(rules, trigger)
    rules.transaction.count("triggers", trigger.source, offer.result)
    return offer


def _episode(rules: Rules, trigger: Trigger) -> sqlite3.Row | None:
    return rules.transaction.one(
        "SELECT episode.*, request.state, request.finished_at, request.model AS on_model, request.version AS on_version"
        " FROM episode LEFT JOIN request ON request.id = request_id"
        " WHERE source = ? AND episode.model = ? AND episode.version = ? AND episode = ?",
        *(trigger.source, trigger.model, trigger.version, trigger.episode),
    )


def _resolved(rules: Rules, trigger: Trigger, known: sqlite3.Row | None) -> Offer:
    """Recorded, also before the episode itself came; whoever runs goes on, since the condition was there."""
    now = milliseconds(rules.transaction.now)
    if known is None:
        _keep_episode(rules, trigger, None, resolved_at=now)
        return Offer(request_id=None, result="resolved", state="")
    if known["resolved_at"] is None:
        _change_episode(rules, trigger, "resolved_at = ?, last_at = ?", now, now)
        _tell(rules, "resolved", trigger, known["request_id"] or "")
    return Offer(request_id=known["request_id"], result="resolved", state=known["state"] or "")


def _again(rules: Rules, trigger: Trigger, known: sqlite3.Row) -> Offer:
    """A delivery of a known episode; an alert that fires on after its run's success goes to people, once."""
    now = rules.transaction.now
    if abs(now - moment_of(known["last_at"])) >= SEEN_AGAIN:
        _change_episode(rules, trigger, "last_at = ?", milliseconds(now))
    result: Result = "duplicate"
    if _fires_on(rules, trigger, known):
        _change_episode(rules, trigger, "escalated_at = ?", milliseconds(now))
        _tell(rules, "escalated", trigger, known["request_id"], why="fires on after a successful recertification")
        _suspend(rules, trigger, known["request_id"])
        result = "escalated"
    return Offer(request_id=known["request_id"], result=result, state=known["state"])


def _fires_on(rules: Rules, trigger: Trigger, known: sqlite3.Row) -> bool:
    """Whether an alert that nobody was told of yet goes on although the run that it caused has succeeded."""
    if trigger.source not in CONTINUING or known["state"] != "succeeded":
        return False
    open_still = known["resolved_at"] is None and known["escalated_at"] is None
    since = rules.transaction.now - moment_of(known["finished_at"])
    return open_still and since >= rules.settings.ineffective_after


def _new(rules: Rules, trigger: Trigger) -> Offer:
    in_force = rules.fleet.in_force(trigger.model, trigger.version)
    if in_force is None:
        return _unknown(rules, trigger)
    key = (in_force.model, in_force.version)
    found = rules.transaction.one(f"SELECT * FROM request WHERE model = ? AND version = ? AND state IN {Open}", *key)
    if found is not None:
        return _join(rules, trigger, found, result="merged", why="")
    if (same := _same_condition(rules, trigger, in_force)) is not None:
        return _join(
            rules, trigger, same, result="escalated", why="fires again soon after a successful recertification"
        )
    if trigger.source != "manual" and (dead := _hopeless(rules, *key)) is not None:
        return _join(rules, trigger, dead, result="escalated", why=f"a dead letter waits: {dead['outcome']}")
    return _start(rules, trigger, in_force)


def _start(rules: Rules, trigger: Trigger, in_force: InForce) -> Offer:
    """A request of its own, at once or as soon as cool-down and budget allow."""
    cool = _cool(rules, trigger, in_force)
    start = _within_budget(rules, trigger.model, cool)
    request_id = new_request(
        rules.transaction,
        model=in_force.model,
        version=in_force.version,
        certificate_sha256=in_force.certificate_sha256,
        not_before=start,
        allowed=rules.settings.most_attempts,
    )
    delayed = start > rules.transaction.now
    why = ("budget" if start > cool else "cool-down") if delayed else ""
    _attach(rules, trigger, request_id)
    if trigger.source == "manual":
        rules.transaction.run("UPDATE request SET by_person = 1 WHERE id = ?", request_id)
    _tell(rules, "delayed" if delayed else "queued", trigger, request_id, why=why)
    return Offer(request_id=request_id, result="delayed" if delayed else "queued", state="queued")


def _join(rules: Rules, trigger: Trigger, request: sqlite3.Row, *, result: Result, why: str) -> Offer:
    escalated = (
        milliseconds(rules.transaction.now) if result == "escalated" and request["state"] == "succeeded" else None
    )
    _attach(rules, trigger, request["id"], escalated_at=escalated)
    if trigger.source == "manual":
        _hasten(rules, request)
    _tell(rules, result, trigger, request["id"], why=why)
    return Offer(request_id=request["id"], result=result, state=request["state"])


def _hasten(rules: Rules, request: sqlite3.Row) -> None:
    """A person waits neither for a cool-down nor for labels, also where the request was there already."""
    now = rules.transaction.now
    planned = request["planned_at"] <= milliseconds(now)  # then it is in the budget of its day
    start = milliseconds(now if planned else _within_budget(rules, request["model"], now))
    rules.transaction.run(
        "UPDATE request SET by_person = 1, planned_at = min(planned_at, ?), not_before = min(not_before, ?)"
        " WHERE id = ? AND state = 'queued'",
        *(start, start, request["id"]),
    )


def _unknown(rules: Rules, trigger: Trigger) -> Offer:
    """No certificate is in force for it, so there is nothing to recertify: a dead letter, until a certificate comes."""
    statement = "SELECT * FROM request WHERE model = ? AND version = ? AND closed_at IS NULL"
    known = rules.transaction.one(
        f"{statement} AND (state IN {Open} OR state = 'dead' AND outcome = ?)",
        *(trigger.model, trigger.version, UNKNOWN),
    )
    if known is not None:
        return _join(rules, trigger, known, result="escalated", why=UNKNOWN)
    now = rules.transaction.now
    request_id = new_request(
        rules.transaction,
        model=trigger.model,
        version=trigger.version,
        certificate_sha256="",
        not_before=now,
        allowed=rules.settings.most_attempts,
    )
    rules.transaction.run(
        "UPDATE request SET state = 'dead', outcome = ?, finished_at = ?, last_error = ? WHERE id = ?",
        *(UNKNOWN, milliseconds(now), "no certificate is in force for this model and version", request_id),
    )
    rules.transaction.count("finished", "dead", UNKNOWN)
    _keep_episode(rules, trigger, request_id)
    add_reason(rules.transaction, request_id, trigger)
    _tell(rules, "escalated", trigger, request_id, why=UNKNOWN)
    return Offer(request_id=request_id, result="escalated", state="dead")


def _same_condition(rules: Rules, trigger: Trigger, in_force: InForce) -> sqlite3.Row | None:
    """The request that succeeded a moment ago for the same alert; it fires anew, so it did not help."""
    hysteresis = rules.settings.hysteresis
    if trigger.source not in CONTINUING or not trigger.condition or not hysteresis:
        return None
    now = rules.transaction.now
    return rules.transaction.one(
        "SELECT request.* FROM episode JOIN request ON request.id = request_id"
        " WHERE episode.model = ? AND condition = ? AND request.version = ? AND state = 'succeeded'"
        " AND finished_at BETWEEN ? AND ? ORDER BY number DESC",
        *(trigger.model, trigger.condition, in_force.version, milliseconds(now - hysteresis), milliseconds(now)),
    )


def _hopeless(rules: Rules, model: str, version: str) -> sqlite3.Row | None:
    marks = ", ".join("?" for _ in HOPELESS)
    statement = "SELECT * FROM request WHERE model = ? AND version = ? AND state = 'dead' AND closed_at IS NULL"
    return rules.transaction.one(
        f"{statement} AND outcome IN ({marks}) ORDER BY number DESC", model, version, *HOPELESS
    )


def _cool(rules: Rules, trigger: Trigger, in_force: InForce) -> datetime:
    """When the version has cooled down; a person does not wait for that."""
    now = rules.transaction.now
    statement = "SELECT max(finished_at) FROM request WHERE model = ? AND version = ?"
    row = rules.transaction.one(statement, in_force.model, in_force.version)
    if trigger.source == "manual" or row is None or row[0] is None:
        return now
    return max(now, min(moment_of(row[0]), now) + rules.settings.cool_down)


def _within_budget(rules: Rules, model: str, start: datetime) -> datetime:
    """The first time from `start` on whose day has room for another request of the model."""
    statement = "SELECT count(*) FROM request WHERE model = ? AND planned_at >= ? AND planned_at < ?"
    while True:
        end = next_day(start)
        begin = end - timedelta(days=1)
        row = rules.transaction.one(
            f"{statement} AND outcome <> '{UNKNOWN}'", model, milliseconds(begin), milliseconds(end)
        )
        if row is None or row[0] < rules.settings.budget_per_day:
            return start
        start = end


def _attach(rules: Rules, trigger: Trigger, request_id: str, *, escalated_at: int | None = None) -> None:
    _keep_episode(rules, trigger, request_id, escalated_at=escalated_at)
    add_reason(rules.transaction, request_id, trigger)
    _suspend(rules, trigger, request_id)


def _keep_episode(
    rules: Rules,
    trigger: Trigger,
    request_id: str | None,
    *,
    resolved_at: int | None = None,
    escalated_at: int | None = None,
) -> None:
    """Writes an episode; one that was resolved before it came keeps that."""
    now = milliseconds(rules.transaction.now)
    rules.transaction.run(
        "INSERT INTO episode VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE"
        " SET request_id = excluded.request_id, last_at = excluded.last_at, escalated_at = excluded.escalated_at",
        *(trigger.source, trigger.model, trigger.version, trigger.episode, trigger.condition, request_id),
        *(now, now, resolved_at, escalated_at),
    )


def _change_episode(rules: Rules, trigger: Trigger, assignments: str, *values: int) -> None:
    rules.transaction.run(
        f"UPDATE episode SET {assignments} WHERE source = ? AND model = ? AND version = ? AND episode = ?",
        *(*values, trigger.source, trigger.model, trigger.version, trigger.episode),
    )


def _suspend(rules: Rules, trigger: Trigger, request_id: str) -> None:
    """Notes that the certificate in force is to be suspended, where trigger and policy say so."""
    in_force = rules.fleet.in_force(trigger.model, trigger.version)
    if in_force is None or rules.settings.status_key is None:
        return
    facts = Facts(
        now=rules.transaction.now,
        certified_at=in_force.certified_at,
        not_after=in_force.not_after,
        trigger=trigger.reason,
        trigger_text=trigger.text,
        trigger_suspends=trigger.suspend,
        suspend_on_gross=rules.settings.drift.suspend_on_gross,
    )
    if (reason := why_suspend(facts)) is not None:
        want_suspension(rules.transaction, request_id, in_force.certificate_sha256, reason)


def _tell(rules: Rules, action: str, trigger: Trigger, request_id: str, *, why: str = "") -> None:
    rules.transaction.audit(
        f"trigger-{action}",
        actor=trigger.source,
        request_id=request_id,
        model=trigger.model,
        version=trigger.version,
        reason=trigger.reason,
        text=trigger.text,
        episode=trigger.episode,
        why=why,
    )
