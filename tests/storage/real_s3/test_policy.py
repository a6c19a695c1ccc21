"""The rights that docs/s3.md lists are enough, and none of them is too much: a bucket policy of the real server."""

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from robustcert.errors import StorageError
from robustcert.storage.s3 import S3Store
from tests.rados_gateway import RadosGateway
from tests.storage.conftest import RealBucket

pytestmark = pytest.mark.real_s3

# Amazon asks for these two. Ceph lets everyone read what he put himself, and retain what he may put.
NOT_ASKED_FOR_BY_CEPH = {"s3:GetObject", "s3:PutObjectRetention"}

LARGE = bytes(range(256)) * (20 << 12)


def documented(root: Path, number: int) -> list[dict[str, Any]]:
    blocks = re.findall(r"```json\n(.*?)```", (root / "docs/s3.md").read_text(), re.DOTALL)
    return list(json.loads(blocks[number])["Statement"])


@pytest.fixture
def user(real_s3: RadosGateway) -> str:
    name = f"user{uuid4().hex}"
    real_s3.add_user(name, access_key=name, secret_key="secret-of-user")
    return name


def grant(bucket: RealBucket, user: str, statements: list[dict[str, Any]], *, without: str = "") -> None:
    text = json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": [
                {
                    **statement,
                    "Principal": {"AWS": [f"arn:aws:iam:::user/{user}"]},
                    "Action": [action for action in statement["Action"] if action != without]
                    or ["s3:GetBucketTagging"],
                }
                for statement in statements
            ],
        }
    )
    bucket.peer.set_bucket_policy(bucket.name, text.replace("BUCKET", bucket.name).replace("PREFIX", "team"))


def become(patch: pytest.MonkeyPatch, user: str) -> None:
    patch.setenv("AWS_ACCESS_KEY_ID", user)
    patch.setenv("AWS_SECRET_ACCESS_KEY", "secret-of-user")


def use(bucket: RealBucket) -> list[str]:
    """Everything that steps do to a store; lines of what was refused."""
    store, later = S3Store(bucket.uri("team")), datetime.now(UTC) + timedelta(days=2)
    refused = []
    for attempt in (
        lambda: store.read_bytes(store.put_bytes(LARGE)),
        lambda: store.write_document("runs/1/record.json", uuid4().bytes),
        lambda: store.write_document_once(f"certificates/{uuid4().hex}.json", b"{}", keep_until=later),
        lambda: store.list_documents(""),
        lambda: store.has("0" * 64),
        lambda: store.read_document("no-such"),
    ):
        try:
            attempt()
        except StorageError as error:
            refused.append(str(error))
    return refused


def test_the_documented_rights_are_enough_and_end_at_the_prefix(
    locked_bucket: RealBucket, user: str, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    grant(locked_bucket, user, documented(root, 0))
    locked_bucket.peer._create_multipart_upload(locked_bucket.name, "team/objects/x", {})
    become(monkeypatch, user)
    assert use(locked_bucket) == []
    assert S3Store(locked_bucket.uri("team")).sweep(now=datetime.now(UTC) + timedelta(days=2)) == 1
    with pytest.raises(StorageError, match=r"got no permission \(AccessDenied\)"):
        S3Store(locked_bucket.uri("other")).write_document("x", b"")


def test_readers_need_less_and_can_not_write(
    locked_bucket: RealBucket, user: str, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = S3Store(locked_bucket.uri("team"))
    digest = store.put_bytes(b"x")
    store.write_document("runs/1/record.json", b"{}")
    grant(locked_bucket, user, documented(root, 1))
    become(monkeypatch, user)
    store = S3Store(locked_bucket.uri("team"))
    assert (store.read_bytes(digest), store.list_documents("runs/")) == (b"x", ["runs/1/record.json"])
    assert store.read_document("runs/1/record.json") == b"{}"
    for attempt in (lambda: store.put_bytes(b"y"), lambda: store.write_document("runs/1/record.json", b"[]")):
        with pytest.raises(StorageError, match=r"got no permission \(AccessDenied\) for these credentials; grant"):
            attempt()


def test_every_documented_right_is_needed(
    locked_bucket: RealBucket, user: str, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    statements = documented(root, 0)
    spare = set()
    for action in [action for statement in statements for action in statement["Action"]]:
        locked_bucket.peer._create_multipart_upload(locked_bucket.name, "team/objects/x", {})
        grant(locked_bucket, user, statements, without=action)
        with monkeypatch.context() as patch:
            become(patch, user)
            swept = S3Store(locked_bucket.uri("team")).sweep(now=datetime.now(UTC) + timedelta(days=2))
            if swept and not use(locked_bucket):
                spare.add(action)
    assert spare == NOT_ASKED_FOR_BY_CEPH
