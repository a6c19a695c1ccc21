"""Servers that speak S3 on loopback: a mock, and a real one; and a user without rights."""

import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import boto3
import pytest
from minio import Minio
from moto.server import ThreadedMotoServer

from robustcert.storage import s3_connection, s3_download
from tests.rados_gateway import RadosGateway


@dataclass(frozen=True, kw_only=True)
class RealBucket:
    """A bucket of the real server; `peer` is another client with all rights: the oracle."""

    name: str
    endpoint: str
    peer: Minio

    def uri(self, prefix: str = "", *, endpoint: str = "") -> str:
        return f"s3://{self.name}/{prefix}?endpoint={endpoint or self.endpoint}"

    def contents(self) -> dict[str, bytes]:
        keys = [str(entry.object_name) for entry in self.peer.list_objects(self.name, recursive=True)]
        return {key: self.peer.get_object(self.name, key).data for key in keys}

    def uploads(self) -> int:
        return len(self.peer._list_multipart_uploads(self.name).uploads)


@pytest.fixture
def real_s3(rados_gateway: RadosGateway, credentials: None, monkeypatch: pytest.MonkeyPatch) -> RadosGateway:
    """The real server, with its first user's credentials in the environment."""
    for name, value in rados_gateway.environment().items():
        monkeypatch.setenv(name, value)
    return rados_gateway


@pytest.fixture
def real_bucket(real_s3: RadosGateway) -> RealBucket:
    """An empty bucket of the real server."""
    return make_bucket(real_s3)


@pytest.fixture
def locked_bucket(real_s3: RadosGateway) -> RealBucket:
    """An empty bucket of the real server that locks objects, without a default rule."""
    return make_bucket(real_s3, object_lock=True)


def make_bucket(server: RadosGateway, *, object_lock: bool = False) -> RealBucket:
    name = f"store-{uuid4().hex}"
    peer = Minio(server.endpoint.removeprefix("http://"), server.access_key, server.secret_key, secure=False)
    peer.make_bucket(name, object_lock=object_lock)
    return RealBucket(name=name, endpoint=server.endpoint, peer=peer)


@pytest.fixture(autouse=True)
def _hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Repeats without the waits; processes that a test starts keep them."""
    monkeypatch.setattr(s3_connection, "BACKOFF_SECONDS", 0.001)
    monkeypatch.setattr(s3_connection, "JITTER_SECONDS", 0.0)
    monkeypatch.setattr(s3_download, "WAIT_SECONDS", 0.001)


@pytest.fixture
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """Some credentials in the environment, and nothing else that S3 tools read."""
    for name in [name for name in os.environ if name.startswith(("AWS_", "MINIO_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    """Endpoint of moto's S3 server: a mock, so what it proves about S3 itself is limited."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def s3_endpoint(s3_server: str, credentials: None) -> str:
    """The endpoint, with credentials for it in the environment."""
    return s3_server


@pytest.fixture
def peer(s3_endpoint: str) -> "boto3.client":
    """Another client of the same server: what it reads and writes is the oracle."""
    return boto3.client("s3", endpoint_url=s3_endpoint, region_name="us-east-1")


@pytest.fixture
def bucket(peer: "boto3.client") -> str:
    """Name of an empty bucket."""
    name = f"store-{uuid4().hex}"
    peer.create_bucket(Bucket=name)
    return name


@pytest.fixture
def read_only_folder() -> Iterator[Path]:
    """A folder that this process can't write; root, who could, becomes nobody for the test."""
    user = os.geteuid()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o555)
        try:
            if user == 0:
                os.seteuid(65534)
            yield folder
        finally:
            os.seteuid(user)
            folder.chmod(0o700)
