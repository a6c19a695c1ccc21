"""How a request ends, or begins anew: each in one commit with its audit line, its counts and its suspension."""

from __future__ import annotations

import json
import random
import sqlite3
from datetime import timedelta

from monitoring.recertification_webhook.context import Context
from monitoring.recertification_webhook.request_rows import LONGEST_ERROR, finish, move, note_error
from monitoring.recertification_webhook.requests import State
from monitoring.recertification_webhook.schema import milliseconds
from monitoring.recertification_webhook.suspension import want_suspension
from monitoring.recertification_webhook.transaction import Transaction
from monitoring.recertification_webhook.window import DOUBTED
from robustcert.recertification import Facts, Reason, why_suspend

ACTOR = "controller"
JITTER = 0.1
# Nothing valid is in force then, or a person has decided already.
NOT_SUSPENDED = frozenset({"unknown-model", "certificate-refused", "revoked"})


def succeed(context: Context, row: sqlite3.Row, *, certificate: str, run_id: str) -> None:
    """The new certificate is published: the request has succeeded."""

    def work(transaction: Transaction) -> None:
        state: State = row["state"]
        columns = {"certificate": certificate, "last_error": ""}
        if finish(transaction, row["id"], before=state, to="succeeded", outcome="recertified", **columns):
            detail = {"certificate": certificate, "run": run_id}
            transaction.audit("request-succeeded", actor=ACTOR, request_id=row["id"], **detail)
            _carry_doubt(context, transaction, row["id"], certificate)

    context.database.write(work)


def end_dead(context: Context, row: sqlite3.Row, *, outcome: str, error: str) -> None:
    """A dead letter: people are told, and the certificate is suspended where the policy says so.

    The loop goes on asking for the end of a run that is stuck; until then nothing else runs for its model version.
    """

    def work(transaction: Transaction) -> None:
        state: State = row["state"]
        told = error[:LONGEST_ERROR]
        columns = {"last_error": told, "cleanup": int(outcome == "stuck")}
        if not finish(transaction, row["id"], before=state, to="dead", outcome=outcome, **columns):
            return
        transaction.audit("request-dead", actor=ACTOR, request_id=row["id"], outcome=outcome, error=told)
        _suspend(context, transaction, row, outcome)

    context.database.write(work)


def attempt_failed(context: Context, row: sqlite3.Row, *, error: str) -> None:
    """The world failed: another run after a pause, or a dead letter after the last one that is allowed."""
    if row["attempts"] >= row["attempts_allowed"]:
        end_dead(context, row, outcome="attempts-failed", error=error)
        return
    number = row["attempts"] - (row["attempts_allowed"] - context.settings.most_attempts)
    pause = backoff(context, number)

    def work(transaction: Transaction) -> None:
        columns = {"not_before": milliseconds(transaction.now + pause), "last_error": error[:LONGEST_ERROR]}
        if move(transaction, row["id"], before=row["state"], to="queued", deadline=None, run_id="", **columns):
            detail = {"attempt": str(row["attempts"]), "error": error[:LONGEST_ERROR]}
            transaction.audit("attempt-failed", actor=ACTOR, request_id=row["id"], **detail)

    context.database.write(work)


def backoff(context: Context, number: int) -> timedelta:
    """The pause after failure `number` (from 1): doubled each time up to the most, and up to a tenth longer."""
    base, most = context.settings.retry_base, context.settings.retry_most
    pause = min(most, base * 2 ** min(max(number, 1) - 1, 30)) if base < most else most
    return pause * (1 + JITTER * random.random())  # noqa: S311  spreads retries, guards nothing


def remember_error(context: Context, row: sqlite3.Row, operation: str, error: str) -> None:
    """Counts an error of the world and keeps its text with the request."""
    context.errors[operation] += 1
    if row["last_error"] != error[:LONGEST_ERROR]:
        context.database.write(lambda transaction: note_error(transaction, row["id"], error))


def _suspend(context: Context, transaction: Transaction, row: sqlite3.Row, outcome: str) -> None:
    in_force = None if context.fleet is None else context.fleet.in_force(row["model"], row["version"])
    if in_force is None or context.status_key is None or outcome in NOT_SUSPENDED:
        return
    facts = Facts(
        now=transaction.now,
        certified_at=in_force.certified_at,
        not_after=in_force.not_after,
        failed=outcome,
        suspend_on_failure=context.settings.suspend_on_failure,
    )
    if (reason := why_suspend(facts)) is not None:
        want_suspension(transaction, row["id"], in_force.certificate_sha256, reason)


def _carry_doubt(context: Context, transaction: Transaction, request_id: str, certificate: str) -> None:
    """Suspends a certificate whose run was under way when drift suspended the old one: it answers nothing of that."""
    row = transaction.one("SELECT by_person, run_order FROM request WHERE id = ?", request_id)
    assert row is not None, "the request was just ended"
    judged = row["run_order"] and json.loads(row["run_order"])["window_sha256"]
    if judged or row["by_person"] or not context.settings.drift.labels_wait:
        return
    for one in transaction.run("SELECT reason, cause FROM suspension WHERE request_id = ?", request_id).fetchall():
        if one["reason"] in DOUBTED:
            reason = Reason(code=one["reason"], text=f"as the certificate that it replaces: {one['cause']}")
            want_suspension(transaction, request_id, certificate, reason)
            return
