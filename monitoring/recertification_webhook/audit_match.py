"""Audit log and database tell the same: compared line by line at every start, so that they can't disagree silently.

The database is ahead where a crash came between its commit and the log's flush; those lines are appended. Anything else
is tampering, or a restored copy of one of the two without the other, and a person has to look.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from monitoring.recertification_webhook.audit import AuditError, Head, audit_lines, follow
from robustcert.errors import expected


def matched_head(connection: sqlite3.Connection, path: Path, *, at_least: int) -> Head:
    """Where the log ends, its whole lines equal to the database's; AuditError where they differ.

    `at_least` lines were known to be in the log when the database was last written.
    """
    kept = connection.execute("SELECT line FROM audit ORDER BY sequence")
    head = Head()
    for line in audit_lines(path):
        if not line.endswith(b"\n"):
            break  # torn by a crash; it is written again from the database
        row = kept.fetchone()
        if row is None:
            raise _differ(f"the database to know line {head.entries + 1} of the audit log", "a shorter database")
        if row[0].encode() != line[:-1]:
            raise _differ(f"line {head.entries + 1} of the audit log as the database has it", "another text")
        head = follow(head, line[:-1])
    if head.entries < at_least:
        raise _differ(f"{at_least} lines in the audit log", f"{head.entries}")
    return head


def append_missing(connection: sqlite3.Connection, head: Head) -> tuple[Head, list[bytes]]:
    """The database's own head, and the lines that the log lacks."""
    missing: list[bytes] = []
    rows = connection.execute("SELECT line FROM audit WHERE sequence > ? ORDER BY sequence", (head.entries,))
    for (line,) in rows:
        missing.append(line.encode())
        head = follow(head, missing[-1])
    return head, missing


def _differ(what: str, got: str) -> AuditError:
    remedy = "find out who changed which; restore both from one moment, or move both aside to start afresh"
    return AuditError(expected(what, got=got, remedy=remedy))
