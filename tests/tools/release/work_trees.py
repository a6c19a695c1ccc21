"""Copies of this checkout as it is now, as git work trees of their own that a release may be made in."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[3]
UNRELEASED = "## Unreleased\n\n- Something that a user can notice.\n\n"
# Nobody's settings: no identity, no signing, no hooks of the person who runs the tests.
GIT = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
NAMES = {
    f"GIT_{who}_{what}": text for who in ("AUTHOR", "COMMITTER") for what, text in (("NAME", "Ann"), ("EMAIL", "a@b.c"))
}


def git(folder: Path, *arguments: str) -> str:
    environment = {**os.environ, **GIT, **NAMES}
    done = subprocess.run(
        ["git", "-C", str(folder), *arguments], env=environment, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


def tracked() -> list[str]:
    """What git tracks here, or would after `git add`."""
    names = git(ROOT, "ls-files", "--cached", "--others", "--exclude-standard", "-z").split("\0")
    return [name for name in names if name and (ROOT / name).is_file()]


def copy_of_the_checkout(folder: Path) -> Path:
    """A work tree with one commit: this checkout with its changes, and something to release in its changelog."""
    for name in tracked():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, folder / name)
    log = folder / "CHANGELOG.md"
    head, _, sections = log.read_text().partition("\n## ")
    log.write_text(f"{head}\n{UNRELEASED}## {sections}")
    git(folder, "init", "--quiet", "--initial-branch", "main")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "Everything")
    return folder
