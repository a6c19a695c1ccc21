"""Oracle: hashlib, and what lies on the disk."""

import errno
import hashlib
import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from robustcert.errors import InputError, StorageError
from robustcert.storage.folder import FolderStore

DATA = b"the bytes of a model"
DIGEST = hashlib.sha256(DATA).hexdigest()
NOW = datetime(2025, 6, 1, tzinfo=UTC)


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path / "store")


def files(root: Path) -> dict[str, bytes]:
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def object_path(store: FolderStore, digest: str = DIGEST) -> Path:
    return store.root / "objects" / "sha256" / digest[:2] / digest


def test_bytes_and_files_come_back_under_their_digest(store: FolderStore, tmp_path: Path) -> None:
    (tmp_path / "model").write_bytes(DATA)
    assert store.put_bytes(DATA) == store.put_file(tmp_path / "model") == DIGEST
    assert store.read_bytes(DIGEST) == DATA
    store.fetch(DIGEST, tmp_path / "new" / "copy")
    assert (tmp_path / "new" / "copy").read_bytes() == DATA
    assert files(store.root) == {f"objects/sha256/{DIGEST[:2]}/{DIGEST}": DATA}


def test_a_large_file_is_stored_in_pieces(store: FolderStore, tmp_path: Path) -> None:
    data = os.urandom(5 << 20)
    (tmp_path / "model").write_bytes(data)
    digest = store.put_file(tmp_path / "model")
    assert digest == hashlib.sha256(data).hexdigest()
    assert object_path(store, digest).read_bytes() == data


def test_an_object_that_is_there_is_not_written_again(store: FolderStore) -> None:
    store.put_bytes(DATA)
    before = object_path(store).stat()
    store.put_bytes(DATA)
    assert object_path(store).stat().st_ino == before.st_ino


def test_an_empty_store_holds_nothing_and_is_not_made_by_asking(store: FolderStore) -> None:
    assert not store.has(DIGEST)
    assert not store.intact(DIGEST)
    assert store.read_document("runs/1/record.json") is None
    assert store.list_documents("") == []
    assert store.sweep(now=NOW) == 0
    assert not store.root.exists()


def test_a_missing_object_is_named(store: FolderStore, tmp_path: Path) -> None:
    for attempt in (lambda: store.read_bytes(DIGEST), lambda: store.fetch(DIGEST, tmp_path / "copy")):
        with pytest.raises(StorageError, match=f"expected object {DIGEST} in file://.*/store, got no such object"):
            attempt()
    assert not (tmp_path / "copy").exists()


@pytest.mark.parametrize("damage", [b"", DATA[:-1], DATA + b"\n", b"T" + DATA[1:]])
def test_a_damaged_object_is_detected_named_and_healed_by_the_next_put(
    store: FolderStore, tmp_path: Path, damage: bytes
) -> None:
    store.put_bytes(DATA)
    object_path(store).write_bytes(damage)
    (tmp_path / "copy").write_bytes(b"old")
    for attempt in (lambda: store.read_bytes(DIGEST), lambda: store.fetch(DIGEST, tmp_path / "copy")):
        with pytest.raises(
            StorageError, match=f"expected object {DIGEST} of .*/store as it was stored, got bytes with SHA"
        ):
            attempt()
    assert files(tmp_path)["copy"] == b"old"
    assert store.has(DIGEST)
    assert not store.intact(DIGEST)
    store.put_bytes(DATA)
    assert store.read_bytes(DIGEST) == DATA


def test_a_document_is_replaced_whole(store: FolderStore) -> None:
    store.write_document("runs/1/record.json", b"long first version")
    store.write_document("runs/1/record.json", b"second")
    assert store.read_document("runs/1/record.json") == b"second"
    assert files(store.root) == {"runs/1/record.json": b"second"}


def test_a_document_written_once_is_never_replaced(store: FolderStore) -> None:
    store.write_document_once("certificates/a.json", b"first")
    store.write_document_once("certificates/a.json", b"first")
    with pytest.raises(
        StorageError, match=r"document 'certificates/a.json' of .* to be new, got other bytes .*another name"
    ):
        store.write_document_once("certificates/a.json", b"second")
    assert files(store.root) == {"certificates/a.json": b"first"}


