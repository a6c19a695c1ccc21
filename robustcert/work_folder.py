"""The folder that a local run works in: made for one run, locked while it lives, removed at its end.

A killed run can't remove its own. The next one does: the lock of a process ends with it, so that a folder that can be
locked is nobody's.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PREFIX = "robustcert-run-"
YOUNG_SECONDS = 60.0  # a folder is made a moment before it is locked


@contextmanager
def work_folder() -> Iterator[Path]:
    """An empty folder in the system's place for temporary files; OSError where there is no room for one."""
    for path in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with suppress(OSError):  # in use, of another user, or removed by another run meanwhile
            _remove_if_left(path)
    with tempfile.TemporaryDirectory(prefix=PREFIX, ignore_cleanup_errors=True) as name, _locked(Path(name)):
        yield Path(name)


def _remove_if_left(path: Path) -> None:
    if time.time() - path.stat().st_mtime > YOUNG_SECONDS:
        with _locked(path):
            shutil.rmtree(path, ignore_errors=True)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Holds the lock of a folder; BlockingIOError where another process holds it."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)
