"""What this machine has asked the server for: written before it asks, so that a killed process is not forgotten.

The server gives ordinary runs no idempotency. A process that was killed right after it asked for a run may be followed
by another that does not see that run yet; the intent tells it to wait. Processes that share the folder go one by one.
"""

from __future__ import annotations

import fcntl
import json
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from robustcert.errors import StorageError
from robustcert.provenance.digests import sha256_bytes
from robustcert.storage.atomic import disk_failure, write_whole


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A request for a run: when, in seconds since 1970, and the ids of the runs of that name that were there before."""

    at: float
    known: frozenset[str]


class Intent:
    """The intent to have one run, in a file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> Asked | None:
        """What was asked for and not yet seen; None where nothing was."""
        try:
            value = json.loads(self._path.read_bytes())
            return Asked(at=float(value["at"]), known=frozenset(map(str, value["known"])))
        except (FileNotFoundError, ValueError, LookupError, TypeError, RecursionError):
            return None  # whoever wrote anything else was not us

    def write(self, *, at: float, known: Collection[str]) -> None:
        """Keeps what is about to be asked for."""
        write_whole(self._path, json.dumps({"at": at, "known": sorted(known)}).encode())

    def clear(self) -> None:
        """Forgets it: the run was seen."""
        self._path.unlink(missing_ok=True)


@contextmanager
def held_intent(folder: Path, name: str) -> Iterator[Intent]:
    """The intent for the run of that name, for one process at a time; StorageError where `folder` can't be written."""
    path = folder / sha256_bytes(name.encode())
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = path.with_suffix(".lock").open("w")
    except OSError as error:
        wanted = "a writable folder for what was submitted (--state)"
        raise StorageError(disk_failure(error, wanted=wanted, path=folder)) from error
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield Intent(path.with_suffix(".json"))
