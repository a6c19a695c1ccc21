"""The controller's SQLite file: many readers, one writing thread, and one flush to the disk for all who wait for it.

WAL with synchronous=FULL: what `write` returned survives a power cut. A commit that fails takes its whole group with
it, and each caller gets a StorageError. Audit lines are committed with the decisions that they tell of, and appended to
the log right after; what a crash kept from it is appended at the next start, where both are compared line by line.
Sources: sqlite.org/wal.html, sqlite.org/pragma.html#pragma_synchronous, sqlite.org/lang_savepoint.html.
"""

from __future__ import annotations

import fcntl
import queue
import sqlite3
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import ExitStack, closing
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import IO, Any, TypeVar

from monitoring.recertification_webhook.audit import AuditFile, Head
from monitoring.recertification_webhook.audit_match import append_missing, matched_head
from monitoring.recertification_webhook.moved_clock import MovedClock, carry_over
from monitoring.recertification_webhook.schema import prepare
from monitoring.recertification_webhook.transaction import Key, Transaction
from robustcert.errors import StorageError, expected
from robustcert.storage.atomic import disk_failure, make_folder

Found = TypeVar("Found")
Work = Callable[[Transaction], Any]

MOST_AT_ONCE = 512  # pieces of work in one commit
BUSY_SECONDS = 10.0  # for whoever copies the database meanwhile
FLUSHED, CLOCK = "audit_flushed", "clock"
PRAGMAS = ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON", "journal_size_limit = 67108864")


@dataclass(frozen=True, kw_only=True)
class _Job:
    work: Work
    done: Future[Any]


