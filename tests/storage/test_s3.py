"""moto's server stands in for S3 and boto3 is the oracle. moto is a mock: it proves our requests, not S3's promises."""

import hashlib
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

import boto3
import pytest

from robustcert.errors import InputError, StorageError
from robustcert.storage.s3 import S3Settings, S3Store, fetch_object
from robustcert.storage.s3_bucket import Bucket
from robustcert.storage.s3_errors import LostUploadError
from tests.storage.scripted_server import refusal, scripted_server

DATA = b"the bytes of a model"
DIGEST = hashlib.sha256(DATA).hexdigest()
OBJECT = f"team/one/objects/sha256/{DIGEST[:2]}/{DIGEST}"


@pytest.fixture
def store(bucket: str, s3_endpoint: str) -> S3Store:
    return S3Store(f"s3://{bucket}/team/one/?endpoint={s3_endpoint}&region=us-east-1")


def put(peer: "boto3.client", bucket: str, key: str, data: bytes) -> None:
    peer.put_object(Bucket=bucket, Key=key, Body=data)


def contents(peer: "boto3.client", bucket: str) -> dict[str, bytes]:
    keys = [entry["Key"] for entry in peer.list_objects_v2(Bucket=bucket).get("Contents", [])]
    return {key: peer.get_object(Bucket=bucket, Key=key)["Body"].read() for key in keys}


def test_another_client_finds_objects_and_documents_under_the_same_names(
    store: S3Store, peer: "boto3.client", bucket: str
) -> None:
    assert store.put_bytes(DATA) == DIGEST
    store.write_document("runs/1/record.json", b"{}")
    assert contents(peer, bucket) == {OBJECT: DATA, "team/one/runs/1/record.json": b"{}"}


def test_a_file_of_several_parts_comes_back(store: S3Store, tmp_path: Path) -> None:
    data = os.urandom(6 << 20)
    (tmp_path / "model").write_bytes(data)
    digest = store.put_file(tmp_path / "model")
    store.fetch(digest, tmp_path / "new" / "copy")
    assert digest == hashlib.sha256(data).hexdigest()
    assert (tmp_path / "new" / "copy").read_bytes() == data


