"""git as a release uses it, on real work trees."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from robustcert.errors import InputError, WorldError
from tests.tools.release.work_trees import git
from tools.release.__main__ import main, put_in_place
from tools.release.checkout import Checkout


def changed_copy(little: Path, folder: Path) -> Checkout:
    copy = Checkout(root=little).copy(folder)
    (copy.root / "new.txt").write_text("new")
    assert copy.commit("Release 0.5.0", epoch=1_700_000_000) == ["new.txt"]
    return copy


def test_a_copy_gets_the_commit_with_its_time_and_the_checkout_takes_it_over(little: Path, tmp_path: Path) -> None:
    checkout = Checkout(root=little)
    before = checkout.head
    copy = changed_copy(little, tmp_path / "copy")
    assert (checkout.head, checkout.changes) == (before, [])
    checkout.take(copy)
    assert (checkout.head, checkout.changes, (little / "new.txt").read_text()) == (copy.head, [], "new")
    assert (checkout.committed_at, git(little, "log", "-1", "--format=%s %an")) == (1_700_000_000, "Release 0.5.0 Ann")


def test_where_the_checkout_cannot_follow_neither_it_nor_the_folder_of_files_changes(
    little: Path, tmp_path: Path
) -> None:
    copy = changed_copy(little, tmp_path / "copy")
    git(little, "commit", "--quiet", "--allow-empty", "--message", "Meanwhile")
    checkout, files = Checkout(root=little), tmp_path / "files"
    before = checkout.head
    files.mkdir()
    (files / "a").write_text("a")
    with pytest.raises(WorldError, match=r"expected git merge to succeed, got .*fast-forward"):
        put_in_place(files, tmp_path / "out/release", checkout, copy)
    assert (checkout.head, checkout.changes) == (before, [])
    assert list((tmp_path / "out").iterdir()) == []


def test_what_is_stopped_before_the_last_step_is_finished_by_the_next_call(
    little: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy, checkout, files = changed_copy(little, tmp_path / "copy"), Checkout(root=little), tmp_path / "files"
    files.mkdir()
    (files / "a").write_text("a")
    with monkeypatch.context() as stopped:
        stopped.setattr(Path, "replace", _interrupt)
        with pytest.raises(KeyboardInterrupt):
            put_in_place(files, tmp_path / "out/release", checkout, copy)
    assert (checkout.head, list((tmp_path / "out").iterdir())) == (copy.head, [])
    put_in_place(files, tmp_path / "out/release", checkout, copy)
    assert [path.name for path in (tmp_path / "out").rglob("*")] == ["release", "a"]


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def test_changes_name_new_and_changed_files(little: Path) -> None:
    (little / "CHANGELOG.md").write_text("x")
    (little / "b.txt").write_text("x")
    assert Checkout(root=little).changes == ["CHANGELOG.md", "b.txt"]


def test_a_tags_commit_is_found_also_where_the_tag_has_a_text(little: Path) -> None:
    checkout = Checkout(root=little)
    git(little, "tag", "--annotate", "v1.0.0", "--message", "text")
    assert (checkout.commit_of_tag("v1.0.0"), checkout.commit_of_tag("v1.0.1")) == (checkout.head, None)


def test_git_that_does_not_know_who_commits_is_told_of_before_anything_is_made(
    little: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Checkout(root=little).require_author()
    for name in [name for name in os.environ if name.startswith(("GIT_AUTHOR", "GIT_COMMITTER"))]:
        monkeypatch.delenv(name)
    git_config = little / "no-guessing"
    git_config.write_text("[user]\n\tuseConfigOnly = true\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(git_config))
    with pytest.raises(InputError, match="expected a name and an address for git to commit with, got none; run"):
        Checkout(root=little).require_author()


def test_a_folder_without_git_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(WorldError, match=r"expected git rev-parse to succeed, got fatal: not a git repository"):
        _ = Checkout(root=tmp_path).head


def test_the_files_take_the_place_of_an_empty_folder_and_a_file_in_the_way_is_one_line(
    little: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files, place = tmp_path / "files", tmp_path / "out"
    files.mkdir()
    (files / "a").write_text("a")
    place.mkdir()
    put_in_place(files, place, Checkout(root=little), None)
    assert [path.name for path in place.iterdir()] == ["a"]
    assert main(["0.5.0", "--out", str(little / "CHANGELOG.md")], root=little) == 2
    assert "expected an empty or new folder for the files" in capsys.readouterr().err
    with pytest.raises(FileExistsError):
        put_in_place(files, little / "CHANGELOG.md/release", Checkout(root=little), None)
