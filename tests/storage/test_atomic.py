import errno
import hashlib
import os
import stat
from pathlib import Path

import pytest

from robustcert.errors import StorageError
from robustcert.storage.atomic import disk_failure, draft, make_folder, read_chunks, write_new, write_whole


def test_a_file_appears_under_its_name_with_all_its_bytes(tmp_path: Path) -> None:
    target = tmp_path / "file"
    with draft(tmp_path) as part:
        digest = part.write([b"one", b"", b"two"])
        assert not target.exists()
        part.replace(target)
    assert target.read_bytes() == b"onetwo"
    assert digest == hashlib.sha256(b"onetwo").hexdigest()
    assert list(tmp_path.iterdir()) == [target]


def test_a_writer_that_fails_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"old")
    with draft(tmp_path) as part, pytest.raises(ZeroDivisionError):
        part.write(bytes(1 // number) for number in (1, 0))
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"old"]


def test_a_link_never_takes_the_place_of_a_file(tmp_path: Path) -> None:
    with draft(tmp_path) as part:
        part.link(tmp_path / "file")
    with draft(tmp_path) as part, pytest.raises(FileExistsError):
        part.link(tmp_path / "file")
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b""]


@pytest.mark.parametrize(
    ("umask", "permissions", "mode"), [(0o027, None, 0o640), (0o777, 0o644, 0o644), (0, 0o600, 0o600)]
)
def test_permissions_are_those_asked_for_or_what_the_umask_leaves(
    tmp_path: Path, umask: int, permissions: int | None, mode: int
) -> None:
    before = os.umask(umask)
    try:
        with draft(tmp_path, permissions=permissions) as part:
            part.replace(tmp_path / "file")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == mode


def test_bytes_that_the_system_takes_in_pieces_are_all_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: write(descriptor, data[:3]))
    with draft(tmp_path) as part:
        part.write([b"0123456789"])
        part.replace(tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == b"0123456789"


def test_chunks_are_the_file(tmp_path: Path) -> None:
    data = os.urandom((1 << 21) + 17)
    (tmp_path / "file").write_bytes(data)
    chunks = list(read_chunks(tmp_path / "file"))
    assert b"".join(chunks) == data
    assert len(chunks) == 3


def test_folders_are_made_with_their_parents_and_may_exist(tmp_path: Path) -> None:
    make_folder(tmp_path / "a" / "b")
    make_folder(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b").is_dir()


def test_a_file_in_the_way_of_a_folder_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"")
    with pytest.raises(FileExistsError):
        make_folder(tmp_path / "a")


@pytest.mark.parametrize(
    ("code", "remedy"),
    [
        (errno.ENOSPC, "free space there or choose another folder"),
        (errno.EROFS, "choose a folder on a writable file system"),
        (errno.EACCES, "check owner and mode, or choose another folder"),
        (errno.EIO, "check that path and its disk"),
    ],
)
def test_a_disk_failure_says_what_the_system_said_and_what_to_do(code: int, remedy: str) -> None:
    text = disk_failure(OSError(code, os.strerror(code)), wanted="to write", path=Path("/x"))
    assert text == f"expected to write, got '{os.strerror(code)}' at '/x'; {remedy}"


def test_a_disk_failure_names_the_file_at_fault_but_never_a_draft() -> None:
    other = OSError(errno.EACCES, "Permission denied", "/y")
    part = OSError(errno.EACCES, "Permission denied", "/y/.00.part")
    assert "at '/y'" in disk_failure(other, wanted="to write", path=Path("/x"))
    assert "at '/x'" in disk_failure(part, wanted="to write", path=Path("/x"))


def test_a_whole_file_replaces_another_and_a_new_one_does_not(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_new(path, b"first")
    with pytest.raises(StorageError, match="expected to write file, got 'File exists'"):
        write_new(path, b"second")
    assert path.read_bytes() == b"first"
    write_whole(path, b"third")
    assert path.read_bytes() == b"third"
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_leaves_the_file_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int, data: bytes) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    write_whole(tmp_path / "file", b"before")
    monkeypatch.setattr(os, "write", full)
    with pytest.raises(StorageError, match="No space left on device"):
        write_whole(tmp_path / "file", b"after")
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"before"]
