"""The real server over TLS, with certificates that prove something and others."""

from pathlib import Path

import pytest

from robustcert.errors import StorageError
from robustcert.storage.s3 import S3Store
from tests.rados_gateway import RadosGateway
from tests.storage.conftest import RealBucket
from tests.storage.tls import issue

pytestmark = pytest.mark.real_s3


def test_a_store_over_tls_keeps_objects_of_several_parts_and_documents(
    real_bucket: RealBucket, real_s3: RadosGateway, tmp_path: Path
) -> None:
    files, data = issue(tmp_path), bytes(range(256)) * (20 << 12)
    with real_s3.serving_tls(files.certificate, files.key) as port:
        endpoint = f"https://127.0.0.1:{port}&ca={files.authority}"
        store = S3Store(real_bucket.uri("team", endpoint=endpoint))
        assert store.read_bytes(store.put_bytes(data)) == data
        store.write_document_once("certificates/a.json", b"{}")
        assert store.read_document("certificates/a.json") == b"{}"


@pytest.mark.parametrize(
    ("host", "valid_for_days", "trusted", "message"),
    [
        ("127.0.0.1", (-9, -1), True, "got an expired TLS certificate; renew the server's certificate"),
        ("127.0.0.2", (-1, 9), True, "got a TLS certificate for another host; use the host name that"),
        ("127.0.0.1", (-1, 9), False, "got a TLS certificate of an unknown authority; name the file of its authority"),
    ],
)
def test_a_certificate_that_proves_nothing_stops_every_write(
    real_bucket: RealBucket,
    real_s3: RadosGateway,
    tmp_path: Path,
    host: str,
    valid_for_days: tuple[int, int],
    trusted: bool,
    message: str,
) -> None:
    files = issue(tmp_path, host=host, valid_for_days=valid_for_days)
    with real_s3.serving_tls(files.certificate, files.key) as port:
        ca = f"&ca={files.authority}" if trusted else ""
        store = S3Store(real_bucket.uri(endpoint=f"https://127.0.0.1:{port}{ca}"))
        with pytest.raises(StorageError, match=message):
            store.put_bytes(b"x")
    assert real_bucket.contents() == {}


def test_tls_to_a_plain_port_and_plain_http_to_a_tls_port_are_told(
    real_bucket: RealBucket, real_s3: RadosGateway, tmp_path: Path
) -> None:
    files = issue(tmp_path)
    with pytest.raises(StorageError, match=r"got no TLS \(\w+\); check the port; plain HTTP must be named"):
        S3Store(real_bucket.uri(endpoint=real_s3.endpoint.replace("http:", "https:"))).read_document("x")
    message = r"got (no answer \(\w+\)|an answer that is not S3's|HTTP status 400)"
    with (
        real_s3.serving_tls(files.certificate, files.key) as port,
        pytest.raises(StorageError, match=message),
    ):
        S3Store(real_bucket.uri(endpoint=f"http://127.0.0.1:{port}")).read_document("x")
