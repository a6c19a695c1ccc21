"""What a piece of work may do inside a transaction: SQL, lines of the audit log, and counts. All of it or nothing."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Mapping
from datetime import datetime

from monitoring.recertification_webhook.audit import Head, audit_line
from robustcert.document import rfc3339

Key = tuple[str, str, str]


class Transaction:
    """One group of work on the writing connection; `audited` and `counted` are what it adds."""

    def __init__(self, connection: sqlite3.Connection, head: Head, now: datetime) -> None:
        self.connection = connection
        self.now = now
        self.head = head
        self.audited: list[bytes] = []
        self.counted: Counter[Key] = Counter()

    def run(self, statement: str, *values: object) -> sqlite3.Cursor:
        """Executes one statement."""
        return self.connection.execute(statement, values)

    def one(self, statement: str, *values: object) -> sqlite3.Row | None:
        """The first row of a query, None where it has none."""
        found: sqlite3.Row | None = self.connection.execute(statement, values).fetchone()
        return found

    def audit(self, action: str, *, actor: str, request_id: str = "", **detail: str) -> None:
        """Adds a line to the audit log."""
        at = rfc3339(self.now)
        told: Mapping[str, str] = {name: value for name, value in detail.items() if value}
        line, self.head = audit_line(self.head, at=at, actor=actor, action=action, request_id=request_id, detail=told)
        self.audited.append(line)
        self.run("INSERT INTO audit VALUES (?, ?, ?)", self.head.entries, request_id, line.decode())

    def count(self, name: str, first: str = "", second: str = "", *, by: int = 1) -> None:
        """Adds to a counter."""
        self.counted[(name, first, second)] += by

    def mark(self) -> tuple[Head, int, Counter[Key]]:
        """Where this stands, for `undone`."""
        self.connection.execute("SAVEPOINT work")
        return self.head, len(self.audited), self.counted.copy()

    def undone(self, mark: tuple[Head, int, Counter[Key]], reason: Exception) -> Exception:
        """Undoes everything since `mark`, and gives back the reason."""
        self.connection.execute("ROLLBACK TO work")
        self.head, length, self.counted = mark
        del self.audited[length:]
        return reason
