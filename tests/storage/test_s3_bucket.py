"""moto's server stands in for S3, and boto3 is the oracle; what a mock can't prove is in real_s3/."""

import sys
from datetime import UTC, datetime, timedelta
from io import BytesIO

import boto3
import pytest

from robustcert.errors import StorageError
from robustcert.storage import s3_bucket
from robustcert.storage.s3_address import S3Settings, parse_uri
from robustcert.storage.s3_bucket import Bucket, BucketLock
from robustcert.storage.s3_errors import AbsentError, ConditionError
from tests.storage.scripted_server import Answer, refusal, scripted_server

NOW = datetime(2025, 6, 1, 12, tzinfo=UTC)


def bucket_at(name: str, endpoint: str, region: str | None = "us-east-1") -> Bucket:
    return Bucket(parse_uri(f"s3://{name}", settings=S3Settings(endpoint=endpoint, region=region)))


def test_a_missing_key_and_a_missing_bucket_are_told_apart(bucket: str, s3_endpoint: str) -> None:
    with pytest.raises(AbsentError, match=f"expected s3://{bucket}/nothing, got no such object"):
        list(bucket_at(bucket, s3_endpoint).chunks("nothing"))
    for region in (None, "us-east-1"):
        for attempt in (Bucket.chunks, Bucket.keys, Bucket.exists):
            with pytest.raises(
                StorageError, match=r"expected bucket 'no-such-bucket' at http.*, got no such bucket; create it"
            ):
                list(attempt(bucket_at("no-such-bucket", s3_endpoint, region), "nothing"))


def test_a_document_for_a_missing_bucket_is_told(s3_endpoint: str) -> None:
    with pytest.raises(StorageError, match="got no such bucket; create it or name another"):
        bucket_at("no-such-bucket", s3_endpoint).put_if_absent("x", b"")


def test_a_key_that_holds_something_is_not_written_by_a_conditional_put(
    bucket: str, s3_endpoint: str, peer: "boto3.client"
) -> None:
    at = bucket_at(bucket, s3_endpoint)
    at.put_if_absent("x", b"first", metadata={"sha256": "ab"})
    with pytest.raises(ConditionError):
        at.put_if_absent("x", b"second")
    found = peer.get_object(Bucket=bucket, Key="x")
    assert (found["Body"].read(), found["Metadata"]) == (b"first", {"sha256": "ab"})


def test_a_key_exists_only_in_full(bucket: str, s3_endpoint: str, peer: "boto3.client") -> None:
    peer.put_object(Bucket=bucket, Key="a/bc", Body=b"")
    at = bucket_at(bucket, s3_endpoint)
    assert [at.exists(key) for key in ("a", "a/b", "a/bc", "a/bcd")] == [False, False, True, False]
    assert list(at.keys("a/b")) == ["a/bc"]


def test_the_server_may_be_asked_for_the_region(bucket: str, s3_endpoint: str) -> None:
    assert list(bucket_at(bucket, s3_endpoint, region=None).keys("")) == []


