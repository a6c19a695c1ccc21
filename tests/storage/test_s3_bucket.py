"""moto's server stands in for S3: it is a mock, so signatures are not checked unless a test says so."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.request import Request, urlopen

import pytest

from robustcert.errors import InputError, StorageError
from robustcert.storage.s3_bucket import AWS_ENDPOINT, AbsentError, Bucket, S3Settings, parse_uri

KEY_ID, SECRET = "AKIAEXAMPLE", "aSecretThatNoMessageMayHold"


def bucket_at(name: str, endpoint: str, region: str | None = "us-east-1") -> Bucket:
    return Bucket(parse_uri(f"s3://{name}", settings=S3Settings(endpoint=endpoint, region=region)))


def test_a_uri_is_taken_apart_and_put_together_again() -> None:
    address = parse_uri("s3://models/a/b c.npz?region=eu-1&endpoint=http://127.0.0.1:9000", settings=None)
    assert (address.bucket, address.key) == ("models", "a/b c.npz")
    assert address.settings == S3Settings(endpoint="http://127.0.0.1:9000", region="eu-1")
    assert address.uri("x") == "s3://models/x?endpoint=http://127.0.0.1:9000&region=eu-1"
    assert parse_uri(address.uri(address.key), settings=None) == address


def test_what_the_uri_leaves_out_comes_from_the_settings_and_else_from_aws() -> None:
    settings = S3Settings(endpoint="https://minio.example:9000", region="eu-1")
    assert parse_uri("s3://models/a/", settings=settings).settings == settings
    assert parse_uri("s3://models?region=us-2", settings=settings).settings.region == "us-2"
    assert parse_uri("s3://models?region=us-2", settings=settings).settings.endpoint == settings.endpoint
    assert parse_uri("s3://models/a/", settings=None).settings == S3Settings(endpoint=AWS_ENDPOINT, region=None)
    assert parse_uri("s3://models/a/", settings=settings).uri("a") == "s3://models/a"


@pytest.mark.parametrize(
    "uri", ["s3://", "s3:///key", "s3://UPPER/x", "s3://a/x", "s3://models/x#y", "s3://models/a\nb"]
)
def test_a_uri_of_another_form_is_refused(uri: str) -> None:
    with pytest.raises(InputError, match="expected s3://bucket/prefix, got 's3://"):
        parse_uri(uri, settings=None)


@pytest.mark.parametrize(
    "uri",
    [f"s3://{KEY_ID}:{SECRET}@models/x", f"s3://models/x?secret={SECRET}", f"s3://models?endpoint=http://u:{SECRET}@h"],
)
def test_a_secret_in_a_uri_is_refused_and_not_repeated(uri: str) -> None:
    with pytest.raises(InputError, match="credentials belong into the environment") as caught:
        parse_uri(uri, settings=None)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    "endpoint", ["", "127.0.0.1:9000", "ftp://host", "http://host/path", "http://host:port", "http://h?x"]
)
def test_an_endpoint_of_another_form_is_refused(endpoint: str) -> None:
    with pytest.raises(InputError, match=r"expected an S3 endpoint http\(s\)://host\[:port\], got '"):
        S3Settings(endpoint=endpoint)


def test_a_missing_key_and_a_missing_bucket_are_told_apart(bucket: str, s3_endpoint: str) -> None:
    with pytest.raises(AbsentError, match=f"expected s3://{bucket}/nothing, got no such object"):
        list(bucket_at(bucket, s3_endpoint).chunks("nothing"))
    for region in (None, "us-east-1"):
        with pytest.raises(
            StorageError, match=r"expected bucket 'no-such-bucket' at http.*, got no such bucket; create it"
        ):
            list(bucket_at("no-such-bucket", s3_endpoint, region).chunks("nothing"))


def test_a_document_for_a_missing_bucket_is_told_in_one_line(s3_endpoint: str) -> None:
    with pytest.raises(StorageError, match=r"got HTTP status 404; check that the bucket exists"):
        bucket_at("no-such-bucket", s3_endpoint).put_if_absent("x", b"")


def test_a_server_that_keeps_failing_is_told_in_one_line(bucket: str, s3_endpoint: str) -> None:
    check_signatures(s3_endpoint, after="0")  # moto fails with 500 on a signed URL then
    try:
        with pytest.raises(StorageError, match=r"got no answer \(too many 500 error responses\); check") as caught:
            bucket_at(bucket, s3_endpoint).put_if_absent("x", b"")
        assert "Signature" not in str(caught.value)
    finally:
        check_signatures(s3_endpoint, after="inf")


@contextmanager
def server_that_answers(body: bytes, kind: str) -> Iterator[str]:
    """Endpoint of a server that refuses everything with `body`."""

    class Refusal(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(400)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Refusal) as server:
        Thread(target=server.serve_forever, args=(0.01,)).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.parametrize(
    ("body", "kind", "message"),
    [
        (b"<h1>Welcome</h1>", "text/html", "got an answer that is not S3's; check the endpoint"),
        (b"<Error><Code>SlowDown</Code></Error>", "application/xml", "got error SlowDown; see the server's log"),
    ],
)
def test_an_unexpected_answer_is_told_in_one_line(s3_endpoint: str, body: bytes, kind: str, message: str) -> None:
    with server_that_answers(body, kind) as endpoint, pytest.raises(StorageError, match=message):
        list(bucket_at("models", endpoint).chunks("x"))


def test_the_server_may_be_asked_for_the_region(bucket: str, s3_endpoint: str) -> None:
    assert list(bucket_at(bucket, s3_endpoint, region=None).keys("")) == []


@pytest.mark.parametrize("key", ["../x", "a/../b", "./a"])
def test_a_key_that_the_client_refuses_is_told_in_one_line(bucket: str, s3_endpoint: str, key: str) -> None:
    with pytest.raises(InputError, match=r"expected names that S3 accepts, got '.*'; use a plain bucket name"):
        list(bucket_at(bucket, s3_endpoint).chunks(key))


def test_refused_credentials_are_told_without_repeating_them(
    bucket: str, s3_endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY_ID)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    check_signatures(s3_endpoint, after="0")
    try:
        for attempt in (Bucket.chunks, Bucket.keys, Bucket.exists):
            with pytest.raises(
                StorageError, match=r"expected bucket .*, got refused credentials \(\w+\); check"
            ) as caught:
                list(attempt(bucket_at(bucket, s3_endpoint), "x"))
            assert SECRET not in str(caught.value)
            assert KEY_ID not in str(caught.value)
    finally:
        check_signatures(s3_endpoint, after="inf")


def check_signatures(endpoint: str, *, after: str) -> None:
    """Has moto refuse unknown credentials after that many requests."""
    headers = {"Content-Type": "text/plain"}
    urlopen(Request(f"{endpoint}/moto-api/reset-auth", data=after.encode(), headers=headers)).close()  # noqa: S310


def test_a_server_that_does_not_answer_is_told_in_one_line(s3_endpoint: str) -> None:
    with pytest.raises(
        StorageError, match=r"bucket 'models' at http://127.0.0.1:1, got no answer \(\w+\); check the endpoint"
    ):
        list(bucket_at("models", "http://127.0.0.1:1").chunks("x"))
    with pytest.raises(StorageError, match=r"got no answer \(\w+\)") as caught:
        bucket_at("models", "http://127.0.0.1:1").put_if_absent("x", b"")
    assert "Signature" not in str(caught.value)


def test_no_credentials_at_all_are_told_and_a_broken_credentials_file_is_not_quoted(
    s3_endpoint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    for content in ("", f"aws_secret_access_key = {SECRET}", "[default]\naws_access_key_id = x"):
        (tmp_path / "credentials").write_text(content)
        monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
        with pytest.raises(
            StorageError, match="expected credentials for S3, got none that can be read; set AWS_ACC"
        ) as caught:
            bucket_at("models", s3_endpoint)
        assert SECRET not in str(caught.value)
        assert caught.value.__suppress_context__


def test_credentials_may_come_from_minios_variables_or_the_aws_file(
    bucket: str, s3_endpoint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    (tmp_path / "credentials").write_text(
        f"[default]\naws_access_key_id = {KEY_ID}\naws_secret_access_key = {SECRET}\n"
    )
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    assert list(bucket_at(bucket, s3_endpoint).keys("")) == []
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "nothing"))
    monkeypatch.setenv("MINIO_ACCESS_KEY", KEY_ID)
    monkeypatch.setenv("MINIO_SECRET_KEY", SECRET)
    assert list(bucket_at(bucket, s3_endpoint).keys("")) == []


def test_without_the_minio_client_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "minio", None)
    with pytest.raises(StorageError, match=r"expected the minio client for s3:// URIs, .*; install robustcert\[s3\]"):
        bucket_at("models", "http://127.0.0.1:1")
