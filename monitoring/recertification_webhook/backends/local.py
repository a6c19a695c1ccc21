"""Runs as detached child processes of this machine, each in a folder of its own under the run's name.

A run's folder holds `order.json`, then `lock`, `process.json` and `run.log`, in the end `status.json`. The lock is a
flock(2) that is taken before the child is started and inherited by it: it is held exactly as long as the child lives,
whoever else ends, so that no process id is ever mistaken. A controller that was restarted adopts what it finds.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

from monitoring.recertification_webhook.backends.backend import BackendError, BackendRun, Order
from monitoring.recertification_webhook.settings import LocalSettings
from robustcert.certificate.keys import load_signing_key
from robustcert.errors import StorageError
from robustcert.storage.atomic import disk_failure, make_folder, write_whole

ORDER, LOCK, PROCESS, STATUS, LOG = "order.json", "lock", "process.json", "status.json", "run.log"
CHILD = "monitoring.recertification_webhook.backends.local_child"
SETTLE_SECONDS = 5.0


def check_signing_key(settings: LocalSettings) -> None:
    """KeyFileError where runs could not sign: each would fail at its end, and its certificate be suspended for that."""
    from robustcert.commands.keys import PASSPHRASE_VARIABLE

    passphrase = os.environ.get(PASSPHRASE_VARIABLE)
    load_signing_key(settings.signing_key, passphrase=passphrase.encode() if passphrase else None)


class LocalBackend:
    """Backend (see backend.py) on this machine; the id of a run is its name."""

    def __init__(self, settings: LocalSettings, *, store: str, child: str = CHILD) -> None:
        self._settings, self._store, self._child = settings, store, child
        self._children: list[subprocess.Popen[bytes]] = []

    @property
    def settle_seconds(self) -> float:
        """A child holds its lock before `submit` returns; the pause only spares a disk that fails."""
        return SETTLE_SECONDS

    def find(self, name: str) -> list[BackendRun]:
        """The run of that name, or none."""
        found = self.look(name)
        return [] if found is None else [found]

    def look(self, run_id: str) -> BackendRun | None:
        """The run in the folder of that name; None where none was ever begun there."""
        self._reap()
        folder = self._settings.folder / run_id
        try:
            return _read(folder)
        except (OSError, ValueError, LookupError, TypeError) as error:
            cause = error if isinstance(error, OSError) else OSError(f"{type(error).__name__} in {folder.name}")
            raise _failed(cause, folder) from error

    def submit(self, order: Order) -> BackendRun:
        """Starts a child for the run, or finds the one that was begun."""
        folder = self._settings.folder / order.name
        try:
            make_folder(folder)
            with (folder / LOCK).open("ab") as lock:
                if not _lock(lock) or _begun(folder):
                    return self._standing(order.name)
                write_whole(folder / ORDER, json.dumps(self._content(order)).encode())
                self._start(folder, lock)
        except (OSError, StorageError) as error:
            raise BackendError(str(error), transient=True) from error
        return self._standing(order.name)

    def cancel(self, run_id: str) -> None:
        """Kills the child with its whole process group; what it started ends with it."""
        folder = self._settings.folder / run_id
        process = _json(folder / PROCESS)
        if process is not None and _active(folder):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(int(process["pid"]), signal.SIGKILL)
        self._reap()

    def close(self) -> None:
        """Collects what has ended; children go on."""
        self._reap()

    def _standing(self, name: str) -> BackendRun:
        found = self.look(name)
        if found is None:
            raise BackendError(f"run {name} ended before it began", transient=True)
        return found

    def _content(self, order: Order) -> dict[str, Any]:
        settings = self._settings
        return {
            **asdict(order),
            "store": self._store,
            "signing_key": str(settings.signing_key),
            "trusted_key": str(settings.trusted_key or ""),
            "shards": settings.shards,
            "workers": settings.workers,
        }

    def _start(self, folder: Path, lock: IO[bytes]) -> None:
        with (folder / LOG).open("ab") as log:
            child = subprocess.Popen(
                [sys.executable, "-m", self._child, str(folder.absolute())],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                pass_fds=(lock.fileno(),),
            )
        write_whole(folder / PROCESS, json.dumps({"pid": child.pid}).encode())
        self._children.append(child)

    def _reap(self) -> None:
        """Collects children that have ended, so that none stays a zombie."""
        self._children = [child for child in self._children if child.poll() is None]


def _read(folder: Path) -> BackendRun | None:
    """The run in a folder. Whether the lock is held is asked first: a child writes its status before it lets go."""
    active = _active(folder)
    status = _json(folder / STATUS)
    if status is None and not active and not _begun(folder):
        return None
    error = str((status or {}).get("error", "")) or ("" if active else "the process was killed")
    ended = "succeeded" if status is not None and status["state"] == "succeeded" else "failed"
    return BackendRun(
        run_id=folder.name,
        name=folder.name,
        state="active" if active and status is None else ("succeeded" if ended == "succeeded" else "failed"),
        url=(folder / LOG).absolute().as_uri(),
        error="" if ended == "succeeded" else error,
        refused=bool((status or {}).get("refused", False)),
    )


def _begun(folder: Path) -> bool:
    return (folder / PROCESS).exists() or (folder / STATUS).exists()


def _active(folder: Path) -> bool:
    """Whether a child of the folder lives."""
    try:
        with (folder / LOCK).open("rb") as lock:
            return not _lock(lock)
    except FileNotFoundError:
        return False


def _lock(lock: IO[bytes]) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _json(path: Path) -> dict[str, Any] | None:
    try:
        return dict(json.loads(path.read_bytes()))
    except FileNotFoundError:
        return None


def _failed(error: OSError, folder: Path) -> BackendError:
    return BackendError(disk_failure(error, wanted="a readable run's folder", path=folder), transient=True)
