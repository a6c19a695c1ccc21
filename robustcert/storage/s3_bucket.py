"""One S3 or MinIO bucket: its URI, its connection, and its failures in one line each.

Credentials come from the minio client's own providers: MINIO_ACCESS_KEY, AWS_ACCESS_KEY_ID and their secrets in the
environment, or the AWS credentials file. No secret enters a URI, a message or a chained exception.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from configparser import Error as CredentialsFileError
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, BinaryIO
from urllib.parse import parse_qsl, urlencode, urlsplit

from robustcert.errors import InputError, StorageError, expected
from robustcert.provenance.digests import CHUNK_BYTES

if TYPE_CHECKING:
    from minio import Minio
    from minio.credentials.providers import Provider
    from urllib3 import PoolManager

AWS_ENDPOINT = "https://s3.amazonaws.com"
CONNECT_SECONDS = 5.0
READ_SECONDS = 60.0
RETRIES = 2
PRESIGNED_FOR = timedelta(minutes=5)

_URI = re.compile(
    r"s3://(?P<bucket>[a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(/(?P<key>[^?#\x00-\x1f]*))?(\?(?P<query>[^#\s]*))?"
)
_ENDPOINT = re.compile(r"https?://([A-Za-z0-9.-]+|\[[0-9A-Fa-f:]+\])(:[0-9]{1,5})?/?")
_REFUSED = {"AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken", "ExpiredToken"}
_CONFLICT = {409, 412}


class AbsentError(StorageError):
    """The bucket holds no object under a key."""


@dataclass(frozen=True, kw_only=True)
class S3Settings:
    """Where S3 answers; InputError unless `endpoint` is http(s)://host[:port]. `region` None means: ask the server."""

    endpoint: str = AWS_ENDPOINT
    region: str | None = None

    def __post_init__(self) -> None:
        if not _ENDPOINT.fullmatch(self.endpoint):
            remedy = "credentials belong into the environment, buckets into the s3:// URI"
            got = _without_secrets(self.endpoint)
            raise InputError(expected("an S3 endpoint http(s)://host[:port]", got=got, remedy=remedy))


@dataclass(frozen=True, kw_only=True)
class S3Address:
    """What an s3:// URI says: bucket, key (or prefix; no slash at either end) and where S3 answers."""

    bucket: str
    key: str
    settings: S3Settings
    query: str

    def uri(self, key: str) -> str:
        """The URI of another key in the same bucket at the same endpoint."""
        return f"s3://{self.bucket}/{key}" + (f"?{self.query}" if self.query else "")


def parse_uri(uri: str, *, settings: S3Settings | None) -> S3Address:
    """Takes s3://bucket/key?endpoint=...&region=... apart; what it leaves out comes from `settings`."""
    parts = _URI.fullmatch(uri)
    if parts is None:
        remedy = "name a bucket; credentials belong into the environment"
        raise InputError(expected("s3://bucket/prefix", got=_without_secrets(uri), remedy=remedy))
    chosen = _known_query(parts["query"] or "")
    return S3Address(
        bucket=parts["bucket"],
        key=(parts["key"] or "").strip("/"),
        settings=replace(settings or S3Settings(), **chosen),
        query=urlencode(sorted(chosen.items()), safe=":/[]"),
    )


