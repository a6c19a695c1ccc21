"""The database: one flush for many, all or nothing, one owner, and an audit log that can't disagree silently."""

from __future__ import annotations

import contextlib
import resource
import signal
import sqlite3
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest

from monitoring.recertification_webhook.audit import AuditError, verify_audit
from monitoring.recertification_webhook.database import Database
from monitoring.recertification_webhook.moved_clock import MovedClock
from monitoring.recertification_webhook.requests import ConflictError
from monitoring.recertification_webhook.transaction import Transaction
from robustcert.errors import StorageError

NOW = datetime(2026, 6, 1, tzinfo=UTC)


def opened(folder: Path) -> Database:
    database = Database(folder / "c.sqlite", audit_log=folder / "audit.jsonl", clock=MovedClock(lambda: NOW))
    database.open()
    return database


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    found = opened(tmp_path)
    yield found
    found.close()


def note(name: str) -> object:
    """Work that writes a row and a line of the log."""

    def work(transaction: Transaction) -> str:
        transaction.run("INSERT INTO meta VALUES (?, 'x')", name)
        transaction.audit("noted", actor="test", name=name)
        transaction.count("notes", "a", "b")
        return name

    return work


def names(path: Path) -> set[str]:
    """What is committed, read by another connection."""
    with contextlib.closing(sqlite3.connect(path / "c.sqlite")) as connection:
        return {name for (name,) in connection.execute("SELECT name FROM meta WHERE value = 'x'")}


def test_what_was_written_is_there_for_everybody_at_once_and_in_the_log(database: Database, tmp_path: Path) -> None:
    assert database.write(note("one")) == "one"
    assert names(tmp_path) == {"one"}
    assert verify_audit(tmp_path / "audit.jsonl").entries == 1
    assert database.counts("notes") == {("a", "b"): 1}


def test_the_file_survives_power_cuts_by_its_settings(database: Database) -> None:
    pragmas = ("journal_mode", "synchronous", "foreign_keys", "user_version")
    found = database.read(lambda one: [one.execute(f"PRAGMA {name}").fetchone()[0] for name in pragmas])
    assert found == ["wal", 2, 1, 1]


def test_callers_that_wait_together_share_a_commit(database: Database, tmp_path: Path) -> None:
    """While one piece of work holds the writer, forty others gather; sqlite's own counter tells of the commits."""
    begun, go_on = threading.Event(), threading.Event()

    def slow(transaction: Transaction) -> None:
        begun.set()
        assert go_on.wait(10)

    with ThreadPoolExecutor(41) as pool:
        pool.submit(database.write, slow)
        assert begun.wait(10)
        waiting = [pool.submit(database.write, note(f"n{number}")) for number in range(40)]
        while database._jobs.qsize() < 40:
            pass
        version = database.read(lambda one: one.execute("PRAGMA data_version").fetchone()[0])
        go_on.set()
        assert {one.result() for one in waiting} == {f"n{number}" for number in range(40)}
    assert len(names(tmp_path)) == 40
    assert verify_audit(tmp_path / "audit.jsonl").entries == 40
    assert version is not None
    assert database.commits == 1


def test_work_that_refuses_undoes_itself_alone(database: Database, tmp_path: Path) -> None:
    def refuse(transaction: Transaction) -> None:
        note("half")(transaction)  # type: ignore[operator]
        raise ConflictError("no")

    with ThreadPoolExecutor(3) as pool:
        refused = pool.submit(database.write, refuse)
        kept = [pool.submit(database.write, note(name)) for name in ("a", "b")]
        with pytest.raises(ConflictError, match="no"):
            refused.result()
        assert [one.result() for one in kept] == ["a", "b"]
    assert names(tmp_path) == {"a", "b"}
    assert verify_audit(tmp_path / "audit.jsonl").entries == 2
    assert database.counts("notes") == {("a", "b"): 2}


def test_a_mistake_in_one_work_reaches_its_caller_and_ends_nothing(database: Database) -> None:
    def mistake(transaction: Transaction) -> None:
        raise ZeroDivisionError("ours")

    with pytest.raises(ZeroDivisionError, match="ours"):
        database.write(mistake)
    assert database.write(note("after")) == "after"


@contextlib.contextmanager
def full_disk() -> Iterator[None]:
    """No file of this process may grow."""
    before, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


def test_a_full_disk_fails_the_work_whole_and_heals(database: Database, tmp_path: Path) -> None:
    database.write(note("before"))
    with full_disk():
        for _ in range(3):
            with pytest.raises(StorageError, match="a database that can be read and written"):
                database.write(note("during"))
        assert database.last_error
    assert names(tmp_path) == {"before"}
    assert database.write(note("after")) == "after"
    assert database.last_error == ""
    assert names(tmp_path) == {"before", "after"}
    assert verify_audit(tmp_path / "audit.jsonl").entries == 2


