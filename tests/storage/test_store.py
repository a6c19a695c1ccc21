import hashlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest

from robustcert.errors import InputError, RobustcertError, StorageError
from robustcert.storage.finished_steps import once
from robustcert.storage.folder import FolderStore
from robustcert.storage.s3 import S3Store
from robustcert.storage.store import Store, open_store

NOW = datetime(2025, 6, 1, tzinfo=UTC)


@pytest.fixture(params=["folder", "s3", pytest.param("real s3", marks=pytest.mark.real_s3)])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    """One empty store of each kind; s3 is moto's, a mock, and real s3 is Ceph's."""
    if request.param == "folder":
        return open_store(str(tmp_path / "store"))
    if request.param == "real s3":
        return open_store(request.getfixturevalue("real_bucket").uri("some/prefix"))
    bucket, endpoint = request.getfixturevalue("bucket"), request.getfixturevalue("s3_endpoint")
    return open_store(f"s3://{bucket}/some/prefix?endpoint={endpoint}")


def test_a_path_and_a_file_uri_open_the_same_folder(tmp_path: Path) -> None:
    by_path, by_uri = open_store(str(tmp_path / "a b")), open_store((tmp_path / "a b").as_uri())
    digest = by_path.put_bytes(b"x")
    assert by_uri.read_bytes(digest) == b"x"
    assert by_path.uri == by_uri.uri == (tmp_path / "a b").as_uri()


def test_a_relative_path_stays_where_it_was_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    store = open_store("store")
    monkeypatch.chdir("/")
    store.write_document("runs/1/record.json", b"{}")
    assert (tmp_path / "store" / "runs" / "1" / "record.json").read_bytes() == b"{}"


def test_the_uri_decides_the_kind_of_store(tmp_path: Path, bucket: str, s3_endpoint: str) -> None:
    assert isinstance(open_store(str(tmp_path)), FolderStore)
    assert isinstance(open_store(f"s3://{bucket}?endpoint={s3_endpoint}"), S3Store)


@pytest.mark.parametrize(
    "uri", ["", "gs://bucket/x", "http://host/x", "file://host/x", "file://", "file:///x?y=1", "://x"]
)
def test_any_other_uri_is_refused(uri: str) -> None:
    with pytest.raises(InputError, match=r"expected a folder, file:///path or s3://bucket/prefix as store, got"):
        open_store(uri)


def test_a_file_is_no_store(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StorageError, match=r"expected a folder as store, got a file at '.*/file'; name a folder"):
        open_store(str(tmp_path / "file"))
    with pytest.raises(StorageError, match=r"expected a folder as store, got 'Not a directory' at '.*/file/store'"):
        open_store(str(tmp_path / "file" / "store"))
    with pytest.raises(StorageError, match="expected a folder as store, got 'File name too long'"):
        open_store(str(tmp_path / ("x" * 300)))


def test_all_stores_keep_the_same_things_in_the_same_way(store: Store, tmp_path: Path) -> None:
    (tmp_path / "model").write_bytes(b"model")
    digest = store.put_file(tmp_path / "model")
    assert digest == store.put_bytes(b"model")
    store.fetch(digest, tmp_path / "copy")
    store.write_document("runs/1/record.json", b"{}")
    store.write_document_once("certificates/a.json", b"[]")
    assert (tmp_path / "copy").read_bytes() == store.read_bytes(digest) == b"model"
    assert (store.has(digest), store.intact(digest), store.has("0" * 64), store.intact("0" * 64)) == (
        True,
        True,
        False,
        False,
    )
    assert store.list_documents("") == ["certificates/a.json", "runs/1/record.json"]
    assert store.list_documents("runs/") == ["runs/1/record.json"]
    assert store.read_document("runs/1/record.json") == b"{}"
    assert store.read_document("runs/2/record.json") is None


def test_all_stores_refuse_the_same_things_with_the_same_errors(store: Store, tmp_path: Path) -> None:
    store.write_document_once("certificates/a.json", b"[]")
    attempts: list[tuple[Callable[[], object], type[RobustcertError], str]] = [
        (lambda: store.write_document_once("certificates/a.json", b"{}"), StorageError, "other bytes under that name"),
        (lambda: store.read_bytes("0" * 64), StorageError, f"expected object {'0' * 64} in .* got no such object"),
        (lambda: store.fetch("0" * 64, tmp_path / "copy"), StorageError, "got no such object; run again to make it"),
        (lambda: store.put_file(tmp_path / "nothing"), StorageError, "expected a readable file to store"),
        (lambda: store.write_document("../x", b""), InputError, "expected a document name"),
        (lambda: store.has("x"), InputError, "expected 64 lower-case hexadecimal digits"),
    ]
    for attempt, kind, message in attempts:
        with pytest.raises(kind, match=message) as caught:
            attempt()
        assert "\n" not in str(caught.value)


def test_all_stores_hold_what_many_threads_write_at_once(store: Store) -> None:
    datas = [bytes([number % 4]) * 100_000 for number in range(16)]
    with ThreadPoolExecutor(8) as pool:
        digests = list(pool.map(store.put_bytes, datas))
    assert digests == [hashlib.sha256(data).hexdigest() for data in datas]
    assert [store.read_bytes(digest) for digest in digests] == datas


def test_of_many_writers_of_one_document_exactly_one_succeeds_in_every_store(store: Store) -> None:
    def attempt(number: int) -> bytes | None:
        try:
            store.write_document_once("certificates/a.json", b"%d" % number)
        except StorageError:
            return None
        return b"%d" % number

    with ThreadPoolExecutor(8) as pool:
        written = [data for data in pool.map(attempt, range(16)) if data is not None]
    assert written == [store.read_document("certificates/a.json")]


def test_all_stores_keep_a_finished_step_with_and_without_outputs(store: Store, tmp_path: Path) -> None:
    runs: list[int] = []

    def run() -> dict[str, object]:
        runs.append(1)
        (tmp_path / "model").write_bytes(b"weights")
        return {"rows": [1, 2]}

    for outputs in ({}, {"model": tmp_path / "model"}):
        for _ in range(2):
            outcome = once(
                store, step="block", inputs={"outputs": len(outputs)}, outputs=outputs, run=run, clock=lambda: NOW
            )
        assert (outcome.reused, outcome.values) == (True, {"rows": [1, 2]})
    assert len(runs) == 2


def test_a_path_that_no_folder_can_have_is_one_line() -> None:
    with pytest.raises(InputError, match=r"expected a folder as store, got '/store\\x00'"):
        open_store("/store\0")
