"""A request whose certificate was suspended for drift waits for labelled rows of what drifted.

Without them its run would only repeat what is known of the certified test data, issue a new certificate, and so undo
the suspension while nothing has changed. A person who asks, or who retries the dead letter, decides to go without.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from datetime import UTC, datetime

from monitoring.recertification_webhook.context import Context
from monitoring.recertification_webhook.endings import ACTOR, end_dead
from monitoring.recertification_webhook.fleet import InForce
from monitoring.recertification_webhook.schema import milliseconds
from monitoring.recertification_webhook.transaction import Transaction
from monitoring.recertification_webhook.window import BY_DRIFT, DOUBTED, window_for

OUTCOME = "no-labels"
WAITING = "waits for labelled rows of the drifted traffic: label some and run `robustcert drift`"
TOO_LATE = "no labelled rows of the drifted traffic came in time; a retry certifies on the test data alone"


def window_of(context: Context, row: sqlite3.Row, in_force: InForce, codes: Sequence[str]) -> tuple[str, str] | None:
    """Place and SHA-256 of the window of a request that is due, empty texts for none; None where it waits or ended."""
    if not _needs_labels(context, row, in_force):
        return window_for(context, in_force, codes)
    since = datetime.fromtimestamp(row["created_at"] / 1000, UTC)
    window = window_for(context, in_force, sorted(BY_DRIFT), since=since)
    if window[0]:
        return window
    if context.clock() < since + context.settings.drift.labels_wait:
        _wait(context, row)
    else:
        end_dead(context, row, outcome=OUTCOME, error=TOO_LATE)
    return None


def _needs_labels(context: Context, row: sqlite3.Row, in_force: InForce) -> bool:
    """Whether drift or an incident suspended the certificate, for this request or another, and no person asks."""
    if row["by_person"] or not context.settings.drift.labels_wait:
        return False
    statement = "SELECT reason FROM suspension WHERE certificate_sha256 = ?"
    found = context.database.read(
        lambda connection: connection.execute(statement, (in_force.certificate_sha256,)).fetchall()
    )
    return any(one["reason"] in DOUBTED for one in found)


def _wait(context: Context, row: sqlite3.Row) -> None:
    def work(transaction: Transaction) -> None:
        not_before = milliseconds(transaction.now + context.settings.scan_interval)
        statement = "UPDATE request SET not_before = ?, last_error = ? WHERE id = ? AND state = 'queued'"
        if transaction.run(statement, not_before, WAITING, row["id"]).rowcount and row["last_error"] != WAITING:
            transaction.audit("labels-awaited", actor=ACTOR, request_id=row["id"])

    context.database.write(work)
