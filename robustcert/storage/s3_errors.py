"""What a caller of a bucket may want to tell apart from other failures; importable without the minio client."""

from __future__ import annotations

from robustcert.errors import StorageError


class AbsentError(StorageError):
    """The bucket holds no object under a key."""


class ConditionError(StorageError):
    """The key held something already, or something else than before."""


class DeniedError(StorageError):
    """The credentials are good, but may not do this."""


class LostUploadError(StorageError):
    """The server knows no upload of that name: completed, when an answer was lost, or else aborted."""


class UnableError(StorageError):
    """The server speaks S3, but not this part of it."""


class UnlockedError(StorageError):
    """The bucket locks no objects."""
