"""What may not be released, each in one line that says what to do; real git work trees."""

from __future__ import annotations

from pathlib import Path

import pytest

from robustcert.errors import InputError
from tests.tools.release.work_trees import git
from tools.release.__main__ import main
from tools.release.checkout import Checkout
from tools.release.preparation import facts, require


def ask(folder: Path, version: str) -> str:
    """The kind of release; InputError where it is refused."""
    found = facts(Checkout(root=folder), version)
    require(found)
    return found.kind


def commit(folder: Path, log: str, *, version: str = "0.4.0") -> None:
    (folder / "robustcert/__init__.py").write_text(f'__version__ = "{version}"\n')
    (folder / "CHANGELOG.md").write_text(log)
    git(folder, "commit", "--quiet", "--all", "--message", "More")


def test_a_higher_version_with_entries_from_a_clean_tree_may_be_released(little: Path) -> None:
    assert [ask(little, version) for version in ("0.4.1", "0.5.0", "1.0.0", "0.10.0")] == ["new"] * 4


@pytest.mark.parametrize("version", ["0.4.0", "0.3.9"])
def test_a_version_that_does_not_rise_is_refused(little: Path, version: str) -> None:
    with pytest.raises(InputError, match=rf"expected a version above 0\.4\.0, got {version}; choose a higher one"):
        ask(little, version)


def test_the_first_release_may_have_the_version_that_the_changelog_says_is_not_released(little: Path) -> None:
    commit(little, "## 0.4.0 (not released)\n\n- All.\n")
    assert ask(little, "0.4.0") == "new"
    with pytest.raises(InputError, match=r"expected a version of at least 0\.4\.0, got 0\.3\.0; choose a higher one"):
        ask(little, "0.3.0")


@pytest.mark.parametrize(("name", "text"), [("new.txt", "x"), ("CHANGELOG.md", "## Unreleased\n\n- x\n")])
def test_a_dirty_work_tree_is_refused(little: Path, name: str, text: str) -> None:
    (little / name).write_text(text)
    with pytest.raises(
        InputError, match=rf"expected a work tree without changes, got 1 changed or new, such as {name}"
    ):
        ask(little, "0.5.0")


@pytest.mark.parametrize(
    ("log", "got"),
    [
        ("## Unreleased\n\nSoon.\n\n## 0.4.0 (2026-01-31)\n\n- Old.\n", "none"),
        ("## 0.4.0 (2026-01-31)\n\n- Old.\n", r"'## 0\.4\.0 \(2026-01-31\)' as the newest section"),
    ],
)
def test_a_changelog_without_entries_is_refused(little: Path, log: str, got: str) -> None:
    commit(little, log)
    with pytest.raises(
        InputError, match=rf"expected entries of what is not released in CHANGELOG.md, got {got}; write"
    ):
        ask(little, "0.5.0")


def test_a_tag_that_exists_is_refused(little: Path) -> None:
    git(little, "tag", "v0.5.0")
    with pytest.raises(InputError, match=r"expected no tag v0\.5\.0, got one at [0-9a-f]{12}; choose a higher version"):
        ask(little, "0.5.0")


def test_the_releases_own_commit_may_be_released_again_with_its_tag_but_no_later_one(little: Path) -> None:
    commit(little, "## 0.5.0 (2026-02-28)\n\n- New.\n", version="0.5.0")
    assert ask(little, "0.5.0") == "again"
    git(little, "tag", "v0.5.0")
    assert ask(little, "0.5.0") == "again"
    (little / "later.txt").write_text("x")
    git(little, "add", "--all")
    git(little, "commit", "--quiet", "--message", "Later")
    with pytest.raises(InputError, match=r"expected no tag v0\.5\.0"):
        ask(little, "0.5.0")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("newest",), "expected a version as in SemVer, without a pre-release, got 'newest'"),
        (("0.4.0",), "expected a version above 0.4.0, got 0.4.0"),
        (("0.5.0", "--digest", "steps=latest"), "expected NAME=sha256: and 64 digits, got 'steps=latest'"),
        (("0.5.0", "--digest", f"a=sha256:{'0' * 64}", "--digest", f"a=sha256:{'1' * 64}"), "got 'a=sha256:1"),
        (("0.5.0", "--key", "/nothing"), "nothing"),
        (("0.5.0", "--digest", f"gpu=sha256:{'0' * 64}"), "expected digests of the chart's images too, got one of gpu"),
        (("0.5.0", "--builder", "me"), "expected a URI of who makes the release, got 'me'; give --builder https://"),
        (("0.5.0", "--out", "."), "expected an empty or new folder for the files, got '.'; move it away"),
    ],
)
def test_the_command_refuses_in_one_line_with_exit_2(
    little: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], said: str
) -> None:
    before = git(little, "rev-parse", "HEAD")
    assert main(arguments, root=little) == 2
    printed = capsys.readouterr()
    assert (printed.out, printed.err.count("\n")) == ("", 1)
    assert said in printed.err
    assert (git(little, "rev-parse", "HEAD"), git(little, "status", "--porcelain")) == (before, "")


@pytest.mark.parametrize("text", ["soon", "-1", "0", "1e9", "99999999999999", "\u0661"])
def test_a_time_that_no_archive_can_hold_is_one_line(
    little: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", text)
    assert main(("0.5.0",), root=little) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"expected SOURCE_DATE_EPOCH in seconds, between 1980 and 2100, got '{text}'; ")
    assert said.count("\n") == 1
    assert git(little, "status", "--porcelain") == ""
