"""What a real server refuses, in one line each, and that no line, log or traceback holds the secret."""

import logging
import traceback
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import minio.time
import pytest
import urllib3
from minio import Minio

from robustcert.errors import StorageError
from robustcert.storage.s3 import S3Store
from tests.rados_gateway import RadosGateway, free_port
from tests.storage.conftest import RealBucket

pytestmark = pytest.mark.real_s3

CANARY = "canary/Secret+of40characters/neverToBeSeen"


def become(patch: pytest.MonkeyPatch, access_key: str, secret_key: str) -> None:
    patch.setenv("AWS_ACCESS_KEY_ID", access_key)
    patch.setenv("AWS_SECRET_ACCESS_KEY", secret_key)


@pytest.fixture
def other_user(real_s3: RadosGateway) -> str:
    """Access key (and name) of a user whose secret is the canary, and who owns nothing."""
    name = f"USER{uuid4().hex}"
    real_s3.add_user(name, access_key=name, secret_key=CANARY)
    return name


def wrong_secret(server: RadosGateway, user: str, patch: pytest.MonkeyPatch) -> str:
    become(patch, server.access_key, CANARY)
    return r"got refused credentials \(SignatureDoesNotMatch\); check the access key and its secret"


def unknown_key(server: RadosGateway, user: str, patch: pytest.MonkeyPatch) -> str:
    become(patch, "AKIAUNKNOWN", CANARY)
    return r"got refused credentials \(InvalidAccessKeyId\); check the access key and its secret"


def no_rights(server: RadosGateway, user: str, patch: pytest.MonkeyPatch) -> str:
    become(patch, user, CANARY)
    return r"got no permission \(AccessDenied\) for these credentials; grant them the rights"


def wrong_clock(server: RadosGateway, user: str, patch: pytest.MonkeyPatch) -> str:
    become(patch, user, CANARY)
    now = minio.time.utcnow
    patch.setattr(minio.time, "utcnow", lambda: now() - timedelta(hours=1))
    return r"got a clock that differs from the server's; set this machine's clock"


def unknown_token(server: RadosGateway, user: str, patch: pytest.MonkeyPatch) -> str:
    become(patch, user, CANARY)
    patch.setenv("AWS_SESSION_TOKEN", CANARY)
    return r"got (refused credentials \(\w+\)|no permission \(AccessDenied\).*|error \w+.*); "


REFUSALS = [wrong_secret, unknown_key, no_rights, wrong_clock, unknown_token]


@pytest.mark.parametrize("refused", REFUSALS)
def test_a_refusal_is_one_line_by_every_way_and_gives_no_secret_away(
    real_bucket: RealBucket,
    real_s3: RadosGateway,
    other_user: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    refused: Callable[[RadosGateway, str, pytest.MonkeyPatch], str],
) -> None:
    caplog.set_level(logging.DEBUG)
    message = refused(real_s3, other_user, monkeypatch)
    store = S3Store(real_bucket.uri("team"))
    attempts: list[Callable[[], object]] = [
        lambda: store.put_bytes(b"x"),
        lambda: store.read_bytes("0" * 64),
        lambda: store.has("0" * 64),
        lambda: store.write_document("x", b"x"),
        lambda: store.write_document_once("x", b"x", keep_until=datetime(2099, 1, 1, tzinfo=UTC)),
        lambda: store.list_documents(""),
        lambda: store._bucket.put_if_absent("x", b"x"),
        lambda: store._bucket.lock(),
    ]
    for attempt in attempts:
        with pytest.raises(StorageError, match=message) as caught:
            attempt()
        assert "\n" not in str(caught.value)
        text = "".join(traceback.format_exception(caught.value))
        assert CANARY not in text + repr(caught.value.__context__) + repr(vars(store)) + repr(vars(store._bucket))
    assert CANARY not in caplog.text
    monkeypatch.undo()
    assert real_bucket.contents() == {}


def test_a_bucket_that_is_missing_is_told_by_every_way(real_s3: RadosGateway) -> None:
    store = S3Store(f"s3://no-such-bucket?endpoint={real_s3.endpoint}")
    for attempt in (
        lambda: store.put_bytes(b"x"),
        lambda: store.has("0" * 64),
        lambda: store.write_document("x", b"x"),
        lambda: store.write_document_once("x", b"x"),
        lambda: store.read_document("x"),
        lambda: store.list_documents(""),
        lambda: store.sweep(now=datetime.now(UTC)),
    ):
        with pytest.raises(StorageError, match=r"expected bucket 'no-such-bucket' at http.*, got no such bucket; crea"):
            attempt()


def test_a_full_quota_is_told_and_leaves_nothing_and_documents_are_still_read(
    real_s3: RadosGateway, other_user: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    become(monkeypatch, other_user, CANARY)
    peer = Minio(real_s3.endpoint.removeprefix("http://"), other_user, CANARY, secure=False)
    bucket = RealBucket(name=f"full-{uuid4().hex}", endpoint=real_s3.endpoint, peer=peer)
    peer.make_bucket(bucket.name)
    store = S3Store(bucket.uri())
    store.write_document("index.json", b"{}")
    real_s3.admin("quota", "set", "--quota-scope=user", f"--uid={other_user}", "--max-size=10000")
    real_s3.admin("quota", "enable", "--quota-scope=user", f"--uid={other_user}")
    for attempt in (
        lambda: store.put_bytes(bytes(20_000)),
        lambda: store.put_bytes(bytes(20 << 20)),
        lambda: store.write_document("x", bytes(20_000)),
        lambda: store.write_document_once("x", bytes(20_000)),
    ):
        with pytest.raises(StorageError, match=r"got a full quota; raise the quota or free space there") as caught:
            attempt()
        assert CANARY not in "".join(traceback.format_exception(caught.value))
    assert bucket.contents() == {"index.json": b"{}"}
    assert bucket.uploads() == 0
    assert store.read_document("index.json") == b"{}"


def test_a_server_that_is_down_is_told(real_s3: RadosGateway) -> None:
    with pytest.raises(StorageError, match=r"got no answer \(\w+\); check the endpoint and the network"):
        S3Store(f"s3://models?endpoint=http://127.0.0.1:{free_port()}").read_document("x")


def test_this_server_checks_signatures_unlike_a_mock(real_bucket: RealBucket) -> None:
    """What all refusals here rest on: a signed URL opens its own object, and no other, for no other method."""
    store = S3Store(real_bucket.uri())
    store.write_document("a", b"of a")
    store.write_document("b", b"of b")
    url = real_bucket.peer.get_presigned_url("GET", real_bucket.name, "a")
    assert urllib3.request("GET", url).data == b"of a"
    tampered = [
        ("GET", url.replace("/a?", "/b?")),
        ("DELETE", url),
        ("GET", url.replace("X-Amz-Expires=604800", "X-Amz-Expires=604799")),
        ("GET", url[:-1] + ("0" if url[-1] != "0" else "1")),
    ]
    assert [urllib3.request(method, place).status for method, place in tampered] == [403] * 4
    assert real_bucket.contents() == {"a": b"of a", "b": b"of b"}


def test_a_rotated_secret_is_taken_without_a_new_start(
    real_bucket: RealBucket, real_s3: RadosGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = S3Store(real_bucket.uri())
    store.write_document("x", b"1")
    become(monkeypatch, real_s3.access_key, CANARY)
    with pytest.raises(StorageError, match="SignatureDoesNotMatch"):
        store.read_document("x")
    become(monkeypatch, real_s3.access_key, real_s3.secret_key)
    assert store.read_document("x") == b"1"