def test_a_log_that_cannot_be_written_stops_further_decisions_and_is_made_up_for(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    append = database._file.append

    def refuse(lines: object) -> None:
        raise StorageError("the log's disk is full")

    monkeypatch.setattr(database._file, "append", refuse)
    assert database.write(note("done")) == "done"
    assert (database.audit_entries_pending, database.last_error) == (1, "the log's disk is full")
    with pytest.raises(StorageError, match="the log's disk is full"):
        database.write(note("not done"))
    monkeypatch.setattr(database._file, "append", append)
    database.write(note("done too"))
    assert names(tmp_path) == {"done", "done too"}
    assert verify_audit(tmp_path / "audit.jsonl").entries == 2
    assert database.audit_entries_pending == 0


def test_counts_alone_wait_for_the_next_commit_and_survive_with_it(tmp_path: Path) -> None:
    database = opened(tmp_path)
    database.write(lambda transaction: transaction.count("seen", "x"))
    assert database.commits == 0
    database.write(note("one"))
    database.close()
    again = opened(tmp_path)
    assert again.counts("seen") == {("x", ""): 1}
    again.close()


def test_one_process_has_the_database(database: Database, tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="another controller's"):
        opened(tmp_path)


def test_a_database_of_another_version_is_refused(tmp_path: Path) -> None:
    with contextlib.closing(sqlite3.connect(tmp_path / "c.sqlite")) as connection:
        connection.execute("PRAGMA user_version = 7")
    with pytest.raises(StorageError, match="expected a database of version 1, got version 7"):
        opened(tmp_path)


def test_at_most_one_open_request_per_model_version_whatever_the_code_does(database: Database) -> None:
    insert = (
        "INSERT INTO request (id, model, version, certificate_sha256, state, attempts_allowed, created_at, updated_at,"
        " planned_at, not_before) VALUES (?, 'digits', 'v', '', ?, 1, 0, 0, 0, 0)"
    )
    for number, state in enumerate(("dead", "dead", "succeeded", "cancelled", "queued")):
        database.write(lambda transaction, number=number, state=state: transaction.run(insert, number, state))
    for state in ("queued", "submitting", "running"):
        with pytest.raises(sqlite3.IntegrityError, match="UNIQUE constraint failed"):
            database.write(lambda transaction, state=state: transaction.run(insert, "other", state))


@pytest.mark.parametrize("lines", [0, 1, 2])
def test_lines_that_a_crash_kept_from_the_log_are_appended(tmp_path: Path, lines: int) -> None:
    """As if the process had died between commit and flush: the log ends earlier, or within a line."""
    database = opened(tmp_path)
    for number in range(3):
        database.write(note(str(number)))
    database.close()
    whole = (tmp_path / "audit.jsonl").read_bytes()
    parts = whole.splitlines(keepends=True)
    (tmp_path / "audit.jsonl").write_bytes(b"".join(parts[:2]) + parts[2][: 10 * lines])
    opened(tmp_path).close()
    assert (tmp_path / "audit.jsonl").read_bytes() == whole


def test_a_log_that_lost_lines_it_once_had_is_refused(tmp_path: Path) -> None:
    database = opened(tmp_path)
    for number in range(3):
        database.write(note(str(number)))
    database.close()
    parts = (tmp_path / "audit.jsonl").read_bytes().splitlines(keepends=True)
    (tmp_path / "audit.jsonl").write_bytes(parts[0])
    with pytest.raises(AuditError, match="expected 2 lines in the audit log, got 1"):
        opened(tmp_path)
    (tmp_path / "audit.jsonl").unlink()
    with pytest.raises(AuditError, match="got 0"):
        opened(tmp_path)


def test_a_log_that_was_written_anew_from_the_start_is_refused(tmp_path: Path) -> None:
    """Its chain holds, yet it is another history than the database's."""
    (tmp_path / "other").mkdir()
    for folder, name in ((tmp_path, "told"), (tmp_path / "other", "retold")):
        database = opened(folder)
        database.write(note(name))
        database.close()
    (tmp_path / "other" / "audit.jsonl").replace(tmp_path / "audit.jsonl")
    assert verify_audit(tmp_path / "audit.jsonl").entries == 1
    with pytest.raises(AuditError, match="line 1 of the audit log as the database has it"):
        opened(tmp_path)


def test_a_database_that_was_put_back_is_refused(tmp_path: Path) -> None:
    database = opened(tmp_path)
    database.write(note("one"))
    database.close()
    for file in tmp_path.glob("c.sqlite*"):
        file.unlink()
    with pytest.raises(AuditError, match="expected the database to know line 1 of the audit log"):
        opened(tmp_path)
