"""The controller's figures, gathered from counters and tables when somebody asks."""

from __future__ import annotations

import sqlite3
from datetime import datetime

from monitoring.recertification_webhook.context import Context
from monitoring.recertification_webhook.request_rows import Open
from monitoring.recertification_webhook.requests import DURATION_BUCKETS, STATES, Durations, Figures
from monitoring.recertification_webhook.schema import milliseconds

MOST_NAMED = 1000  # model versions under each of `dead` and `ineffective`
LAST_PASS = "last_reconcile"


def figures_of(context: Context, *, clock_jumps: int) -> Figures:
    """All figures at this moment."""
    database, now = context.database, context.clock()
    durations = database.counts("duration")
    counts = tuple(durations.get(("bucket", str(index)), 0) for index in range(len(DURATION_BUCKETS) + 1))
    return Figures(
        triggers=database.counts("triggers"),
        requests=database.read(_states),
        finished=database.counts("finished"),
        durations=Durations(counts=counts, total_seconds=durations.get(("milliseconds", ""), 0) / 1000),
        oldest_request_at=database.read(_oldest),
        last_reconcile_at=database.read(_last_pass),
        backend_errors=dict(context.errors),
        dead=database.read(_dead),
        ineffective=database.read(lambda one: _ineffective(one, since=now - context.settings.forget_after)),
        suspensions_pending=database.read(_pending),
        audit_entries_pending=database.audit_entries_pending,
        clock_jumps=clock_jumps,
    )


def _states(connection: sqlite3.Connection) -> dict[str, int]:
    found = dict(connection.execute("SELECT state, count(*) FROM request GROUP BY state").fetchall())
    return {state: found.get(state, 0) for state in STATES}


def _oldest(connection: sqlite3.Connection) -> float | None:
    (found,) = connection.execute(f"SELECT min(created_at) FROM request WHERE state IN {Open}").fetchone()
    return None if found is None else found / 1000


def _last_pass(connection: sqlite3.Connection) -> float | None:
    row = connection.execute("SELECT value FROM meta WHERE name = ?", (LAST_PASS,)).fetchone()
    return None if row is None else int(row[0]) / 1000


def _dead(connection: sqlite3.Connection) -> tuple[tuple[str, str], ...]:
    statement = "SELECT DISTINCT model, version FROM request WHERE state = 'dead' AND closed_at IS NULL"
    return tuple((model, version) for model, version in connection.execute(f"{statement} LIMIT {MOST_NAMED}"))


def _ineffective(connection: sqlite3.Connection, *, since: datetime) -> tuple[tuple[str, str], ...]:
    """Versions whose alert was heard of since then, after a request for it had succeeded."""
    statement = (
        "SELECT DISTINCT request.model, request.version FROM episode JOIN request ON request.id = request_id"
        " WHERE escalated_at IS NOT NULL AND resolved_at IS NULL AND last_at > ? LIMIT ?"
    )
    return tuple(
        (model, version) for model, version in connection.execute(statement, (milliseconds(since), MOST_NAMED))
    )


def _pending(connection: sqlite3.Connection) -> int:
    (found,) = connection.execute("SELECT count(*) FROM suspension WHERE done_at IS NULL").fetchone()
    return int(found)