def test_of_many_writers_of_one_document_exactly_one_succeeds(store: FolderStore) -> None:
    def attempt(number: int) -> bytes | None:
        try:
            store.write_document_once("certificates/a.json", b"%d" % number)
        except StorageError:
            return None
        return b"%d" % number

    with ThreadPoolExecutor(8) as pool:
        written = [data for data in pool.map(attempt, range(40)) if data is not None]
    assert written == [store.read_document("certificates/a.json")]


def test_documents_are_listed_by_prefix_and_objects_and_drafts_are_not(store: FolderStore) -> None:
    store.put_bytes(DATA)
    for name in ("runs/b/record.json", "runs/a/record.json", "runs-old/a.json", "steps/objects/k.json", "index.json"):
        store.write_document(name, b"{}")
    (store.root / "runs" / ".hidden").write_bytes(b"")
    (store.root / ".drafts" / "x.part").write_bytes(b"")
    everything = ["index.json", "runs-old/a.json", "runs/a/record.json", "runs/b/record.json", "steps/objects/k.json"]
    assert store.list_documents("") == everything
    assert store.list_documents("runs/") == ["runs/a/record.json", "runs/b/record.json"]
    assert store.list_documents("runs") == ["runs-old/a.json", "runs/a/record.json", "runs/b/record.json"]
    assert store.list_documents("runs/b/rec") == ["runs/b/record.json"]
    assert store.list_documents("certificates/") == []


@pytest.mark.parametrize("name", ["../escape", "/etc/passwd", "objects/sha256/x", "a/../../b"])
def test_a_name_that_leaves_the_store_is_refused_by_every_call(store: FolderStore, tmp_path: Path, name: str) -> None:
    for attempt in (
        lambda: store.write_document(name, b"x"),
        lambda: store.write_document_once(name, b"x"),
        lambda: store.read_document(name),
        lambda: store.list_documents(name),
    ):
        with pytest.raises(InputError, match="expected a document name"):
            attempt()
    assert files(tmp_path) == {}


def test_a_digest_that_leaves_the_store_is_refused_by_every_call(store: FolderStore, tmp_path: Path) -> None:
    digest = "../../etc/passwd"
    for attempt in (
        lambda: store.has(digest),
        lambda: store.intact(digest),
        lambda: store.read_bytes(digest),
        lambda: store.fetch(digest, tmp_path / "copy"),
        lambda: store.uri_of(digest),
    ):
        with pytest.raises(InputError, match="expected 64 lower-case hexadecimal digits"):
            attempt()


def test_an_objects_uri_leads_to_its_bytes(store: FolderStore) -> None:
    store.put_bytes(DATA)
    assert Path(store.uri_of(DIGEST).removeprefix("file://")).read_bytes() == DATA


def test_only_leftovers_older_than_a_day_are_swept(store: FolderStore) -> None:
    store.put_bytes(DATA)
    for name, age in {"old.part": timedelta(days=1, seconds=1), "young.part": timedelta(hours=23)}.items():
        path = store.root / ".drafts" / f".{name}"
        path.write_bytes(b"half")
        os.utime(path, times=((NOW - age).timestamp(),) * 2)
    assert store.sweep(now=NOW) == 1
    assert sorted(files(store.root)) == [".drafts/.young.part", f"objects/sha256/{DIGEST[:2]}/{DIGEST}"]


def test_many_threads_may_store_and_fetch_the_same_object(store: FolderStore, tmp_path: Path) -> None:
    datas = [bytes([number % 4]) * 100_000 for number in range(32)]

    def store_and_fetch(number: int) -> bytes:
        digest = store.put_bytes(datas[number])
        store.fetch(digest, tmp_path / f"copy-{number % 4}")
        return store.read_bytes(digest)

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(store_and_fetch, range(32))) == datas
    assert len(files(store.root)) == 4