@pytest.mark.parametrize(("length", "parts"), [(5, 0), ((5 << 20) - 1, 0), (12 << 20, 3)])
def test_what_is_larger_than_a_part_travels_in_parts(
    bucket: str,
    s3_endpoint: str,
    peer: "boto3.client",
    monkeypatch: pytest.MonkeyPatch,
    length: int,
    parts: int,
) -> None:
    monkeypatch.setattr(s3_bucket, "PART_BYTES", 5 << 20)
    data = bytes(range(251)) * (length // 251 + 1)
    bucket_at(bucket, s3_endpoint).put("x", BytesIO(data[:length]), length=length)
    found = peer.get_object(Bucket=bucket, Key="x")
    assert found["Body"].read() == data[:length]
    assert int(found["ETag"].strip('"').partition("-")[2] or 0) == parts


def test_parts_grow_where_ten_thousand_would_not_do(credentials: None, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = []
    bucket = bucket_at("models", "http://127.0.0.1:1")
    monkeypatch.setattr(bucket._client, "put_object", lambda *_, part_size, **__: sizes.append(part_size))
    for length in (1, 160 << 30, 5 << 40):
        bucket.put("x", BytesIO(), length=length)
    assert sizes == [16 << 20, -(-(160 << 30) // 10_000), -(-(5 << 40) // 10_000)]
    assert sizes[2] <= 5 << 30  # the largest part that S3 takes


LOCK = "<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled>{}</ObjectLockConfiguration>"
RULE = "<Rule><DefaultRetention><Mode>{}</Mode><{}>{}</{}></DefaultRetention></Rule>"


@pytest.mark.parametrize(
    ("rule", "lock"),
    [
        ("", BucketLock(mode="GOVERNANCE", period=timedelta(0))),
        (RULE.format("COMPLIANCE", "Days", 30, "Days"), BucketLock(mode="COMPLIANCE", period=timedelta(days=30))),
        (RULE.format("GOVERNANCE", "Years", 2, "Years"), BucketLock(mode="GOVERNANCE", period=timedelta(days=732))),
    ],
)
def test_the_buckets_own_rule_decides_mode_and_period(credentials: None, rule: str, lock: BucketLock) -> None:
    with scripted_server(Answer(body=LOCK.format(rule).encode())) as server:
        assert bucket_at("models", server.endpoint).lock() == lock


@pytest.mark.parametrize(
    "answer", [refusal("ObjectLockConfigurationNotFoundError", status=404), refusal("NotImplemented", status=501)]
)
def test_a_bucket_without_lock_and_a_server_without_locks_have_none(credentials: None, answer: Answer) -> None:
    with scripted_server(answer) as server:
        assert bucket_at("models", server.endpoint).lock() is None


def test_whether_there_is_a_lock_must_be_known(credentials: None) -> None:
    denied, message = (
        refusal("AccessDenied", status=403),
        r"got no permission \(AccessDenied\).*; grant them the rights",
    )
    with scripted_server(denied) as server, pytest.raises(StorageError, match=message):
        bucket_at("models", server.endpoint).lock()


def test_a_lock_lasts_until_the_later_of_both_dates() -> None:
    lock = BucketLock(mode="COMPLIANCE", period=timedelta(days=30))
    for until, lasts in ((timedelta(days=90), timedelta(days=90)), (timedelta(days=3), timedelta(days=30))):
        retention = lock.retention(until=NOW + until, now=NOW)
        assert (retention.mode, retention.retain_until_date) == ("COMPLIANCE", NOW + lasts)


PAGE = "<IsTruncated>{}</IsTruncated><NextKeyMarker>b</NextKeyMarker>{}"
UPLOADS = f"<ListMultipartUploadsResult>{PAGE}</ListMultipartUploadsResult>"
UPLOAD = "<Upload><Key>{}</Key><UploadId>u-{}</UploadId><Initiated>{}</Initiated></Upload>"


def test_uploads_that_began_too_long_ago_are_aborted_on_every_page(credentials: None) -> None:
    pages = [
        UPLOADS.format("true", UPLOAD.format("a", 1, "2025-05-31T11:59:59.000Z")),
        UPLOADS.format(
            "false",
            UPLOAD.format("b", 2, "2025-05-31T12:00:00.000Z") + UPLOAD.format("c", 3, "2025-01-01T00:00:00.000Z"),
        ),
    ]
    answers = [Answer(body=page.encode()) for page in pages]
    gone = refusal("NoSuchUpload", status=404)
    with scripted_server(*answers, Answer(status=204), gone) as server:
        assert bucket_at("models", server.endpoint).abort_uploads("p/", before=NOW - timedelta(days=1)) == 2
    assert [path.partition("?")[0] for method, path, _ in server.asked if method == "DELETE"] == [
        "/models/a",
        "/models/c",
    ]
    assert ["key-marker=b" in path for method, path, _ in server.asked if method == "GET"] == [False, True]


def test_without_the_minio_client_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "minio", None)
    with pytest.raises(StorageError, match=r"expected the minio client for s3:// URIs, .*; install robustcert\[s3\]"):
        bucket_at("models", "http://127.0.0.1:1")
