"""Files that appear whole or not at all: written beside their place, flushed to the disk, then given their name.

A writer that is killed leaves at most a `.<random>.part` file, which nobody reads. OSError is passed on; `disk_failure`
words it for people.
"""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from robustcert.errors import StorageError, expected
from robustcert.provenance.digests import CHUNK_BYTES

DRAFT_SUFFIX = ".part"

_NO_SPACE = "free space there or choose another folder"
_NO_PERMISSION = "check owner and mode, or choose another folder"
_IN_THE_WAY = "remove what is in the way or choose another path"
_REMEDIES = {
    errno.ENOSPC: _NO_SPACE,
    errno.EDQUOT: _NO_SPACE,
    errno.EFBIG: "raise the limit on file sizes (ulimit -f)",
    errno.EROFS: "choose a folder on a writable file system",
    errno.EACCES: _NO_PERMISSION,
    errno.EPERM: _NO_PERMISSION,
    errno.ENOENT: "check the path",
    errno.ENOTDIR: _IN_THE_WAY,
    errno.EISDIR: _IN_THE_WAY,
    errno.EEXIST: _IN_THE_WAY,
}


class Draft:
    """A file without a name yet."""

    def __init__(self, descriptor: int, path: Path) -> None:
        self.path = path
        self._descriptor = descriptor

    def write(self, chunks: Iterable[bytes]) -> str:
        """Appends `chunks` and returns the SHA-256 of what was written."""
        digest = hashlib.sha256()
        for chunk in chunks:
            digest.update(chunk)
            _write_all(self._descriptor, chunk)
        return digest.hexdigest()

    def replace(self, target: Path) -> None:
        """Gives the file its name, in place of whatever bears it."""
        os.fsync(self._descriptor)
        self.path.replace(target)
        flush_folder(target.parent)

    def link(self, target: Path) -> None:
        """Gives the file its name; FileExistsError when something bears it."""
        os.fsync(self._descriptor)
        os.link(self.path, target)
        flush_folder(target.parent)


@contextmanager
def draft(folder: Path, *, permissions: int | None = None) -> Iterator[Draft]:
    """A new file in `folder`, gone at the end unless it was named; `permissions` default to what the umask leaves."""
    path = folder / f".{secrets.token_hex(8)}{DRAFT_SUFFIX}"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    descriptor = os.open(path, flags, 0o666 if permissions is None else permissions)
    try:
        if permissions is not None:
            os.fchmod(descriptor, permissions)
        yield Draft(descriptor, path)
    finally:
        os.close(descriptor)
        path.unlink(missing_ok=True)


def write_whole(path: Path, data: bytes) -> None:
    """Writes a file, in place of whatever bears its name; StorageError, and nothing half-written, where it can't."""
    with _told(path), draft(path.parent) as file:
        file.write([data])
        file.replace(path)


def write_new(path: Path, data: bytes) -> None:
    """As `write_whole`, but StorageError where something bears the name already."""
    with _told(path), draft(path.parent) as file:
        file.write([data])
        file.link(path)


def read_chunks(path: Path) -> Iterator[bytes]:
    """The bytes of a file, a chunk at a time."""
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            yield chunk


def make_folder(folder: Path) -> None:
    """Makes `folder` and its parents, each flushed into its own parent."""
    if not folder.is_dir():
        make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        flush_folder(folder.parent)


def flush_folder(folder: Path) -> None:
    """Makes the names in `folder` survive a power cut, where the file system can do so."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with suppress(OSError):  # some network file systems refuse to flush a folder
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def disk_failure(error: OSError, *, wanted: str, path: Path) -> str:
    """One line about a failed file operation: what was wanted, what the system said, what to do."""
    named = error.filename and not str(error.filename).endswith(DRAFT_SUFFIX)
    cause = f"'{error.strerror or str(error) or type(error).__name__}' at {str(error.filename if named else path)!r}"
    return expected(wanted, got=cause, remedy=_REMEDIES.get(error.errno or 0, "check that path and its disk"))


@contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StorageError(disk_failure(error, wanted=f"to write {path.name}", path=path)) from error


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
