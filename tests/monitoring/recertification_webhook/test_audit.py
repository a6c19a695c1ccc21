"""The audit log: whoever edits, removes or swaps a line is found out (SEEDS 144); a torn last line is not tampering."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from monitoring.recertification_webhook.audit import (
    FIRST,
    AuditError,
    AuditFile,
    Head,
    audit_entry,
    audit_line,
    verify_audit,
)
from robustcert.errors import StorageError

LINES = 5
Change = Callable[[list[bytes]], list[bytes]]


def written(path: Path, *, count: int = LINES) -> list[bytes]:
    """A log of so many lines."""
    head, lines = Head(), []
    for number in range(count):
        at = f"2026-06-01T12:00:0{number}Z"
        line, head = audit_line(
            head, at=at, actor="controller", action="run-started", request_id=f"r{number}", detail={"run": "ä"}
        )
        lines.append(line)
    file = AuditFile(path, size=0)
    file.append(lines[:2])
    file.append(lines[2:])
    file.close()
    return [line + b"\n" for line in lines]


def test_each_line_holds_the_digest_of_itself_and_of_the_line_before_it(tmp_path: Path) -> None:
    """Recomputed here from the format's description, with the standard library alone."""
    lines = written(tmp_path / "audit.jsonl")
    previous = FIRST
    for number, line in enumerate((tmp_path / "audit.jsonl").read_bytes().splitlines(), start=1):
        value = json.loads(line)
        claimed = value.pop("sha256")
        text = json.dumps(value, sort_keys=True, separators=(",", ":"))
        assert hashlib.sha256(text.encode()).hexdigest() == claimed
        assert (value["sequence"], value["previous"]) == (number, previous)
        previous = claimed
    assert verify_audit(tmp_path / "audit.jsonl") == Head(entries=LINES, sha256=previous, size=sum(map(len, lines)))


def test_a_line_reads_back_as_what_was_decided(tmp_path: Path) -> None:
    entry = audit_entry(written(tmp_path / "audit.jsonl")[1])
    assert (entry.sequence, entry.action, entry.actor, entry.request_id) == (2, "run-started", "controller", "r1")
    assert (entry.detail, entry.at.isoformat()) == ({"run": "ä"}, "2026-06-01T12:00:01+00:00")


def edited(lines: list[bytes]) -> list[bytes]:
    return [*lines[:2], lines[2].replace(b'"r2"', b'"r9"'), *lines[3:]]


def edited_with_its_own_digest(lines: list[bytes]) -> list[bytes]:
    value = json.loads(lines[2]) | {"requestId": "r9"}
    del value["sha256"]
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    changed = json.dumps(
        {**value, "sha256": hashlib.sha256(text.encode()).hexdigest()}, sort_keys=True, separators=(",", ":")
    )
    return [*lines[:2], changed.encode() + b"\n", *lines[3:]]


@pytest.mark.parametrize(
    ("change", "number"),
    [
        (edited, 3),
        (edited_with_its_own_digest, 4),
        (lambda lines: lines[1:], 1),
        (lambda lines: [*lines[:2], *lines[3:]], 3),
        (lambda lines: [lines[0], lines[2], lines[1], *lines[3:]], 2),
        (lambda lines: [*lines[:2], lines[1], *lines[2:]], 3),
        (lambda lines: [*lines[:4], lines[4].replace(b":", b": ", 1)], 5),
        (lambda lines: [*lines[:4], lines[4].replace(b"{", b'{"aaa":1,', 1)], 5),
        (lambda lines: [*lines[:1], b"\n", *lines[1:]], 2),
        (lambda lines: [*lines[:1], b"[]\n", *lines[1:]], 2),
        (lambda lines: [*lines[:1], b"[" * 5000 + b"\n", *lines[1:]], 2),
        (lambda lines: [*lines[:1], b"\xff\n", *lines[1:]], 2),
    ],
)
def test_tampering_is_found_at_its_line(tmp_path: Path, change: Change, number: int) -> None:
    lines = written(tmp_path / "audit.jsonl")
    (tmp_path / "audit.jsonl").write_bytes(b"".join(change(lines)))
    with pytest.raises(AuditError, match=f"expected line {number} of the audit log as it was written"):
        verify_audit(tmp_path / "audit.jsonl")


def test_every_single_flipped_byte_is_found(tmp_path: Path) -> None:
    data = b"".join(written(tmp_path / "audit.jsonl", count=2))
    for place in range(len(data) - 1):  # the last byte is a newline: without it the line is torn
        changed = bytearray(data)
        changed[place] ^= 1
        (tmp_path / "audit.jsonl").write_bytes(bytes(changed))
        with pytest.raises(AuditError, match="as it was written"):
            verify_audit(tmp_path / "audit.jsonl")


def test_a_line_that_a_crash_cut_short_is_told_apart_from_tampering(tmp_path: Path) -> None:
    lines = written(tmp_path / "audit.jsonl")
    (tmp_path / "audit.jsonl").write_bytes(b"".join(lines)[:-7])
    found = verify_audit(tmp_path / "audit.jsonl")
    assert (found.entries, found.torn) == (LINES - 1, len(lines[-1]) - 7)


def test_there_may_be_no_log_yet(tmp_path: Path) -> None:
    assert verify_audit(tmp_path / "audit.jsonl") == Head()


def test_what_the_disk_refuses_leaves_nothing_behind(tmp_path: Path) -> None:
    import resource
    import signal

    lines = written(tmp_path / "audit.jsonl")
    size = sum(map(len, lines))
    file = AuditFile(tmp_path / "audit.jsonl", size=size)
    before, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 10, before[1]))
    try:
        with pytest.raises(StorageError, match="to append to the audit log"):
            file.append([lines[0][:-1]])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert (tmp_path / "audit.jsonl").read_bytes() == b"".join(lines)
    file.close()


@pytest.mark.parametrize(
    "change",
    [lambda path: path.unlink(), lambda path: path.rename(path.with_suffix(".1")), lambda path: path.write_bytes(b"")],
    ids=["removed", "rotated", "cut"],
)
def test_a_log_that_is_taken_away_while_it_is_written_is_missed(tmp_path: Path, change: Callable[[Path], None]) -> None:
    lines = written(tmp_path / "audit.jsonl")
    file = AuditFile(tmp_path / "audit.jsonl", size=sum(map(len, lines)))
    change(tmp_path / "audit.jsonl")
    with pytest.raises(StorageError, match=r"the audit log as it was written at .*; put it back"):
        file.append([lines[0][:-1]])
    file.close()