class Bucket:
    """A connection to one bucket. Every failure is a StorageError; AbsentError where a key holds nothing."""

    def __init__(self, address: S3Address) -> None:
        self.name = address.bucket
        self._settings = address.settings
        self._client, self._http = _connect(address.settings)

    def chunks(self, key: str) -> Iterator[bytes]:
        """The bytes under a key, a chunk at a time."""
        with self._told(key):
            response = self._client.get_object(self.name, key)
            try:
                yield from response.stream(CHUNK_BYTES)
            finally:
                response.close()
                response.release_conn()

    def put(self, key: str, stream: BinaryIO, *, length: int) -> None:
        """Writes `length` bytes under a key, in place of what is there."""
        with self._told(key):
            self._client.put_object(self.name, key, stream, length)

    def put_if_absent(self, key: str, data: bytes) -> None:
        """Writes `data` unless the key holds something (If-None-Match, which the minio client offers no call for)."""
        with self._told(key):
            url = self._client.get_presigned_url("PUT", self.name, key, expires=PRESIGNED_FOR)
            answer = self._http.request("PUT", url, body=data, headers={"If-None-Match": "*"})
        if answer.status != 200 and answer.status not in _CONFLICT:
            remedy = "check that the bucket exists and that these credentials may write to it"
            raise self._failure(f"HTTP status {answer.status}", remedy=remedy)

    def exists(self, key: str) -> bool:
        """Whether a key holds something."""
        try:
            with self._told(key):
                self._client.stat_object(self.name, key)
        except AbsentError:
            return False
        return True

    def keys(self, prefix: str) -> Iterator[str]:
        """All keys that start with `prefix`."""
        with self._told(prefix):
            for entry in self._client.list_objects(self.name, prefix=prefix, recursive=True):
                yield str(entry.object_name)

    @contextmanager
    def _told(self, key: str) -> Iterator[None]:
        from minio.error import MinioException, S3Error
        from urllib3.exceptions import HTTPError, ResponseError

        try:
            yield
        except S3Error as error:
            raise self._answered(str(error.code), key) from error
        except MinioException as error:
            raise self._failure("an answer that is not S3's", remedy="check the endpoint") from error
        except HTTPError as error:  # its text may hold a signed URL
            reason = getattr(error, "reason", None) or error
            cause = str(reason) if isinstance(reason, ResponseError) else type(reason).__name__
            raise self._failure(f"no answer ({cause})", remedy="check the endpoint and the network") from None
        except ValueError as error:  # the client's own check of names
            remedy = "use a plain bucket name and a key without '.' and '..'"
            raise InputError(
                expected("names that S3 accepts", got=repr(f"{self.name}/{key}"), remedy=remedy)
            ) from error

    def _answered(self, code: str, key: str) -> StorageError:
        if code == "NoSuchKey":
            return AbsentError(expected(f"s3://{self.name}/{key}", got="no such object", remedy="check bucket and key"))
        if code == "NoSuchBucket":
            return self._failure("no such bucket", remedy="create it or name another")
        if code in _REFUSED:
            return self._failure(
                f"refused credentials ({code})", remedy="check the access key, its secret and its rights"
            )
        return self._failure(f"error {code}", remedy="see the server's log")

    def _failure(self, got: str, *, remedy: str) -> StorageError:
        return StorageError(expected(f"bucket '{self.name}' at {self._settings.endpoint}", got=got, remedy=remedy))


def _known_query(query: str) -> dict[str, str]:
    chosen = dict(parse_qsl(query, keep_blank_values=True))
    if unknown := sorted(set(chosen) - {"endpoint", "region"}):
        remedy = "remove the rest; credentials belong into the environment"
        raise InputError(expected("endpoint and region in an s3:// URI", got=f"the key {unknown[0]!r}", remedy=remedy))
    return chosen


def _without_secrets(text: str) -> str:
    return "credentials in it" if "@" in text else repr(text.partition("?")[0])


def _connect(settings: S3Settings) -> tuple[Minio, PoolManager]:
    try:
        from minio import Minio
        from urllib3 import PoolManager, Retry, Timeout
    except ImportError as error:
        remedy = "install robustcert[s3]"
        raise StorageError(expected("the minio client for s3:// URIs", got="no such package", remedy=remedy)) from error
    parts = urlsplit(settings.endpoint)
    retries = Retry(total=RETRIES, backoff_factor=0.2, status_forcelist=[500, 502, 503, 504])
    http = PoolManager(timeout=Timeout(connect=CONNECT_SECONDS, read=READ_SECONDS), retries=retries)
    secure = parts.scheme == "https"
    client = Minio(parts.netloc, secure=secure, region=settings.region, http_client=http, credentials=_credentials())
    return client, http


def _credentials() -> Provider:
    from minio.credentials.providers import AWSConfigProvider, ChainedProvider, EnvAWSProvider, EnvMinioProvider

    chain = ChainedProvider([EnvMinioProvider(), EnvAWSProvider(), AWSConfigProvider()])
    try:
        chain.retrieve()
    except (ValueError, OSError, CredentialsFileError):  # whose texts may quote the credentials file
        remedy = "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or MINIO_ACCESS_KEY and MINIO_SECRET_KEY"
        raise StorageError(expected("credentials for S3", got="none that can be read", remedy=remedy)) from None
    return chain
