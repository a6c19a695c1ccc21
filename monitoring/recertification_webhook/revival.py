"""Dead letters about models that nobody knew live again once a certificate of the model is in force."""

from __future__ import annotations

import sqlite3

from monitoring.recertification_webhook.context import Context
from monitoring.recertification_webhook.fleet import InForce
from monitoring.recertification_webhook.offers import UNKNOWN
from monitoring.recertification_webhook.request_rows import Open
from monitoring.recertification_webhook.schema import milliseconds
from monitoring.recertification_webhook.transaction import Transaction


def revive_known(context: Context) -> None:
    """Queues each dead letter whose model is known by now, or joins it to the request that is open for it."""
    statement = "SELECT * FROM request WHERE state = 'dead' AND outcome = ? AND closed_at IS NULL"
    rows = context.database.read(lambda connection: connection.execute(statement, (UNKNOWN,)).fetchall())
    for row in rows:
        found = None if context.fleet is None else context.fleet.in_force(row["model"], row["version"])
        if found is not None:
            _revive(context, row, found)


def _revive(context: Context, row: sqlite3.Row, found: InForce) -> None:
    def work(transaction: Transaction) -> None:
        query = f"SELECT id FROM request WHERE model = ? AND version = ? AND state IN {Open}"
        open_one = transaction.one(query, found.model, found.version)
        if open_one is None:
            _queue(transaction, row, found)
        else:
            _join(transaction, row, open_one["id"])

    context.database.write(work)


def _queue(transaction: Transaction, row: sqlite3.Row, found: InForce) -> None:
    now = milliseconds(transaction.now)
    transaction.run(
        "UPDATE request SET state = 'queued', outcome = '', finished_at = NULL, last_error = '', version = ?,"
        " certificate_sha256 = ?, not_before = ?, planned_at = ?, updated_at = ? WHERE id = ? AND state = 'dead'",
        *(found.version, found.certificate_sha256, now, now, now, row["id"]),
    )
    transaction.audit("request-revived", actor="controller", request_id=row["id"], version=found.version)


def _join(transaction: Transaction, row: sqlite3.Row, other: str) -> None:
    transaction.run("UPDATE episode SET request_id = ? WHERE request_id = ?", other, row["id"])
    transaction.run(
        "INSERT OR IGNORE INTO reason SELECT ?, code, text, source, at FROM reason WHERE request_id = ?",
        *(other, row["id"]),
    )
    transaction.run("UPDATE request SET closed_at = ? WHERE id = ?", milliseconds(transaction.now), row["id"])
    transaction.audit("request-joined", actor="controller", request_id=row["id"], to=other)
