"""Suspending certificates: wanted in the same commit as the decision, written to the store by the loop until done.

`write_status` of robustcert.certificate.status does the same for the same request once, so a crash between the store
and the database repeats nothing.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from datetime import datetime

from monitoring.recertification_webhook.database import Database
from monitoring.recertification_webhook.schema import milliseconds
from monitoring.recertification_webhook.transaction import Transaction
from robustcert.certificate.bundle import certificate_name
from robustcert.certificate.keys import SigningKey, VerificationKey
from robustcert.certificate.status import StatusChange, read_statuses, status_in_force, write_status
from robustcert.errors import InputError, RobustcertError, StorageError, expected
from robustcert.recertification import Reason
from robustcert.storage.store import Store

ACTOR = "recertification controller"
LONGEST_CAUSE = 1000
EVIDENCE = ("runs/", "windows/")
MOST_EVIDENCE = 50


def want_suspension(transaction: Transaction, request_id: str, certificate_sha256: str, reason: Reason) -> None:
    """Notes that a certificate is to be suspended; once for each request and certificate."""
    found = transaction.run(
        "INSERT OR IGNORE INTO suspension (request_id, certificate_sha256, reason, cause, wanted_at)"
        " VALUES (?, ?, ?, ?, ?)",
        *(request_id, certificate_sha256, reason.code, reason.text[:LONGEST_CAUSE], milliseconds(transaction.now)),
    )
    if found.rowcount:
        detail = {"certificate": certificate_sha256, "reason": reason.code}
        transaction.audit("suspension-wanted", actor="controller", request_id=request_id, **detail)


def suspend_all(
    database: Database, store: Store, *, key: SigningKey, keys: Sequence[VerificationKey], now: datetime
) -> list[str]:
    """Writes every suspension that is wanted; what went wrong with those that stay wanted."""
    wanted = database.read(
        lambda connection: connection.execute("SELECT * FROM suspension WHERE done_at IS NULL").fetchall()
    )
    failures = []
    for row in wanted:
        try:
            done = _suspend(store, row, key=key, keys=keys, now=now)
        except RobustcertError as error:
            failures.append(str(error))
            _note_failure(database, row, str(error))
        else:
            _note_done(database, row, done)
    return failures


def _suspend(store: Store, row: sqlite3.Row, *, key: SigningKey, keys: Sequence[VerificationKey], now: datetime) -> str:
    """What was done, in a word."""
    sha256 = row["certificate_sha256"]
    certificate = store.read_document(certificate_name(sha256))
    if certificate is None:
        raise StorageError(expected(f"certificate {sha256}", got="none in the store", remedy="restore it"))
    if status_in_force(read_statuses(store, sha256, keys=keys)) != "active":
        return "not active already"
    change = StatusChange(
        status="suspended",
        reason=row["reason"],
        cause=row["cause"],
        evidence=_evidence(store, row["request_id"]),
        request_id=row["request_id"],
        decided_by=ACTOR,
    )
    try:
        write_status(store, certificate, change, key=key, keys=keys, now=now)
    except InputError:  # revoked meanwhile, which is more
        return "not active already"
    return "suspended"


def _evidence(store: Store, request_id: str) -> tuple[str, ...]:
    """Names of the store's documents that the request's runs have left."""
    found = (name for folder in EVIDENCE for name in store.list_documents(f"{folder}{request_id}-"))
    return tuple(found)[:MOST_EVIDENCE]


def _note_failure(database: Database, row: sqlite3.Row, error: str) -> None:
    def note(transaction: Transaction) -> None:
        transaction.run(
            "UPDATE suspension SET tries = tries + 1, error = ? WHERE request_id = ? AND certificate_sha256 = ?",
            *(error[:500], row["request_id"], row["certificate_sha256"]),
        )
        if row["tries"] == 0:
            detail = {"certificate": row["certificate_sha256"], "error": error[:500]}
            transaction.audit("suspension-failed", actor="controller", request_id=row["request_id"], **detail)

    database.write(note)


def _note_done(database: Database, row: sqlite3.Row, done: str) -> None:
    def note(transaction: Transaction) -> None:
        transaction.run(
            "UPDATE suspension SET done_at = ?, error = '' WHERE request_id = ? AND certificate_sha256 = ?",
            *(milliseconds(transaction.now), row["request_id"], row["certificate_sha256"]),
        )
        detail = {"certificate": row["certificate_sha256"], "reason": row["reason"], "done": done}
        transaction.audit("certificate-suspended", actor="controller", request_id=row["request_id"], **detail)

    database.write(note)
