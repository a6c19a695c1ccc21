"""Certificates in a bucket that locks objects: who may delete them, and until when."""

from datetime import UTC, datetime, timedelta

import pytest
from minio.commonconfig import COMPLIANCE
from minio.error import S3Error
from minio.objectlockconfig import DAYS, ObjectLockConfig

from robustcert.errors import StorageError
from robustcert.storage.s3 import S3Store
from tests.storage.conftest import RealBucket

pytestmark = pytest.mark.real_s3

NAME = "certificates/a.json"
UNTIL = datetime.now(UTC).replace(microsecond=0) + timedelta(days=90)


def retention(bucket: RealBucket) -> tuple[str, datetime]:
    """Mode and end, by the headers: the client can't parse this server's fractions of a second."""
    headers = bucket.peer.stat_object(bucket.name, NAME).metadata
    until = headers["x-amz-object-lock-retain-until-date"].partition(".")[0]
    return headers["x-amz-object-lock-mode"], datetime.fromisoformat(until).replace(tzinfo=UTC)


def version(bucket: RealBucket) -> str:
    return str(bucket.peer.stat_object(bucket.name, NAME).version_id)


def test_a_certificate_is_kept_until_it_ends_and_nobody_deletes_it(locked_bucket: RealBucket) -> None:
    S3Store(locked_bucket.uri()).write_document_once(NAME, b"{}", keep_until=UNTIL)
    assert retention(locked_bucket) == ("GOVERNANCE", UNTIL)
    with pytest.raises(S3Error, match="forbidden by object lock"):
        locked_bucket.peer.remove_object(locked_bucket.name, NAME, version_id=version(locked_bucket))
    assert locked_bucket.contents() == {NAME: b"{}"}


@pytest.mark.parametrize(("days", "ends"), [(1, UNTIL), (200, datetime.now(UTC) + timedelta(days=200))])
def test_the_buckets_own_rule_is_never_weakened(locked_bucket: RealBucket, days: int, ends: datetime) -> None:
    rule = ObjectLockConfig(COMPLIANCE, days, DAYS)
    locked_bucket.peer.set_object_lock_config(locked_bucket.name, rule)
    S3Store(locked_bucket.uri()).write_document_once(NAME, b"{}", keep_until=UNTIL)
    mode, until = retention(locked_bucket)
    assert mode == "COMPLIANCE"
    assert abs(until - ends) < timedelta(minutes=5)


def test_without_a_date_the_buckets_rule_alone_decides(locked_bucket: RealBucket) -> None:
    store = S3Store(locked_bucket.uri())
    store.write_document_once("certificates/free.json", b"{}")
    assert (
        "x-amz-object-lock-mode"
        not in locked_bucket.peer.stat_object(locked_bucket.name, "certificates/free.json").metadata
    )
    locked_bucket.peer.set_object_lock_config(locked_bucket.name, ObjectLockConfig(COMPLIANCE, 3, DAYS))
    store.write_document_once(NAME, b"{}")
    assert retention(locked_bucket)[0] == "COMPLIANCE"


def test_a_bucket_without_lock_takes_the_same_certificate(real_bucket: RealBucket) -> None:
    S3Store(real_bucket.uri()).write_document_once(NAME, b"{}", keep_until=UNTIL)
    assert real_bucket.contents() == {NAME: b"{}"}


def test_a_second_writer_adds_no_version_and_other_bytes_are_refused(locked_bucket: RealBucket) -> None:
    store = S3Store(locked_bucket.uri())
    for _ in range(2):
        store.write_document_once(NAME, b"{}", keep_until=UNTIL)
    with pytest.raises(StorageError, match="to be new, got other bytes under that name; it is never replaced"):
        store.write_document_once(NAME, b"[]", keep_until=UNTIL)
    versions = locked_bucket.peer.list_objects(locked_bucket.name, recursive=True, include_version=True)
    assert len(list(versions)) == 1


def test_a_delete_marker_hides_a_certificate_but_its_version_stays(locked_bucket: RealBucket) -> None:
    store, peer = S3Store(locked_bucket.uri()), locked_bucket.peer
    store.write_document_once(NAME, b"{}", keep_until=UNTIL)
    kept = version(locked_bucket)
    marker = peer.remove_object(locked_bucket.name, NAME)
    assert marker is None
    assert store.read_document(NAME) is None
    assert peer.get_object(locked_bucket.name, NAME, version_id=kept).data == b"{}"
    markers = [
        entry.version_id
        for entry in peer.list_objects(locked_bucket.name, recursive=True, include_version=True)
        if entry.is_delete_marker
    ]
    peer.remove_object(locked_bucket.name, NAME, version_id=markers[0])
    assert store.read_document(NAME) == b"{}"


def test_objects_and_documents_work_in_a_locked_bucket_too(locked_bucket: RealBucket) -> None:
    locked_bucket.peer.set_object_lock_config(locked_bucket.name, ObjectLockConfig(COMPLIANCE, 1, DAYS))
    store, data = S3Store(locked_bucket.uri()), bytes(20 << 20)
    assert store.read_bytes(store.put_bytes(data)) == data
    for text in (b"1", b"2"):
        store.write_document("runs/1/record.json", text)
    assert store.read_document("runs/1/record.json") == b"2"
