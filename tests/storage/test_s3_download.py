"""Oracle: the bytes that the scripted server holds."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from robustcert.errors import StorageError
from robustcert.storage.s3 import S3Store, fetch_object
from robustcert.storage.s3_download import RESUMPTIONS
from tests.storage.scripted_server import Answer, Script, refusal, scripted_server

MIB = 1 << 20
DATA = bytes(range(256)) * (10 * MIB // 1024)  # of two chunks and a half
TAG = {"ETag": '"version-1"'}


def cut(data: bytes, *, at: int, start: int = 0) -> Answer:
    """The bytes from `start` to `at`, where all from `start` on were promised."""
    place = {"Content-Range": f"bytes {start}-{len(data) - 1}/{len(data)}"} if start else {}
    return Answer(
        status=206 if start else 200,
        body=data[start:at],
        announced=len(data) - start,
        headers={**TAG, **place},
        kind="application/octet-stream",
    )


@contextmanager
def fetched(target: Path, *answers: Answer) -> Iterator[Script]:
    with scripted_server(*answers) as server:
        fetch_object(f"s3://models/x?endpoint={server.endpoint}&region=r", target)
        yield server


def test_a_download_that_is_cut_off_goes_on_where_it_stopped_and_in_the_same_version(
    credentials: None, tmp_path: Path
) -> None:
    first, second = cut(DATA, at=MIB + 10), cut(DATA, start=MIB, at=MIB + 5)
    with fetched(tmp_path / "file", first, second, cut(DATA, start=MIB, at=len(DATA))) as server:
        assert (tmp_path / "file").read_bytes() == DATA
    asked = [(headers.get("range"), headers.get("if-match")) for _, _, headers in server.asked]
    assert asked == [(None, None), (f"bytes={MIB}-", TAG["ETag"]), (f"bytes={MIB}-", TAG["ETag"])]


def test_a_download_that_stays_cut_off_is_given_up_and_leaves_no_file(credentials: None, tmp_path: Path) -> None:
    message = "got a download that was cut off; try again"
    with (
        scripted_server(cut(DATA, at=MIB), cut(DATA, start=MIB, at=MIB)) as server,
        pytest.raises(StorageError, match=message),
    ):
        fetch_object(f"s3://models/x?endpoint={server.endpoint}&region=r", tmp_path / "file")
    assert len(server.asked) == 1 + RESUMPTIONS
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("second", "message"),
    [
        (refusal("PreconditionFailed", status=412), "got an object that changed while it was read; try again"),
        (refusal("NoSuchKey", status=404), "got no such object; check bucket and key"),
        (cut(DATA, at=len(DATA)), "got a download that was cut off; try again"),
        (cut(DATA, start=10, at=len(DATA)), "got a download that was cut off; try again"),
    ],
)
def test_what_can_not_be_resumed_is_told_and_leaves_no_file(
    credentials: None, tmp_path: Path, second: Answer, message: str
) -> None:
    with scripted_server(cut(DATA, at=MIB), second) as server, pytest.raises(StorageError, match=message):
        fetch_object(f"s3://models/x?endpoint={server.endpoint}&region=r", tmp_path / "file")
    assert list(tmp_path.iterdir()) == []


def test_a_document_that_was_cut_off_is_never_taken_for_whole(credentials: None) -> None:
    with scripted_server(cut(DATA, at=MIB), cut(DATA, start=MIB, at=len(DATA))) as server:
        assert S3Store(f"s3://models?endpoint={server.endpoint}&region=r").read_document("x") == DATA
