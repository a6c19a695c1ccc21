"""Work trees that a release may be made in, and git without the settings of the person who runs the tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.tools.release.work_trees import GIT, NAMES, UNRELEASED, copy_of_the_checkout, git


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the checkout for the tests of one file."""
    return copy_of_the_checkout(tmp_path_factory.mktemp("clone"))


@pytest.fixture
def little(tmp_path: Path) -> Path:
    """A work tree with a version and a changelog, and no more."""
    folder = tmp_path / "little"
    (folder / "robustcert").mkdir(parents=True)
    (folder / "robustcert/__init__.py").write_text('__version__ = "0.4.0"\n')
    (folder / "CHANGELOG.md").write_text(f"# Changelog\n\n{UNRELEASED}## 0.4.0 (2026-01-31)\n\n- More.\n")
    git(folder.parent, "init", "--quiet", "--initial-branch", "main", str(folder))
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "Everything")
    return folder


@pytest.fixture(autouse=True)
def _nobodys_git(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, text in {**GIT, **NAMES}.items():
        monkeypatch.setenv(name, text)