def test_an_object_that_is_there_intact_is_not_sent_again(
    store: S3Store, peer: "boto3.client", bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(peer, bucket, OBJECT, DATA)
    monkeypatch.delattr(Bucket, "put")
    assert store.put_bytes(DATA) == DIGEST


def test_a_damaged_object_is_detected_named_and_healed_by_the_next_put(
    store: S3Store, peer: "boto3.client", bucket: str, tmp_path: Path
) -> None:
    put(peer, bucket, OBJECT, b"other bytes")
    for attempt in (lambda: store.read_bytes(DIGEST), lambda: store.fetch(DIGEST, tmp_path / "copy")):
        with pytest.raises(
            StorageError, match=f"expected object {DIGEST} of .* as it was stored, got bytes with SHA-256"
        ):
            attempt()
    assert list(tmp_path.iterdir()) == []
    assert store.has(DIGEST)
    assert not store.intact(DIGEST)
    store.put_bytes(DATA)
    assert contents(peer, bucket)[OBJECT] == DATA


def test_bytes_that_change_on_their_way_are_noticed_when_read_back(
    store: S3Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    send = Bucket.put
    monkeypatch.setattr(Bucket, "put", lambda self, key, stream, length: send(self, key, stream, length=length - 1))
    with pytest.raises(StorageError, match=f"expected object {DIGEST} of .* as it was stored"):
        store.put_bytes(DATA)


def test_documents_of_other_prefixes_and_objects_are_not_listed(
    store: S3Store, peer: "boto3.client", bucket: str
) -> None:
    store.put_bytes(DATA)
    for name in ("runs/b/record.json", "runs/a/record.json", "index.json"):
        store.write_document(name, b"{}")
    put(peer, bucket, "team/onerous/x.json", b"")
    put(peer, bucket, "elsewhere.json", b"")
    assert store.list_documents("") == ["index.json", "runs/a/record.json", "runs/b/record.json"]
    assert store.list_documents("runs/a") == ["runs/a/record.json"]


def test_a_store_may_be_a_whole_bucket(bucket: str, s3_endpoint: str, peer: "boto3.client") -> None:
    store = S3Store(f"s3://{bucket}", settings=S3Settings(endpoint=s3_endpoint))
    store.write_document("runs/1/record.json", b"{}")
    assert store.list_documents("runs/") == ["runs/1/record.json"]
    assert list(contents(peer, bucket)) == ["runs/1/record.json"]


def test_of_two_writers_of_one_document_the_second_is_refused_even_when_it_saw_none(
    store: S3Store, peer: "boto3.client", bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_if_absent = Bucket.put_if_absent

    def after_another_writer(self: Bucket, key: str, data: bytes, **named: Any) -> None:
        put(peer, bucket, key, b"first")
        put_if_absent(self, key, data, **named)

    monkeypatch.setattr(Bucket, "put_if_absent", after_another_writer)
    with pytest.raises(StorageError, match=r"expected document 'certificates/a.json' of .* to be new"):
        store.write_document_once("certificates/a.json", b"second")
    assert contents(peer, bucket) == {"team/one/certificates/a.json": b"first"}


def test_the_uri_opens_the_same_store_and_an_objects_uri_leads_to_its_bytes(store: S3Store, tmp_path: Path) -> None:
    store.put_bytes(DATA)
    assert S3Store(store.uri).read_bytes(DIGEST) == DATA
    assert fetch_object(store.uri_of(DIGEST), tmp_path / "copy") == DIGEST
    assert (tmp_path / "copy").read_bytes() == DATA


def test_a_single_object_is_fetched_whole_or_not_at_all(
    bucket: str, s3_endpoint: str, peer: "boto3.client", tmp_path: Path
) -> None:
    settings = S3Settings(endpoint=s3_endpoint, region="us-east-1")
    put(peer, bucket, "data/my digits.npz", DATA)
    (tmp_path / "file").write_bytes(b"old")
    assert fetch_object(f"s3://{bucket}/data/my digits.npz", tmp_path / "file", settings=settings) == DIGEST
    with pytest.raises(
        StorageError, match=f"expected s3://{bucket}/data/other.npz, got no such object; check bucket and key"
    ):
        fetch_object(f"s3://{bucket}/data/other.npz", tmp_path / "file", settings=settings)
    with pytest.raises(InputError, match=f"expected s3://bucket/key, got the bucket '{bucket}' alone; add the key"):
        fetch_object(f"s3://{bucket}", tmp_path / "file", settings=settings)
    with pytest.raises(StorageError, match="expected to write a download, got 'Is a directory'"):
        fetch_object(f"s3://{bucket}/data/my digits.npz", tmp_path, settings=settings)
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [DATA]


def test_endpoint_and_region_may_come_from_the_environment_and_stay_out_of_the_uri(
    bucket: str, s3_endpoint: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", s3_endpoint)
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    store = S3Store(f"s3://{bucket}/team")
    digest = store.put_bytes(DATA)
    assert store.uri == f"s3://{bucket}/team"
    assert fetch_object(store.uri_of(digest), tmp_path / "copy") == DIGEST


def test_a_document_carries_its_digest_and_a_damaged_one_is_refused(
    store: S3Store, peer: "boto3.client", bucket: str
) -> None:
    store.write_document("runs/1/record.json", b"{}")
    store.write_document_once("certificates/a.json", b"{}")
    for name in ("runs/1/record.json", "certificates/a.json"):
        found = peer.get_object(Bucket=bucket, Key=f"team/one/{name}")
        assert found["Metadata"] == {"sha256": hashlib.sha256(b"{}").hexdigest()}
        peer.put_object(Bucket=bucket, Key=f"team/one/{name}", Body=b"{ }", Metadata=found["Metadata"])
        with pytest.raises(StorageError, match=rf"expected document '{name}' of s3://.* as it was written, got"):
            store.read_document(name)


def test_a_document_that_another_tool_wrote_is_read_as_it_is(store: S3Store, peer: "boto3.client", bucket: str) -> None:
    put(peer, bucket, "team/one/index.json", b"{}")
    assert store.read_document("index.json") == b"{}"


def test_a_bucket_without_lock_needs_none(store: S3Store) -> None:
    store.write_document_once("certificates/a.json", b"{}", keep_until=datetime(2035, 6, 1, tzinfo=UTC))
    assert store.read_document("certificates/a.json") == b"{}"


@pytest.mark.parametrize(("code", "status"), [("AccessDenied", 403), ("NotImplemented", 501)])
def test_where_sweeping_is_not_allowed_or_not_known_nothing_is_swept(credentials: None, code: str, status: int) -> None:
    with scripted_server(refusal(code, status=status)) as server:
        assert S3Store(f"s3://models?endpoint={server.endpoint}&region=r").sweep(now=datetime.now(UTC)) == 0


def test_an_upload_whose_last_answer_was_lost_counts_when_the_object_is_there(
    store: S3Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    send = Bucket.put

    def and_forget(self: Bucket, key: str, stream: BinaryIO, length: int) -> None:
        send(self, key, stream, length=length)
        raise LostUploadError("gone")

    monkeypatch.setattr(Bucket, "put", and_forget)
    assert store.put_bytes(DATA) == DIGEST
    monkeypatch.setattr(Bucket, "put", lambda *_, **__: (_ for _ in ()).throw(LostUploadError("gone")))
    with pytest.raises(StorageError, match="got no such object"):
        store.put_bytes(b"other")
