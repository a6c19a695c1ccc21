"""The database's tables. Times are integers, milliseconds since 1970 UTC, but for `asked_at`, seconds of the monotonic
clock of the boot `asked_boot`. Texts are empty where nothing is known.

The partial unique index `one_open` is what makes "at most one open request per model version" true whatever the code
above it does.
"""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime, timedelta

from robustcert.errors import StorageError, expected

VERSION = 1

TABLES = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;

CREATE TABLE request (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    model TEXT NOT NULL,
    version TEXT NOT NULL,
    certificate_sha256 TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('queued', 'submitting', 'running', 'succeeded', 'dead', 'cancelled')),
    outcome TEXT NOT NULL DEFAULT '',
    attempts INTEGER NOT NULL DEFAULT 0,
    attempts_allowed INTEGER NOT NULL,
    by_person INTEGER NOT NULL DEFAULT 0,
    failures INTEGER NOT NULL DEFAULT 0,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    planned_at INTEGER NOT NULL,
    not_before INTEGER NOT NULL,
    deadline INTEGER,
    finished_at INTEGER,
    closed_at INTEGER,
    run_name TEXT NOT NULL DEFAULT '',
    run_order TEXT NOT NULL DEFAULT '',
    asked_at REAL NOT NULL DEFAULT 0,
    asked_boot TEXT NOT NULL DEFAULT '',
    run_id TEXT NOT NULL DEFAULT '',
    run_url TEXT NOT NULL DEFAULT '',
    certificate TEXT NOT NULL DEFAULT '',
    last_error TEXT NOT NULL DEFAULT '',
    cleanup INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE UNIQUE INDEX one_open ON request (model, version) WHERE state IN ('queued', 'submitting', 'running');
CREATE INDEX request_by_state ON request (state, number);
CREATE INDEX request_by_model ON request (model, version, number);
CREATE INDEX request_to_clean ON request (number) WHERE cleanup = 1;

CREATE TABLE reason (
    request_id TEXT NOT NULL REFERENCES request (id),
    code TEXT NOT NULL,
    text TEXT NOT NULL,
    source TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (request_id, code)
) STRICT;

CREATE TABLE episode (
    source TEXT NOT NULL,
    model TEXT NOT NULL,
    version TEXT NOT NULL,
    episode TEXT NOT NULL,
    condition TEXT NOT NULL,
    request_id TEXT REFERENCES request (id),
    first_at INTEGER NOT NULL,
    last_at INTEGER NOT NULL,
    resolved_at INTEGER,
    escalated_at INTEGER,
    PRIMARY KEY (source, model, version, episode)
) STRICT, WITHOUT ROWID;
CREATE INDEX episode_by_request ON episode (request_id);
CREATE INDEX episode_by_condition ON episode (model, condition) WHERE condition <> '';
CREATE INDEX episode_escalated ON episode (escalated_at) WHERE escalated_at IS NOT NULL AND resolved_at IS NULL;

CREATE TABLE suspension (
    request_id TEXT NOT NULL REFERENCES request (id),
    certificate_sha256 TEXT NOT NULL,
    reason TEXT NOT NULL,
    cause TEXT NOT NULL,
    wanted_at INTEGER NOT NULL,
    done_at INTEGER,
    tries INTEGER NOT NULL DEFAULT 0,
    error TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (request_id, certificate_sha256)
) STRICT;
CREATE INDEX suspension_pending ON suspension (wanted_at) WHERE done_at IS NULL;

CREATE TABLE fleet (
    model TEXT NOT NULL,
    version TEXT NOT NULL,
    model_sha256 TEXT NOT NULL,
    certificate_sha256 TEXT NOT NULL,
    certified_at INTEGER NOT NULL,
    not_after INTEGER NOT NULL,
    superseded INTEGER NOT NULL,
    PRIMARY KEY (model, version)
) STRICT, WITHOUT ROWID;

CREATE TABLE counter (
    name TEXT NOT NULL,
    first TEXT NOT NULL,
    second TEXT NOT NULL,
    value INTEGER NOT NULL,
    PRIMARY KEY (name, first, second)
) STRICT, WITHOUT ROWID;

CREATE TABLE audit (
    sequence INTEGER PRIMARY KEY,
    request_id TEXT NOT NULL,
    line TEXT NOT NULL
) STRICT;
CREATE INDEX audit_by_request ON audit (request_id, sequence) WHERE request_id <> '';
"""


def prepare(connection: sqlite3.Connection) -> None:
    """Makes the tables in a new database; StorageError for one of another version."""
    (found,) = connection.execute("PRAGMA user_version").fetchone()
    if found == VERSION:
        return
    if found != 0:
        remedy = "run the release that wrote it"
        raise StorageError(expected(f"a database of version {VERSION}", got=f"version {found}", remedy=remedy))
    connection.executescript(f"BEGIN IMMEDIATE; {TABLES} PRAGMA user_version = {VERSION}; COMMIT;")


def milliseconds(moment: datetime) -> int:
    """A time as the tables keep it.

    >>> milliseconds(datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC))
    1000
    """
    return round((moment - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(milliseconds=1))


def moment_of(value: int) -> datetime:
    """The time that a table keeps."""
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=value)
