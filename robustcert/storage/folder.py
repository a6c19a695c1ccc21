"""A store in a folder: objects under objects/sha256/, documents under their names.

Everything is written to `.drafts/` first and renamed, so that readers and other writers see whole files only. A killed
writer leaves a draft, which `sweep` removes a day later.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path

from robustcert.errors import StorageError
from robustcert.provenance.digests import sha256_bytes, sha256_file
from robustcert.storage.addresses import (
    OBJECTS,
    changed_document,
    document_name,
    document_prefix,
    is_document,
    missing_object,
    object_name,
    require_digest,
)
from robustcert.storage.atomic import DRAFT_SUFFIX, Draft, disk_failure, draft, make_folder, read_chunks

DRAFTS = ".drafts"
LEFTOVER_AGE = timedelta(days=1)


class FolderStore:
    """Store (see store.py) in the folder `root`, which is made by the first write."""

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()
        self.uri = self.root.as_uri()

    def put_bytes(self, data: bytes) -> str:
        """Stores `data` unless it is there, and returns its SHA-256."""
        return self._put(sha256_bytes(data), [data])

    def put_file(self, path: Path) -> str:
        """Stores the bytes of a file unless they are there, and returns their SHA-256."""
        with _told("a readable file to store", path):
            digest = sha256_file(path)
            return self._put(digest, read_chunks(path))

    def fetch(self, sha256: str, target: Path) -> None:
        """Writes an object to `target`, whole or not at all; StorageError when it is missing or damaged."""
        source = self._object(sha256)
        if not self.has(sha256):
            raise missing_object(sha256, store=self.uri)
        with _told(f"to fetch object {sha256}", target):
            make_folder(target.parent)
            with draft(target.parent) as part:
                require_digest(part.write(read_chunks(source)), wanted=sha256, store=self.uri)
                part.replace(target)

    def read_bytes(self, sha256: str) -> bytes:
        """The bytes of an object; StorageError when it is missing or damaged."""
        data = self._read(self._object(sha256))
        if data is None:
            raise missing_object(sha256, store=self.uri)
        require_digest(sha256_bytes(data), wanted=sha256, store=self.uri)
        return data

    def has(self, sha256: str) -> bool:
        """Whether an object of that name is there, intact or not."""
        path = self._object(sha256)
        with _told("a readable store", path):
            return path.is_file()

    def intact(self, sha256: str) -> bool:
        """Whether the object is there with the bytes that its name promises."""
        path = self._object(sha256)
        with _told("a readable store", path):
            return path.is_file() and sha256_file(path) == sha256

    def write_document(self, name: str, data: bytes) -> None:
        """Writes a document, in place of the one of that name."""
        path = self.root / document_name(name)
        with self._draft(path) as part:
            part.write([data])
            part.replace(path)

    def write_document_once(self, name: str, data: bytes, *, keep_until: datetime | None = None) -> None:
        """Writes a document that is never replaced; StorageError when other bytes bear the name already.

        A folder can't keep its owner from deleting a file, so `keep_until` changes nothing here.
        """
        path = self.root / document_name(name)
        if self._read(path) is None:
            with self._draft(path) as part:
                part.write([data])
                with suppress(FileExistsError):  # another writer was faster; the bytes are compared below
                    part.link(path)
        if self._read(path) != data:
            raise changed_document(name, store=self.uri)

    def read_document(self, name: str) -> bytes | None:
        """The bytes of a document, or None when there is none."""
        return self._read(self.root / document_name(name))

    def list_documents(self, prefix: str) -> list[str]:
        """Names of all documents that start with `prefix`, sorted."""
        folder = self.root / document_prefix(prefix).rpartition("/")[0]
        with _told("a readable store", folder):
            names = [path.relative_to(self.root).as_posix() for path in self._files_below(folder)]
        return sorted(name for name in names if name.startswith(prefix) and is_document(name))

    def uri_of(self, sha256: str) -> str:
        """Where an object lies, as a file:// URI."""
        return self._object(sha256).as_uri()

    def sweep(self, *, now: datetime) -> int:
        """Removes drafts of killed writers that are older than a day; returns how many."""
        folder = self.root / DRAFTS
        with _told("to remove leftovers", folder):
            drafts = list(folder.glob(f"*{DRAFT_SUFFIX}"))
            return sum(_remove_if_older(path, (now - LEFTOVER_AGE).timestamp()) for path in drafts)

    def _put(self, digest: str, chunks: Iterable[bytes]) -> str:
        path = self._object(digest)
        if not self.intact(digest):
            with self._draft(path) as part:
                require_digest(part.write(chunks), wanted=digest, store=self.uri)
                part.replace(path)
        return digest

    def _object(self, sha256: str) -> Path:
        return self.root / object_name(sha256)

    def _read(self, path: Path) -> bytes | None:
        with _told("a readable store", path):
            try:
                return path.read_bytes()
            except FileNotFoundError:
                return None

    @contextmanager
    def _draft(self, path: Path) -> Iterator[Draft]:
        drafts = self.root / DRAFTS
        with _told("a writable store", path):
            make_folder(drafts)
            make_folder(path.parent)
            with draft(drafts) as part:
                yield part

    def _files_below(self, folder: Path) -> Iterator[Path]:
        for place, folders, names in os.walk(folder, onerror=_raise_unless_missing):
            if Path(place) == self.root:
                folders[:] = [name for name in folders if name not in (OBJECTS, DRAFTS)]
            yield from (Path(place) / name for name in names)


@contextmanager
def _told(wanted: str, path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StorageError(disk_failure(error, wanted=wanted, path=path)) from error


def _raise_unless_missing(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):
        raise error


def _remove_if_older(path: Path, than: float) -> bool:
    with suppress(FileNotFoundError):  # another sweep was faster
        if path.stat().st_mtime < than:
            path.unlink()
            return True
    return False
