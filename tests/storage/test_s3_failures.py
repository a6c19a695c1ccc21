"""Oracle: the codes that Amazon, MinIO and Ceph document, and the numbers of OpenSSL's verification results."""

import re
import ssl
import traceback
from pathlib import Path

import pytest

from robustcert.errors import InputError, StorageError
from robustcert.storage.s3 import S3Store
from robustcert.storage.s3_errors import AbsentError, ConditionError, DeniedError, UnableError, UnlockedError
from robustcert.storage.s3_failures import told
from tests.storage.scripted_server import Answer, refusal, scripted_server

CODES = [
    ("NoSuchBucket", 404, StorageError, "no such bucket; create it or name another"),
    ("NoSuchKey", 404, AbsentError, "no such object; check bucket and key"),
    ("InvalidAccessKeyId", 403, StorageError, "refused credentials (InvalidAccessKeyId); check the access key"),
    ("SignatureDoesNotMatch", 403, StorageError, "refused credentials (SignatureDoesNotMatch); check the access key"),
    ("ExpiredToken", 400, StorageError, "refused credentials (ExpiredToken); renew the session token"),
    ("AccessDenied", 403, DeniedError, "no permission (AccessDenied) for these credentials; grant them the rights"),
    ("NotImplemented", 501, UnableError, "a server that can't do this (NotImplemented); see docs/s3.md"),
    ("RequestTimeTooSkewed", 403, StorageError, "a clock that differs from the server's; set this machine's clock"),
    ("AuthorizationHeaderMalformed", 400, StorageError, "another region than the bucket's; name the bucket's region"),
    ("QuotaExceeded", 403, StorageError, "a full quota; raise the quota or free space there"),
    ("XMinioAdminBucketQuotaExceeded", 400, StorageError, "a full quota; raise the quota or free space there"),
    ("XMinioStorageFull", 507, StorageError, "a full disk; raise the quota or free space there"),
    ("SlowDown", 503, StorageError, "error SlowDown; the server is overloaded: try again later"),
    ("PreconditionFailed", 412, ConditionError, "an object that changed while it was read; try again"),
    ("ObjectLockConfigurationNotFoundError", 404, UnlockedError, "a bucket without object lock; make one with it"),
    ("InternalError", 500, StorageError, "error InternalError (request tx-17); see the server's log"),
    ("<b>Odd\nCode</b>", 400, StorageError, "error without a name (request tx-17); see the server's log"),
]


@pytest.mark.parametrize(("code", "status", "kind", "message"), CODES)
def test_every_refusal_is_one_line_that_says_what_to_do(
    credentials: None, code: str, status: int, kind: type[StorageError], message: str
) -> None:
    with scripted_server(refusal(code, status=status)) as server, pytest.raises(StorageError) as caught:
        list(S3Store(f"s3://models?endpoint={server.endpoint}&region=x")._bucket.chunks("key"))
    assert type(caught.value) is kind
    assert re.match(r"expected (bucket 'models' at http|s3://models/key)", str(caught.value))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "answer",
    [
        Answer(status=400, body=b"<h1>Welcome</h1>", kind="text/html"),
        Answer(status=200, body=b"<html><body/></html>", kind="text/html; charset=utf-8"),
        Answer(status=200, body=b"{}", kind="application/json"),
        Answer(status=403, body=b"no", kind="text/plain"),
        Answer(status=500, body=b"<not xml"),
        Answer(status=404, body=b""),
    ],
)
def test_what_is_not_s3_is_told(credentials: None, answer: Answer) -> None:
    with scripted_server(answer) as server:
        store = S3Store(f"s3://models?endpoint={server.endpoint}")
        with pytest.raises(StorageError, match="got an answer that is not S3's; check the endpoint"):
            store.list_documents("runs/")


def test_a_server_that_repeats_what_it_was_sent_gives_no_secret_away(
    credentials: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = "IQoJb3JpZ2luX2VjEHwaCXVzLWVhc3QtMSJHMEUCIQ"
    monkeypatch.setenv("AWS_SESSION_TOKEN", token)
    echo = f"you sent {token}".encode()
    for answer in (Answer(status=400, body=echo, kind="text/plain"), refusal(token), refusal(f"Odd{token}")):
        with scripted_server(answer) as server, pytest.raises(StorageError) as caught:
            S3Store(f"s3://models?endpoint={server.endpoint}").read_document("x")
        text = "".join(traceback.format_exception(caught.value))
        assert token not in text
        assert "During handling" not in text
        assert "direct cause" not in text
        assert server.asked[0][2]["x-amz-security-token"] == token


def test_nothing_listens(credentials: None) -> None:
    for scheme in ("http", "https"):
        with pytest.raises(
            StorageError, match=rf"bucket 'models' at {scheme}://127.0.0.1:1, got no answer \(\w+\); check the endpoint"
        ):
            S3Store(f"s3://models?endpoint={scheme}://127.0.0.1:1").read_document("x")


def test_plain_http_where_tls_was_expected_is_told_and_nothing_falls_back(credentials: None) -> None:
    with scripted_server(Answer(status=200)) as server:
        secure = server.endpoint.replace("http:", "https:")
        with pytest.raises(StorageError, match=r"got no TLS \(\w+\); check the port; plain HTTP must be named"):
            S3Store(f"s3://models?endpoint={secure}").read_document("x")
    assert server.asked == []


@pytest.mark.parametrize("key", ["../x", "a/../b", "./a"])
def test_a_key_that_the_client_refuses_is_told(credentials: None, key: str) -> None:
    with scripted_server(Answer()) as server:
        bucket = S3Store(f"s3://models?endpoint={server.endpoint}&region=x")._bucket
        with pytest.raises(InputError, match=r"expected names that S3 accepts, got '.*'; use a plain bucket name"):
            list(bucket.chunks(key))


def test_the_numbers_are_openssls() -> None:
    """What OpenSSL itself calls the two results that a test can provoke without a network."""
    with pytest.raises(StorageError, match="got a refused TLS certificate"), told("b", "https://h", key=""):
        raise _certificate_error(7)
    with pytest.raises(StorageError, match="got an expired TLS certificate; renew"), told("b", "https://h", key=""):
        raise _certificate_error(10)


def _certificate_error(code: int) -> Exception:
    from urllib3.exceptions import MaxRetryError, SSLError

    cause = ssl.SSLCertVerificationError()
    cause.verify_code, cause.verify_message = code, "some reason"
    return MaxRetryError(None, "/", SSLError(cause))  # type: ignore[arg-type]


def test_every_line_stands_in_the_manual(root: Path) -> None:
    manual = (root / "docs/s3.md").read_text().replace("`", "")
    lines = [message.partition(";")[0] for _, _, _, message in CODES if "request tx-17" not in message]
    assert [line for line in lines if line not in manual] == []
