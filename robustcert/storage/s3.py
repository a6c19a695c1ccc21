"""A store in an S3 or MinIO bucket, with the same names below its prefix as a store in a folder.

An object appears in one moment, so there are no drafts; parts of an upload that was killed are invisible until `sweep`
removes them. Objects are read back after they were written and compared with their SHA-256; a document carries its own.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from robustcert.errors import InputError, StorageError, expected
from robustcert.provenance.digests import sha256_bytes, sha256_file
from robustcert.storage.addresses import (
    changed_document,
    document_name,
    document_prefix,
    is_document,
    missing_object,
    object_name,
    require_digest,
    require_document_digest,
)
from robustcert.storage.atomic import disk_failure, draft, make_folder
from robustcert.storage.s3_address import S3Address, S3Settings, parse_uri
from robustcert.storage.s3_bucket import Bucket
from robustcert.storage.s3_errors import AbsentError, ConditionError, DeniedError, LostUploadError, UnableError

if TYPE_CHECKING:
    from minio.retention import Retention

__all__ = ["S3Settings", "S3Store", "fetch_object"]

LEFTOVER_AGE = timedelta(days=1)

# The digest that travels with a document, as metadata and as the header of an answer.
DIGEST = "sha256"
DIGEST_HEADER = f"x-amz-meta-{DIGEST}"


class S3Store:
    """Store (see store.py) below the prefix of an s3:// URI; StorageError when there are no credentials."""

    def __init__(self, uri: str, *, settings: S3Settings | None = None) -> None:
        self._address = _address(uri, settings)
        self._bucket = Bucket(self._address)
        self.uri = self._address.uri(self._address.key)

    def put_bytes(self, data: bytes) -> str:
        """Stores `data` unless it is there intact, and returns its SHA-256."""
        return self._put(sha256_bytes(data), BytesIO(data), length=len(data))

    def put_file(self, path: Path) -> str:
        """Stores the bytes of a file unless they are there intact, and returns their SHA-256."""
        try:
            with path.open("rb") as stream:
                return self._put(sha256_file(path), stream, length=path.stat().st_size)
        except OSError as error:
            raise StorageError(disk_failure(error, wanted="a readable file to store", path=path)) from error

    def fetch(self, sha256: str, target: Path) -> None:
        """Writes an object to `target`, whole or not at all; StorageError when it is missing or damaged."""
        try:
            _download(self._bucket, self._object(sha256), target, sha256=sha256)
        except AbsentError as error:
            raise missing_object(sha256, store=self.uri) from error

    def read_bytes(self, sha256: str) -> bytes:
        """The bytes of an object; StorageError when it is missing or damaged."""
        try:
            data, _ = self._bucket.read(self._object(sha256))
        except AbsentError:
            raise missing_object(sha256, store=self.uri) from None
        require_digest(sha256_bytes(data), wanted=sha256, store=self.uri)
        return data

    def has(self, sha256: str) -> bool:
        """Whether an object of that name is there, intact or not."""
        return self._bucket.exists(self._object(sha256))

    def intact(self, sha256: str) -> bool:
        """Whether the object is there with the bytes that its name promises; reads it all."""
        try:
            return _digest_of(self._bucket.chunks(self._object(sha256))) == sha256
        except AbsentError:
            return False

    def write_document(self, name: str, data: bytes) -> None:
        """Writes a document, in place of the one of that name."""
        key = self._key(document_name(name))
        self._bucket.put(key, BytesIO(data), length=len(data), metadata={DIGEST: sha256_bytes(data)})

    def write_document_once(self, name: str, data: bytes, *, keep_until: datetime | None = None) -> None:
        """Writes a document that is never replaced; StorageError when other bytes bear the name already.

        Where the bucket has object lock, nobody can delete this version before `keep_until`. The mode is that of the
        bucket's default rule, else GOVERNANCE.
        """
        if self.read_document(name) is None:
            retention = self._retention(keep_until)
            with suppress(ConditionError):  # another writer was faster; the bytes are compared below
                self._bucket.put_if_absent(
                    self._key(name), data, metadata={DIGEST: sha256_bytes(data)}, retention=retention
                )
        if self.read_document(name) != data:
            raise changed_document(name, store=self.uri)

    def read_document(self, name: str) -> bytes | None:
        """The bytes of a document, or None when there is none; StorageError when they are damaged."""
        try:
            data, headers = self._bucket.read(self._key(document_name(name)))
        except AbsentError:
            return None
        found = sha256_bytes(data)
        require_document_digest(found, wanted=headers.get(DIGEST_HEADER, found), name=name, store=self.uri)
        return data

    def list_documents(self, prefix: str) -> list[str]:
        """Names of all documents that start with `prefix`, sorted."""
        keys = self._bucket.keys(self._key(document_prefix(prefix)))
        names = (key.removeprefix(self._key("")) for key in keys)
        return sorted(name for name in names if is_document(name))

    def uri_of(self, sha256: str) -> str:
        """Where an object lies, as an s3:// URI."""
        return self._address.uri(self._object(sha256))

    def sweep(self, *, now: datetime) -> int:
        """Removes uploads that began more than a day ago and never ended; returns how many.

        None where these credentials may not, or the server can't: the bucket's life-cycle rule does it then.
        """
        try:
            return self._bucket.abort_uploads(self._key(""), before=now - LEFTOVER_AGE)
        except (DeniedError, UnableError):
            return 0

    def _put(self, sha256: str, stream: BinaryIO, *, length: int) -> str:
        if not self.intact(sha256):
            with suppress(LostUploadError):  # completed, when only the answer was lost: what lies there tells
                self._bucket.put(self._object(sha256), stream, length=length)
            require_digest(_digest_of(self._bucket.chunks(self._object(sha256))), wanted=sha256, store=self.uri)
        return sha256

    def _retention(self, until: datetime | None) -> Retention | None:
        lock = self._bucket.lock() if until is not None else None
        return lock.retention(until=until, now=datetime.now(UTC)) if lock and until else None

    def _object(self, sha256: str) -> str:
        return self._key(object_name(sha256))

    def _key(self, name: str) -> str:
        return f"{self._address.key}/{name}" if self._address.key else name


def fetch_object(uri: str, target: Path, *, settings: S3Settings | None = None) -> str:
    """Downloads s3://bucket/key to `target`, whole or not at all; returns the SHA-256 of its bytes."""
    address = _address(uri, settings)
    if not address.key:
        raise InputError(expected("s3://bucket/key", got=f"the bucket '{address.bucket}' alone", remedy="add the key"))
    return _download(Bucket(address), address.key, target, sha256=None)


def _address(uri: str, settings: S3Settings | None) -> S3Address:
    """The one place where endpoint and region are read from the environment: a step on a cluster is given no more."""
    return parse_uri(uri, settings=settings or S3Settings.from_environment(os.environ))


def _download(bucket: Bucket, key: str, target: Path, *, sha256: str | None) -> str:
    try:
        make_folder(target.parent)
        with draft(target.parent) as part:
            found = part.write(bucket.chunks(key))
            require_digest(found, wanted=sha256 or found, store=f"bucket '{bucket.name}'")
            part.replace(target)
            return found
    except OSError as error:
        raise StorageError(disk_failure(error, wanted="to write a download", path=target)) from error


def _digest_of(chunks: Iterable[bytes]) -> str:
    digest = hashlib.sha256()
    for chunk in chunks:
        digest.update(chunk)
    return digest.hexdigest()
