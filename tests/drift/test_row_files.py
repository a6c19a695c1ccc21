"""Files of a window are found, named and hashed; hashlib is the oracle. S3 is tried in test_rows.py."""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path

import pytest

from robustcert.drift import row_files as module
from robustcert.drift.row_files import row_files
from robustcert.errors import DataError, InputError


def test_one_file_has_its_digest(tmp_path: Path) -> None:
    (tmp_path / "w.csv").write_bytes(b"a,b\n")
    with row_files(str(tmp_path / "w.csv")) as found:
        assert (found.source, found.folder, len(found.files)) == ("w.csv", False, 1)
        assert found.files[0].sha256 == hashlib.sha256(b"a,b\n").hexdigest()
        found.files[0].refuse_changed()
        (tmp_path / "w.csv").write_bytes(b"a,c\n...")
        with pytest.raises(DataError, match="other bytes; run again"):
            found.files[0].refuse_changed()
        (tmp_path / "w.csv").unlink()
        with pytest.raises(DataError, match="nothing there"):
            found.files[0].refuse_changed()


def test_a_folders_files_are_sorted_by_name(tmp_path: Path) -> None:
    for name in ("b.parquet", "a/z.parquet", "a.parquet", "_x.parquet", "c.txt"):
        (tmp_path / "log" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "log" / name).write_text(name)
    with row_files(str(tmp_path / "log")) as found:
        assert (found.source, found.folder) == ("log", True)
        assert [file.name for file in found.files] == ["a.parquet", "a/z.parquet", "b.parquet"]


def test_a_folder_without_or_with_too_many_files_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DataError, match="got none"), row_files(str(tmp_path)):
        pass
    for number in range(4):
        (tmp_path / f"{number}.parquet").write_text("")
    monkeypatch.setattr(module, "MOST_FILES", 3)
    with pytest.raises(DataError, match="1 to 3 Parquet files"), row_files(str(tmp_path)):
        pass


@pytest.mark.parametrize("uri", ["", "a\0b", "nowhere/w.parquet", "w.parquet/x.parquet"])
def test_what_is_not_there_is_told_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, uri: str) -> None:
    monkeypatch.chdir(tmp_path)
    Path("w.parquet").write_text("a file")
    with pytest.raises(DataError, match="expected"), row_files(uri):
        pass


@pytest.mark.parametrize("uri", ["s3://", "s3://user:word@bucket/x.parquet", "s3://bucket/x?secret=word"])
def test_a_wrong_s3_uri_is_refused_without_its_secrets(uri: str) -> None:
    with pytest.raises(InputError) as found, row_files(uri):
        pass
    assert "word" not in str(found.value)


def test_a_pipe_and_a_pickle_are_never_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "w.parquet")
    (tmp_path / "w.pkl").write_bytes(b"cos\nsystem\n")
    for name, message in (("w.parquet", "a file or a folder of rows"), ("w.pkl", "pickles")):
        with pytest.raises(DataError, match=message), row_files(str(tmp_path / name)):
            pass


def test_a_file_that_may_not_be_read_is_refused() -> None:
    """Root, who may read everything, becomes nobody meanwhile; pytest's own folders are for their user alone."""
    user = os.geteuid()
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        path = Path(folder) / "w.parquet"
        path.write_text("secret")
        path.chmod(0o000)
        if user == 0:
            os.seteuid(65534)
        try:
            with pytest.raises(DataError, match="Permission denied"), row_files(str(path)):
                pass
        finally:
            os.seteuid(user)