class Database:
    """Open from `open` to `close`; `write` and `read` may be called from any thread."""

    def __init__(self, path: Path, *, audit_log: Path, clock: MovedClock) -> None:
        self._path, self._audit_log, self._clock = path, audit_log, clock
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._readers = threading.local()
        self._all_readers: list[sqlite3.Connection] = []
        self._counts: Counter[Key] = Counter()
        self._owed: Counter[Key] = Counter()  # counted, not yet in the database
        self._unflushed: list[bytes] = []
        self._broken = False
        self.last_error = ""
        self.commits = 0

    def open(self) -> None:
        """StorageError where another process has the database; AuditError where audit log and database differ."""
        with ExitStack() as opened:
            self._lock = opened.enter_context(_locked(self._path))
            self._connection = opened.enter_context(closing(connect(self._path)))
            self._head, self._unflushed = self._matched()
            self._file = AuditFile(self._audit_log, size=self._flushed.size)
            opened.callback(self._file.close)
            self._flush_audit()
            self._resume()
            opened.pop_all()
        self._thread = threading.Thread(target=self._serve, name="database", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Ends the writing thread once everything that waits is done."""
        self._jobs.put(None)
        self._thread.join()
        self._file.close()
        for connection in (*self._all_readers, self._connection):
            connection.close()
        self._lock.close()

    def write(self, work: Callable[[Transaction], Found]) -> Found:
        """What `work` returned, once it is committed; StorageError where the disk refuses, nothing of it done then."""
        done: Future[Found] = Future()
        self._jobs.put(_Job(work=work, done=done))
        return done.result()

    def read(self, work: Callable[[sqlite3.Connection], Found]) -> Found:
        """What `work` finds in what is committed."""
        try:
            if not hasattr(self._readers, "connection"):
                self._readers.connection = connect(self._path)
                self._all_readers.append(self._readers.connection)
            return work(self._readers.connection)
        except sqlite3.Error as error:
            raise _failure(error, self._path) from error

    def counts(self, name: str) -> dict[tuple[str, str], int]:
        """Counters of that name by their two labels."""
        return {key[1:]: value for key, value in self._counts.copy().items() if key[0] == name}

    @property
    def audit_entries_pending(self) -> int:
        """Lines that are committed and not yet in the log."""
        return len(self._unflushed)

    def _matched(self) -> tuple[Head, list[bytes]]:
        self._flushed = matched_head(self._connection, self._audit_log, at_least=int(self._meta(FLUSHED) or 0))
        return append_missing(self._connection, self._flushed)

    def _resume(self) -> None:
        """Goes on from what the last process kept: both clocks, and all counts."""
        if stamp := self._meta(CLOCK):
            self._clock.resume(stamp)
        for name, first, second, value in self._connection.execute("SELECT * FROM counter"):
            self._counts[(name, first, second)] = value

    def _meta(self, name: str) -> str:
        row = self._connection.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
        return str(row[0]) if row else ""

    def _serve(self) -> None:
        while (job := self._jobs.get()) is not None:
            group, last = [job], False
            while len(group) < MOST_AT_ONCE and not self._jobs.empty():
                more = self._jobs.get()
                if last := more is None:
                    break
                group.append(more)
            self._settle(group)
            if last:
                return

    def _settle(self, group: list[_Job]) -> None:
        """Does a group in one transaction, and tells each caller afterwards."""
        try:
            if self._broken:
                self._start_again()
            self._flush_audit()
            answers = self._commit(group)
        except (StorageError, sqlite3.Error, OSError) as error:
            failure = error if isinstance(error, StorageError) else _failure(error, self._path)
            self.last_error, self._broken = str(failure), True
            _refuse(group, failure)
            return
        for job, (found, refusal) in zip(group, answers, strict=True):
            job.done.set_result(found) if refusal is None else job.done.set_exception(refusal)

    def _commit(self, group: list[_Job]) -> list[tuple[Any, Exception | None]]:
        self._connection.execute("BEGIN IMMEDIATE")
        changes = self._connection.total_changes
        transaction = Transaction(self._connection, self._head, self._clock.look())
        if self._clock.owed:
            carry_over(transaction, self._clock.owed)
        answers = [_done(transaction, job.work) for job in group]
        owed = self._owed + transaction.counted
        if self._connection.total_changes == changes:  # nothing to keep but counts, which may wait for the next commit
            self._connection.execute("ROLLBACK")
        else:
            self._keep(owed)
            self._connection.execute("COMMIT")
            self.commits += 1
            self._clock.owed = timedelta(0)
            owed = Counter()
        self._counts.update(transaction.counted)
        self._owed, self._head = owed, transaction.head
        self._unflushed += transaction.audited
        self.last_error = ""
        try:
            self._flush_audit()
        except StorageError as error:  # what is committed is done; nothing further is until the log can be written
            self.last_error = str(error)
        return answers

    def _keep(self, owed: Counter[Key]) -> None:
        """Counts, and how far the audit log was flushed, into the transaction."""
        self._connection.executemany(
            "INSERT INTO counter VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET value = value + excluded.value",
            [(*key, value) for key, value in owed.items()],
        )
        statement = "INSERT INTO meta VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value"
        kept = ((FLUSHED, str(self._flushed.entries)), (CLOCK, self._clock.stamp()))
        self._connection.executemany(statement, kept)

    def _flush_audit(self) -> None:
        if self._unflushed:
            self._file.append(self._unflushed)
            self._unflushed = []
            self._flushed = self._head

    def _start_again(self) -> None:
        """A fresh connection: after an input or output error the old one may be of no use."""
        self._connection.close()
        self._connection = connect(self._path)
        self._head, self._unflushed = append_missing(self._connection, self._flushed)
        self._broken = False


def connect(path: Path) -> sqlite3.Connection:
    """A connection with the tables in place; StorageError where the disk refuses."""
    try:
        connection = sqlite3.connect(path, isolation_level=None, timeout=BUSY_SECONDS, check_same_thread=False)
    except sqlite3.Error as error:
        raise _failure(error, path) from error
    try:
        connection.row_factory = sqlite3.Row
        for pragma in PRAGMAS:
            connection.execute(f"PRAGMA {pragma}")
        prepare(connection)
    except sqlite3.Error as error:
        connection.close()
        raise _failure(error, path) from error
    except StorageError:
        connection.close()
        raise
    return connection


def _done(transaction: Transaction, work: Work) -> tuple[Any, Exception | None]:
    """What one piece of work returned, or why it refused; what it did is undone then, and the others go on.

    A disk that fails is no refusal: SQLite may have ended the whole transaction.
    """
    mark = transaction.mark()
    answer: tuple[Any, Exception | None]
    try:
        answer = work(transaction), None
    except sqlite3.IntegrityError as refusal:
        answer = None, transaction.undone(mark, refusal)
    except sqlite3.Error:
        raise
    except Exception as refusal:  # noqa: BLE001  whoever asked is told; a mistake of ours ends nobody else's work
        answer = None, transaction.undone(mark, refusal)
    transaction.connection.execute("RELEASE work")
    return answer


def _refuse(group: list[_Job], error: Exception) -> None:
    for job in group:
        job.done.set_exception(error)


def _locked(path: Path) -> IO[str]:
    """Holds the database for this process, however it ends."""
    try:
        make_folder(path.absolute().parent)
        lock = path.with_name(f"{path.name}.lock").open("w")
    except OSError as error:
        raise StorageError(disk_failure(error, wanted="a writable database", path=path)) from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        lock.close()
        remedy = "stop the other one; one controller is enough"
        raise StorageError(expected(f"'{path}' for itself", got="another controller's", remedy=remedy)) from error
    return lock


def _failure(error: sqlite3.Error | OSError, path: Path) -> StorageError:
    remedy = "free space there, or check that path and its disk"
    return StorageError(
        expected(f"a database that can be read and written at '{path}'", got=f"'{error}'", remedy=remedy)
    )
