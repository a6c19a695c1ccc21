"""What every store offers, and how one is opened from its URI.

Objects are immutable and found by the SHA-256 of their bytes; documents are small files under a readable name. Whatever
comes back was compared with its digest; every write is atomic. A store fails with StorageError, one line each time.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from stat import S_ISDIR
from typing import Protocol
from urllib.parse import unquote, urlsplit

from robustcert.errors import InputError, StorageError, expected
from robustcert.storage.atomic import disk_failure
from robustcert.storage.folder import FolderStore
from robustcert.storage.s3 import S3Store
from robustcert.storage.s3_address import S3Settings


class Store(Protocol):
    """A content-addressed store; digests are lower-case hexadecimal SHA-256."""

    @property
    def uri(self) -> str:
        """The URI that opens this store again."""

    def put_bytes(self, data: bytes) -> str:
        """Stores `data` unless it is there intact, and returns its digest."""

    def put_file(self, path: Path) -> str:
        """Stores the bytes of a file unless they are there intact, and returns their digest."""

    def fetch(self, sha256: str, target: Path) -> None:
        """Writes an object to `target`, whole or not at all; StorageError when it is missing or damaged."""

    def read_bytes(self, sha256: str) -> bytes:
        """The bytes of an object; StorageError when it is missing or damaged."""

    def has(self, sha256: str) -> bool:
        """Whether an object of that name is there, intact or not."""

    def intact(self, sha256: str) -> bool:
        """Whether the object is there with the bytes that its name promises."""

    def write_document(self, name: str, data: bytes) -> None:
        """Writes a document, in place of the one of that name."""

    def write_document_once(self, name: str, data: bytes, *, keep_until: datetime | None = None) -> None:
        """Writes a document that is never replaced; StorageError when other bytes bear the name already.

        A bucket with object lock lets nobody delete it before `keep_until`; other stores can't hinder their owner.
        """

    def read_document(self, name: str) -> bytes | None:
        """The bytes of a document, or None when there is none."""

    def list_documents(self, prefix: str) -> list[str]:
        """Names of all documents that start with `prefix` ("" means all), sorted."""

    def uri_of(self, sha256: str) -> str:
        """Where an object of that name lies in this store."""

    def sweep(self, *, now: datetime) -> int:
        """Removes what killed writers left more than a day ago; returns how many files."""


def open_store(uri: str, *, s3: S3Settings | None = None) -> Store:
    """The store at a folder, a file:// URI or s3://bucket/prefix?endpoint=...&region=...; InputError on anything else.

    `s3` holds endpoint and region for s3:// URIs that name none; without it AWS_ENDPOINT_URL and AWS_REGION do. Nothing
    is written yet; StorageError where no folder can be, or without credentials for S3.
    """
    scheme, separator, _ = uri.partition("://")
    if not separator and uri:
        return _folder_store(uri)
    if scheme == "file":
        return _folder_store(_path_of(uri))
    if scheme == "s3":
        return S3Store(uri, settings=s3)
    raise _no_store(uri)


def _path_of(uri: str) -> str:
    parts = urlsplit(uri)
    if parts.netloc not in ("", "localhost") or not parts.path or parts.query or parts.fragment:
        raise _no_store(uri)
    return unquote(parts.path)


def _folder_store(path: str) -> FolderStore:
    folder = Path(path)
    if "\0" in path:
        raise InputError(expected("a folder as store", got=repr(path[:40]), remedy="name a folder"))
    try:
        if not S_ISDIR(folder.stat().st_mode):
            raise StorageError(expected("a folder as store", got=f"a file at {path!r}", remedy="name a folder"))
    except FileNotFoundError:  # the first write makes it
        return FolderStore(folder)
    except OSError as error:
        raise StorageError(disk_failure(error, wanted="a folder as store", path=folder)) from error
    return FolderStore(folder)


def _no_store(uri: str) -> InputError:
    got = f"a URI that starts with {uri[:10]!r}" if uri else "nothing"
    return InputError(expected("a folder, file:///path or s3://bucket/prefix as store", got=got, remedy="name one"))
