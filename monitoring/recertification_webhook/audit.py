"""The audit log: one JSON line per decision, each with the SHA-256 of itself and of the line before it.

Lines are canonical JSON (robustcert.provenance.digests) and only ever appended, each batch flushed to the disk. So an
edited, removed or swapped line shows to whoever has the file alone; that the last lines were cut off, or all of them
written anew, shows against the database, which holds the same lines (database.py compares both at every start).
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from monitoring.recertification_webhook.requests import AuditEntry
from robustcert.errors import StorageError, VerificationError, expected
from robustcert.provenance.digests import canonical_json, sha256_bytes
from robustcert.storage.atomic import disk_failure, flush_folder, make_folder

FIRST = "0" * 64  # what the first line names as the digest of the one before it
LONGEST_LINE = 64 * 1024
KEYS = ("action", "actor", "at", "detail", "previous", "requestId", "sequence", "sha256")


class AuditError(VerificationError):
    """The audit log is not what was written."""


@dataclass(frozen=True, kw_only=True)
class Head:
    """How many lines there are and the digest of the last one; `torn` bytes of a line that a crash cut short follow."""

    entries: int = 0
    sha256: str = FIRST
    size: int = 0
    torn: int = 0


def audit_line(
    head: Head, *, at: str, actor: str, action: str, request_id: str, detail: Mapping[str, str]
) -> tuple[bytes, Head]:
    """The line that follows `head`, without its newline, and the head after it."""
    content = {
        "action": action,
        "actor": actor,
        "at": at,
        "detail": dict(detail),
        "previous": head.sha256,
        "requestId": request_id,
        "sequence": head.entries + 1,
    }
    digest = sha256_bytes(canonical_json(content))
    line = canonical_json({**content, "sha256": digest})
    return line, Head(entries=head.entries + 1, sha256=digest, size=head.size + len(line) + 1)


def follow(head: Head, line: bytes) -> Head:
    """The head after a line; AuditError where the line does not follow."""
    entry = _parsed(line, number=head.entries + 1)
    if entry["sequence"] != head.entries + 1 or entry["previous"] != head.sha256:
        raise _broken(head.entries + 1, "one that does not follow the line before it")
    return Head(entries=head.entries + 1, sha256=str(entry["sha256"]), size=head.size + len(line) + 1)


def audit_entry(line: bytes) -> AuditEntry:
    """What a line says."""
    value = json.loads(line)
    return AuditEntry(
        sequence=value["sequence"],
        at=datetime.fromisoformat(value["at"]),
        actor=value["actor"],
        action=value["action"],
        request_id=value["requestId"],
        detail=value["detail"],
        sha256=value["sha256"],
    )


def verify_audit(path: Path) -> Head:
    """Number of lines and last digest of an audit log; AuditError names the first line that was changed."""
    head = Head()
    for line in audit_lines(path):
        if line.endswith(b"\n"):
            head = follow(head, line[:-1])
        else:
            return Head(entries=head.entries, sha256=head.sha256, size=head.size, torn=len(line))
    return head


def audit_lines(path: Path) -> Iterator[bytes]:
    """The lines of a log with their newlines, none where there is no file; the last one may be torn."""
    try:
        with path.open("rb") as file:
            while line := file.readline(LONGEST_LINE):
                yield line
    except FileNotFoundError:
        return
    except OSError as error:
        raise StorageError(disk_failure(error, wanted="a readable audit log", path=path)) from error


class AuditFile:
    """The file, for one appending process; `size` is what is known to be on the disk."""

    def __init__(self, path: Path, *, size: int) -> None:
        self._path, self._size = path, size
        make_folder(path.absolute().parent)
        self._file: BinaryIO = path.open("ab", buffering=0)
        os.ftruncate(self._file.fileno(), size)
        flush_folder(path.absolute().parent)

    def append(self, lines: Sequence[bytes]) -> None:
        """Appends lines and flushes them; StorageError, and nothing of them left, where the disk refuses."""
        self._require_whole()
        data = memoryview(b"".join(line + b"\n" for line in lines))
        end = self._size + len(data)
        try:
            while data:
                data = data[self._file.write(data) :]
            os.fdatasync(self._file.fileno())
        except OSError as error:
            os.ftruncate(self._file.fileno(), self._size)
            raise StorageError(disk_failure(error, wanted="to append to the audit log", path=self._path)) from error
        self._size = end

    def _require_whole(self) -> None:
        """StorageError where the file was moved, removed or cut meanwhile: what is appended would be lost unseen."""
        mine = os.fstat(self._file.fileno())
        if not self._path.exists() or not os.path.samestat(mine, self._path.stat()) or mine.st_size != self._size:
            got = "another, a shorter one, or none"
            remedy = "put it back; never move, remove or rotate it"
            raise StorageError(expected(f"the audit log as it was written at '{self._path}'", got=got, remedy=remedy))

    def close(self) -> None:
        """Lets go of the file."""
        self._file.close()


def _parsed(line: bytes, *, number: int) -> dict[str, str | int]:
    try:
        value = json.loads(line)
        digest = value.pop("sha256")
        holds = sha256_bytes(canonical_json(value)) == digest and canonical_json({**value, "sha256": digest}) == line
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
        holds = False
    if not holds or tuple(sorted((*value, "sha256"))) != KEYS:
        raise _broken(number, "another text")
    return {**value, "sha256": digest}


def _broken(number: int, got: str) -> AuditError:
    remedy = "find out who changed it; compare with the database and with copies"
    return AuditError(expected(f"line {number} of the audit log as it was written", got=got, remedy=remedy))