def test_processes_that_write_the_same_document_leave_one_whole_version(store: FolderStore) -> None:
    script = (
        "import sys; from pathlib import Path; from robustcert.storage.folder import FolderStore\n"
        "store = FolderStore(Path(sys.argv[1]))\n"
        "for turn in range(30): store.write_document('runs/1/record.json', sys.argv[2].encode() * 50_000)\n"
    )
    writers = [subprocess.Popen([sys.executable, "-c", script, store.root, letter]) for letter in "abc"]
    seen = set()
    while any(writer.poll() is None for writer in writers):
        seen.add(store.read_document("runs/1/record.json"))
    assert [writer.returncode for writer in writers] == [0, 0, 0]
    assert seen - {None} <= {letter * 50_000 for letter in (b"a", b"b", b"c")}
    assert list(files(store.root)) == ["runs/1/record.json"]


def test_a_read_only_folder_is_told_in_one_line(read_only_folder: Path) -> None:
    for store in (FolderStore(read_only_folder), FolderStore(read_only_folder / "new")):
        for attempt in (lambda s=store: s.put_bytes(DATA), lambda s=store: s.write_document("runs/1/r.json", b"{}")):
            with pytest.raises(
                StorageError, match=r"expected a writable store, got 'Permission denied' at .*owner and mode"
            ):
                attempt()
    assert list(read_only_folder.iterdir()) == []


def test_a_target_that_is_a_folder_is_told_and_nothing_is_left(store: FolderStore, tmp_path: Path) -> None:
    store.put_bytes(DATA)
    (tmp_path / "target").mkdir()
    with pytest.raises(StorageError, match=f"expected to fetch object {DIGEST}, got 'Is a directory' at .*/target"):
        store.fetch(DIGEST, tmp_path / "target")
    assert list(files(tmp_path)) == [f"store/objects/sha256/{DIGEST[:2]}/{DIGEST}"]


def test_a_file_where_the_store_should_be_is_told_in_one_line(store: FolderStore) -> None:
    (store.root.parent / "store").write_bytes(b"a file, not a folder")
    for attempt in (
        lambda: store.put_bytes(DATA),
        lambda: store.read_document("runs/1/r.json"),
        lambda: store.list_documents(""),
    ):
        with pytest.raises(
            StorageError, match=r"expected a (writable|readable) store, got '(Not a directory|File exists)'"
        ):
            attempt()


def test_a_full_disk_is_told_and_leaves_nothing_half_written(
    store: FolderStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.write_document("runs/1/record.json", b"old")
    before, write = files(tmp_path), os.write

    def write_half(descriptor: int, data: memoryview) -> int:
        if len(data) < 4:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(descriptor, data[: len(data) // 2])

    monkeypatch.setattr(os, "write", write_half)
    for attempt in (
        lambda: store.put_bytes(DATA),
        lambda: store.write_document("runs/1/record.json", DATA),
        lambda: store.write_document_once("runs/2/record.json", DATA),
    ):
        with pytest.raises(
            StorageError, match=r"expected a writable store, got 'No space left on device' at .*free space"
        ):
            attempt()
    assert files(tmp_path) == before


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_write_that_the_system_itself_refuses_leaves_nothing_half_written(store: FolderStore, tmp_path: Path) -> None:
    with (
        largest_file(100_000),
        pytest.raises(StorageError, match=r"got 'File too large' at .*raise the limit on file sizes"),
    ):
        store.put_bytes(bytes(1 << 20))
    assert files(tmp_path) == {}


def test_a_source_that_is_missing_or_a_folder_is_told(store: FolderStore, tmp_path: Path) -> None:
    with pytest.raises(
        StorageError, match=r"expected a readable file to store, got 'No such file or directory' at .*/nothing"
    ):
        store.put_file(tmp_path / "nothing")
    with pytest.raises(StorageError, match="expected a readable file to store, got 'Is a directory'"):
        store.put_file(tmp_path)


def test_a_source_that_changes_while_it_is_stored_is_refused(
    store: FolderStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "model").write_bytes(DATA)
    monkeypatch.setattr("robustcert.storage.folder.sha256_file", lambda path: "0" * 64)
    with pytest.raises(StorageError, match=f"expected object {'0' * 64} of .* as it was stored"):
        store.put_file(tmp_path / "model")
    assert files(store.root) == {}
