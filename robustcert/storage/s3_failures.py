"""What goes wrong with S3, in one line each: what was expected, what came, and what to do.

Causes are never chained: a server's answer may repeat what it was sent. docs/s3.md lists what each line means.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from xml.etree.ElementTree import ParseError

from minio.error import MinioException, S3Error, ServerError
from urllib3.exceptions import HTTPError, IncompleteRead, NameResolutionError, ResponseError

from robustcert.errors import InputError, StorageError, expected
from robustcert.storage.s3_errors import (
    AbsentError,
    ConditionError,
    DeniedError,
    LostUploadError,
    UnableError,
    UnlockedError,
)

_RIGHTS = "grant them the rights that docs/s3.md lists"
_CREDENTIALS = "check the access key and its secret"
_LATER = "the server is overloaded: try again later"
_QUOTA = "raise the quota or free space there"
_REGION = "name the bucket's region: ?region=... or AWS_REGION"
_TOKEN = "renew the session token"
_CLOCK = "set this machine's clock"
_AUTHORITY = "name the file of its authority in SSL_CERT_FILE or ?ca=..."

# What the server's code means, and what to do. Codes are Amazon's; MinIO's and Ceph's own are marked.
_MEANINGS = {
    "NoSuchBucket": ("no such bucket", "create it or name another"),
    "InvalidAccessKeyId": ("refused credentials (InvalidAccessKeyId)", _CREDENTIALS),
    "SignatureDoesNotMatch": ("refused credentials (SignatureDoesNotMatch)", _CREDENTIALS),
    "InvalidToken": ("refused credentials (InvalidToken)", _TOKEN),
    "InvalidTokenId": ("refused credentials (InvalidTokenId)", _TOKEN),
    "ExpiredToken": ("refused credentials (ExpiredToken)", _TOKEN),
    "RequestTimeTooSkewed": ("a clock that differs from the server's", _CLOCK),
    "AuthorizationHeaderMalformed": ("another region than the bucket's", _REGION),
    "PermanentRedirect": ("another region than the bucket's", _REGION),
    "Redirect": ("another region than the bucket's", _REGION),
    "TemporaryRedirect": ("another region than the bucket's", _REGION),
    "QuotaExceeded": ("a full quota", _QUOTA),  # Ceph
    "XMinioAdminBucketQuotaExceeded": ("a full quota", _QUOTA),
    "XMinioStorageFull": ("a full disk", _QUOTA),
    "SlowDown": ("error SlowDown", _LATER),
    "ServiceUnavailable": ("error ServiceUnavailable", _LATER),
    "TooManyRequests": ("error TooManyRequests", _LATER),
    "PreconditionFailed": ("an object that changed while it was read", "try again"),
}
_UNABLE = {"MethodNotAllowed", "NotImplemented"}
_UNLOCKED = {"ObjectLockConfigurationNotFoundError", "NoSuchObjectLockConfiguration"}
_CONFLICTS = {"PreconditionFailed", "ConditionalRequestConflict", "OperationAborted"}

# OpenSSL's verification results (X509_V_ERR_...).
_CERTIFICATES = {
    9: ("a TLS certificate that is not valid yet", _CLOCK),
    10: ("an expired TLS certificate", "renew the server's certificate"),
    18: ("a TLS certificate of an unknown authority", _AUTHORITY),
    19: ("a TLS certificate of an unknown authority", _AUTHORITY),
    20: ("a TLS certificate of an unknown authority", _AUTHORITY),
    21: ("a TLS certificate of an unknown authority", _AUTHORITY),
    62: ("a TLS certificate for another host", "use the host name that the certificate names"),
    64: ("a TLS certificate for another host", "use the host name that the certificate names"),
}


@contextmanager
def told(bucket: str, endpoint: str, *, key: str) -> Iterator[None]:
    """Turns whatever the client raises into one line; AbsentError where `key` holds nothing."""
    wanted = f"bucket '{bucket}' at {endpoint}"
    try:
        yield
    except S3Error as error:
        raise _answered(error, wanted, absent=f"s3://{bucket}/{key}") from None
    except ServerError as error:
        got = f"HTTP status {error.status_code}"
        raise StorageError(expected(wanted, got=got, remedy="see the server's log")) from None
    except (MinioException, ParseError, UnicodeDecodeError):
        got = "an answer that is not S3's"
        raise StorageError(expected(wanted, got=got, remedy="check the endpoint")) from None
    except HTTPError as error:
        got, remedy = _unanswered(error)
        raise StorageError(expected(wanted, got=got, remedy=remedy)) from None
    except ValueError:  # the client's own check of names
        remedy = "use a plain bucket name and a key without '.' and '..'"
        raise InputError(expected("names that S3 accepts", got=repr(f"{bucket}/{key}"), remedy=remedy)) from None


def _answered(error: S3Error, wanted: str, *, absent: str) -> StorageError:
    code = _code(error)
    if code == "NoSuchKey":
        return AbsentError(expected(absent, got="no such object", remedy="check bucket and key"))
    if code == "NoSuchUpload":
        return LostUploadError(expected(wanted, got="an upload that the server forgot", remedy="try again"))
    if code == "AccessDenied":
        return DeniedError(expected(wanted, got="no permission (AccessDenied) for these credentials", remedy=_RIGHTS))
    if code in _UNABLE:
        return UnableError(expected(wanted, got=f"a server that can't do this ({code})", remedy="see docs/s3.md"))
    if code in _UNLOCKED:
        return UnlockedError(expected(wanted, got="a bucket without object lock", remedy="make one with it"))
    got, remedy = _MEANINGS.get(code, (f"error {code}{_request(error)}", "see the server's log"))
    kind = ConditionError if code in _CONFLICTS else StorageError
    return kind(expected(wanted, got=got, remedy=remedy))


def _unanswered(error: HTTPError) -> tuple[str, str]:
    reason = getattr(error, "reason", None) or error
    cause = reason.args[0] if reason.args else None
    if isinstance(cause, ssl.SSLCertVerificationError):
        unknown = (f"a refused TLS certificate ({_plain(cause.verify_message)})", "check the server's certificate")
        return _CERTIFICATES.get(cause.verify_code, unknown)
    if isinstance(cause, ssl.SSLError):
        return f"no TLS ({_plain(cause.reason)})", "check the port; plain HTTP must be named: ?endpoint=http://..."
    if any(isinstance(cause, IncompleteRead) for cause in reason.args):
        return "a download that was cut off", "try again"
    if isinstance(reason, NameResolutionError):
        return "a host name that can't be resolved", "check the endpoint"
    text = str(reason) if isinstance(reason, ResponseError) else type(reason).__name__
    return f"no answer ({text})", "check the endpoint and the network"


def _code(error: S3Error) -> str:
    """The server's word for it, unless that is none: a session token, say, that a hostile server repeats."""
    return error.code if error.code and re.fullmatch(r"[A-Za-z]{3,50}", error.code) else "without a name"


def _request(error: S3Error) -> str:
    """Under which the server's log knows the request."""
    return f" (request {_plain(error.request_id)})" if error.request_id else ""


def _plain(text: str | None) -> str:
    """At most 60 harmless characters of what a server said."""
    return re.sub(r"[^A-Za-z0-9 ._-]", "?", text or "without a name")[:60]
