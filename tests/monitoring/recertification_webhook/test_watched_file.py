"""Secrets in files that are replaced while we run."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from monitoring.recertification_webhook.watched_file import WatchedFile, one_secret
from robustcert.errors import KeyFileError

FIRST, SECOND = "a" * 32, "b" * 32


def test_a_file_is_parsed_once_and_again_when_it_has_changed(tmp_path: Path) -> None:
    path, parsed = tmp_path / "secret", []
    path.write_text(FIRST)
    file = WatchedFile(path, parse=lambda text, _: parsed.append(text) or text)
    assert [file.value(), file.value()] == [FIRST, FIRST]
    assert parsed == [FIRST]
    path.write_text(SECOND)
    assert file.value() == SECOND


def test_a_file_behind_a_replaced_link_is_read_again_though_size_and_time_are_the_same(tmp_path: Path) -> None:
    """As Kubernetes updates a mounted secret."""
    for name, text in (("one", FIRST), ("two", SECOND)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "secret").write_text(text)
        os.utime(tmp_path / name / "secret", (1_700_000_000, 1_700_000_000))
    link = tmp_path / "data"
    link.symlink_to("one")
    file = WatchedFile(link / "secret", parse=one_secret)
    assert file.value() == FIRST.encode()
    (tmp_path / "next").symlink_to("two")
    (tmp_path / "next").replace(link)
    assert file.value() == SECOND.encode()


def test_a_file_that_went_away_gives_no_old_secret(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text(FIRST)
    file = WatchedFile(path, parse=one_secret)
    file.value()
    path.unlink()
    with pytest.raises(KeyFileError, match="can't be read \\(No such file or directory\\)"):
        file.value()


@pytest.mark.parametrize("text", ["", "\n", "short", f"{FIRST} {SECOND}", f"{FIRST}\n{SECOND}\n"])
def test_a_file_without_one_long_secret_is_refused_without_its_text(tmp_path: Path, text: str) -> None:
    path = tmp_path / "file"
    path.write_text(text)
    with pytest.raises(KeyFileError, match="expected one secret of 16 characters or more") as raised:
        WatchedFile(path, parse=one_secret).value()
    assert FIRST not in str(raised.value)


@pytest.mark.parametrize("content", ["ü".encode() * 20, b"a" * 70_000])
def test_a_file_that_is_no_short_text_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(KeyFileError, match="expected a short file of ASCII text"):
        WatchedFile(path, parse=one_secret).value()
