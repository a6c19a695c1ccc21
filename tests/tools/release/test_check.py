"""What a user's check refuses: a release of three small files, changed in every way."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from robustcert.certificate.keys import new_key, write_key_pair
from tests.tools.release.work_trees import ROOT
from tools.release import checksums, provenance
from tools.release.check import main

COMMIT = "0123456789" * 4


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "release"
    folder.mkdir()
    for name in ("a.whl", "b.tgz", "c.cdx.json"):
        (folder / name).write_text(name)
    checksums.write(folder)
    key = new_key("ed25519")
    write_key_pair(tmp_path / "key", key, passphrase=None)
    said = provenance.statement(
        folder, version="1.2.3", digests={}, commit=COMMIT, epoch=1, builder="urn:me", checkout=ROOT
    )
    provenance.write(folder, said, key=key)
    return folder


def test_files_as_released_are_named_with_their_origin(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(folder), "--key", str(folder.parent / "key.pub")]) == 0
    signed = f"signed: release 1.2.3, made from commit {COMMIT} by urn:me"
    assert capsys.readouterr().out.splitlines() == ["3 files are as SHA256SUMS says", signed]


def test_without_a_key_it_says_what_stays_open(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(folder)]) == 0
    assert capsys.readouterr().out.splitlines()[1] == "not established who made them: give --key"


def change(folder: Path) -> None:
    (folder / "a.whl").write_text("other")


def remove(folder: Path) -> None:
    (folder / "b.tgz").unlink()


def add(folder: Path) -> None:
    (folder / "d.whl").write_text("more")


def change_both(folder: Path) -> None:
    """What somebody does who can write to the place that the release is downloaded from."""
    change(folder)
    (folder / provenance.SIGNED).rename(folder.parent / "signed")
    checksums.write(folder)
    (folder.parent / "signed").rename(folder / provenance.SIGNED)


def unsign(folder: Path) -> None:
    (folder / provenance.SIGNED).unlink()


def change_the_statement(folder: Path) -> None:
    path = folder / provenance.SIGNED
    path.write_bytes(path.read_bytes().replace(b'"payload":"ey', b'"payload":"eY'))


@pytest.mark.parametrize(
    ("attack", "reason"),
    [
        (change, "of a.whl, got another; download it again; do not use it"),
        (remove, "expected b.tgz as SHA256SUMS says, got no such file; download the release again"),
        (add, "expected d.whl as SHA256SUMS says, got a file that it does not name"),
        (change_both, "expected the files that were signed, got others; do not use the files"),
        (unsign, "expected provenance.dsse.json beside the files, got No such file or directory; download it"),
        (change_the_statement, "expected a signature that holds, got one that does not"),
    ],
)
def test_whatever_is_changed_is_refused(
    folder: Path, capsys: pytest.CaptureFixture[str], attack: Callable[[Path], None], reason: str
) -> None:
    attack(folder)
    assert main([str(folder), "--key", str(folder.parent / "key.pub")]) == 1
    printed = capsys.readouterr().out
    assert printed.startswith("REFUSED: expected ")
    assert reason in printed
    assert printed.count("\n") == 1


def test_the_key_of_another_is_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_key_pair(folder.parent / "other", new_key("ed25519"), passphrase=None)
    assert main([str(folder), "--key", str(folder.parent / "other.pub")]) == 1
    assert "got one by another key" in capsys.readouterr().out


@pytest.mark.parametrize("kind", ["folder", "link to nothing", "pipe"])
def test_what_is_no_file_is_refused_and_not_read(folder: Path, capsys: pytest.CaptureFixture[str], kind: str) -> None:
    path = folder / "b.tgz"
    path.unlink()
    {"folder": path.mkdir, "link to nothing": lambda: path.symlink_to("nothing"), "pipe": lambda: os.mkfifo(path)}[
        kind
    ]()
    assert main([str(folder)]) == 1
    assert capsys.readouterr().out == (
        "REFUSED: expected a file b.tgz, got something else; download the release again\n"
    )


@pytest.mark.parametrize("text", ["", "x\n", f"{'0' * 64}  ../a\n", f"{'0' * 64}  a\n{'1' * 64}  a\n"])
def test_sums_of_another_form_are_wrong_usage(folder: Path, capsys: pytest.CaptureFixture[str], text: str) -> None:
    (folder / "SHA256SUMS").write_text(text)
    assert main([str(folder)]) == 2
    assert "expected lines 'DIGEST  NAME' in '" in capsys.readouterr().err
