"""Requests in the database: made, read, moved from state to state. A move says from which, so that two can't meet."""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Sequence
from datetime import datetime, timedelta

from monitoring.recertification_webhook.requests import DURATION_BUCKETS, RequestView, State
from monitoring.recertification_webhook.schema import milliseconds, moment_of
from monitoring.recertification_webhook.transaction import Transaction
from monitoring.recertification_webhook.trigger import Trigger

LONGEST_ERROR = 500
Open = "('queued', 'submitting', 'running')"


def new_request(
    transaction: Transaction, *, model: str, version: str, certificate_sha256: str, not_before: datetime, allowed: int
) -> str:
    """A queued request, and its id: the start of the names of its runs."""
    now = milliseconds(transaction.now)
    request_id = f"{transaction.now:%Y%m%dT%H%M%SZ}-{secrets.token_hex(5)}"
    start = milliseconds(not_before)
    transaction.run(
        "INSERT INTO request (id, model, version, certificate_sha256, state, attempts_allowed, created_at, updated_at,"
        " planned_at, not_before) VALUES (?, ?, ?, ?, 'queued', ?, ?, ?, ?, ?)",
        *(request_id, model, version, certificate_sha256, allowed, now, now, start, start),
    )
    return request_id


def add_reason(transaction: Transaction, request_id: str, trigger: Trigger) -> None:
    """One more reason of a request; the first text of a code is kept."""
    transaction.run(
        "INSERT OR IGNORE INTO reason VALUES (?, ?, ?, ?, ?)",
        *(request_id, trigger.reason, trigger.text, trigger.source, milliseconds(transaction.now)),
    )


def row_of(transaction: Transaction, request_id: str) -> sqlite3.Row | None:
    """A request's row."""
    return transaction.one("SELECT * FROM request WHERE id = ?", request_id)


def move(transaction: Transaction, request_id: str, *, before: State, to: State, **columns: object) -> bool:
    """Whether the request was in state `before` and now is in state `to`, with these columns changed."""
    names = ["state", "updated_at", *columns]
    values = (to, milliseconds(transaction.now), *columns.values())
    assignments = ", ".join(f"{name} = ?" for name in names)
    statement = f"UPDATE request SET {assignments} WHERE id = ? AND state = ?"
    return transaction.run(statement, *values, request_id, before).rowcount == 1


def finish(
    transaction: Transaction, request_id: str, *, before: State, to: State, outcome: str, **columns: object
) -> bool:
    """As `move`, to the end: counted, timed, and told in the audit log by the caller."""
    now = milliseconds(transaction.now)
    if not move(transaction, request_id, before=before, to=to, outcome=outcome, finished_at=now, **columns):
        return False
    transaction.count("finished", to, outcome)
    if to == "succeeded":
        row = row_of(transaction, request_id)
        assert row is not None
        _time(transaction, seconds=max(0, now - row["created_at"]) / 1000)
        transaction.run(
            "UPDATE request SET closed_at = ? WHERE model = ? AND version = ? AND state = 'dead' AND closed_at IS NULL",
            *(now, row["model"], row["version"]),
        )
    return True


def note_error(transaction: Transaction, request_id: str, error: str) -> None:
    """Keeps the last thing that went wrong, for people."""
    transaction.run("UPDATE request SET last_error = ? WHERE id = ?", error[:LONGEST_ERROR], request_id)


def views(connection: sqlite3.Connection, rows: Sequence[sqlite3.Row]) -> list[RequestView]:
    """What people see of these rows."""
    return [_view(row, _reasons(connection, row["id"]), _suspended(connection, row["id"])) for row in rows]


def _time(transaction: Transaction, *, seconds: float) -> None:
    bucket = next((index for index, top in enumerate(DURATION_BUCKETS) if seconds <= top), len(DURATION_BUCKETS))
    transaction.count("duration", "bucket", str(bucket))
    transaction.count("duration", "milliseconds", by=round(seconds * 1000))


def _reasons(connection: sqlite3.Connection, request_id: str) -> tuple[str, ...]:
    found = connection.execute("SELECT code FROM reason WHERE request_id = ? ORDER BY rowid", (request_id,))
    return tuple(code for (code,) in found)


def _suspended(connection: sqlite3.Connection, request_id: str) -> bool:
    statement = "SELECT 1 FROM suspension WHERE request_id = ? AND done_at IS NOT NULL AND error = '' LIMIT 1"
    return connection.execute(statement, (request_id,)).fetchone() is not None


def _view(row: sqlite3.Row, reasons: tuple[str, ...], suspended: bool) -> RequestView:
    return RequestView(
        id=row["id"],
        model=row["model"],
        version=row["version"],
        certificate_sha256=row["certificate_sha256"],
        reasons=reasons,
        state=row["state"],
        outcome=row["outcome"],
        attempts=row["attempts"],
        created_at=moment_of(row["created_at"]),
        updated_at=moment_of(row["updated_at"]),
        finished_at=_moment(row["finished_at"]),
        not_before=moment_of(row["not_before"]),
        deadline=_moment(row["deadline"]),
        run_name=row["run_name"],
        run_id=row["run_id"],
        run_url=row["run_url"],
        certificate=row["certificate"],
        last_error=row["last_error"],
        suspended=suspended,
    )


def _moment(value: int | None) -> datetime | None:
    return None if value is None else moment_of(value)


def next_day(moment: datetime) -> datetime:
    """The start of the next day, UTC."""
    return moment.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
