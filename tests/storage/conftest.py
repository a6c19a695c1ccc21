"""A server that speaks S3 on loopback, and a user without rights."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import boto3
import pytest
from moto.server import ThreadedMotoServer


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    """Endpoint of moto's S3 server: a mock, so what it proves about S3 itself is limited."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def s3_endpoint(s3_server: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The endpoint, with credentials for it in the environment."""
    for name in ("MINIO_ACCESS_KEY", "MINIO_SECRET_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
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
