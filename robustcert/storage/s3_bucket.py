"""One S3 or MinIO bucket: what the store asks of it. Every failure is a StorageError of one line (s3_failures.py)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from io import BytesIO
from typing import TYPE_CHECKING, BinaryIO

from robustcert.errors import StorageError, expected
from robustcert.storage.s3_address import S3Address
from robustcert.storage.s3_errors import LostUploadError, UnableError, UnlockedError

if TYPE_CHECKING:
    from minio import Minio
    from minio.datatypes import Upload
    from minio.retention import Retention

# A part is held in memory while it is sent. S3 wants parts of 5 MiB or more, and at most 10 000 of them.
PART_BYTES = 16 << 20
MOST_PARTS = 10_000

DAYS_IN_A_YEAR = 366


@dataclass(frozen=True, kw_only=True)
class BucketLock:
    """That a bucket locks objects: in which mode (GOVERNANCE or COMPLIANCE), and how long at least."""

    mode: str
    period: timedelta

    def retention(self, *, until: datetime, now: datetime) -> Retention:
        """The lock of an object that lasts until then, and no shorter than the bucket's own period."""
        from minio.retention import Retention

        return Retention(self.mode, max(until, now + self.period).astimezone(UTC))


class Bucket:
    """A connection to one bucket. Every failure is a StorageError; AbsentError where a key holds nothing."""

    def __init__(self, address: S3Address) -> None:
        _require_client()
        from robustcert.storage.s3_connection import connect

        self.name = address.bucket
        self._settings = address.settings
        self._client = connect(address.settings)

    def chunks(self, key: str) -> Iterator[bytes]:
        """The bytes under a key, a chunk at a time; a download that is cut off goes on where it stopped."""
        from robustcert.storage.s3_download import Download

        with self._told(key):
            yield from Download(self._client, bucket=self.name, key=key).chunks()

    def read(self, key: str) -> tuple[bytes, Mapping[str, str]]:
        """All bytes under a key, and the headers that came with them."""
        from robustcert.storage.s3_download import Download

        with self._told(key):
            download = Download(self._client, bucket=self.name, key=key)
            return b"".join(download.chunks()), download.headers

    def put(self, key: str, stream: BinaryIO, *, length: int, metadata: Mapping[str, str] | None = None) -> None:
        """Writes `length` bytes under a key, in place of what is there; in parts where they are many."""
        with self._told(key):
            self._client.put_object(
                self.name,
                key,
                stream,
                length,
                metadata={**(metadata or {})},
                part_size=max(PART_BYTES, -(-length // MOST_PARTS)),
                num_parallel_uploads=1,
            )

    def put_if_absent(
        self, key: str, data: bytes, *, metadata: Mapping[str, str] | None = None, retention: Retention | None = None
    ) -> None:
        """Writes `data`, in one part; ConditionError where the key holds something already."""
        with self._told(key):
            self._client_if_absent.put_object(
                self.name,
                key,
                BytesIO(data),
                len(data),
                metadata={**(metadata or {})},
                part_size=max(PART_BYTES, len(data)),
                retention=retention,
            )

    def lock(self) -> BucketLock | None:
        """How the bucket locks objects, or None where it does not."""
        try:
            with self._told(""):
                found = self._client.get_object_lock_config(self.name)
        except (UnlockedError, UnableError):
            return None
        days = (found.duration or 0) * (DAYS_IN_A_YEAR if found.duration_unit == "Years" else 1)
        return BucketLock(mode=found.mode or "GOVERNANCE", period=timedelta(days=days))

    def exists(self, key: str) -> bool:
        """Whether a key holds something; by a listing, since the answer to HEAD tells no reason of a refusal."""
        return next(self.keys(key), None) == key

    def keys(self, prefix: str) -> Iterator[str]:
        """All keys that start with `prefix`, sorted."""
        with self._told(prefix):
            for entry in self._client.list_objects(self.name, prefix=prefix, recursive=True):
                yield str(entry.object_name)

    def abort_uploads(self, prefix: str, *, before: datetime) -> int:
        """Removes the parts of uploads that began before then and never ended; returns how many uploads."""
        old = [upload for upload in self._uploads(prefix) if upload.initiated_time and upload.initiated_time < before]
        for upload in old:
            with suppress(LostUploadError), self._told(upload.object_name):  # it ended meanwhile
                self._client._abort_multipart_upload(self.name, upload.object_name, upload.upload_id or "")
        return len(old)

    def _uploads(self, prefix: str) -> Iterator[Upload]:
        marker: str | None = ""
        while marker is not None:
            with self._told(prefix):
                page = self._client._list_multipart_uploads(self.name, prefix=prefix, key_marker=marker)
                yield from page.uploads
            marker = page.next_key_marker if page.is_truncated else None

    @cached_property
    def _client_if_absent(self) -> Minio:
        from robustcert.storage.s3_connection import connect_if_absent

        return connect_if_absent(self._settings)

    def _told(self, key: str) -> AbstractContextManager[None]:
        from robustcert.storage.s3_failures import told

        return told(self.name, self._settings.endpoint, key=key)


def _require_client() -> None:
    try:
        import minio  # noqa: F401
    except ImportError:
        remedy = "install robustcert[s3]"
        raise StorageError(expected("the minio client for s3:// URIs", got="no such package", remedy=remedy)) from None
