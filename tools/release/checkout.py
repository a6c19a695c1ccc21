"""What a release asks of git: the state of a checkout, a copy to work in, the release's commit, and taking it over."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from robustcert.errors import InputError, WorldError, expected


@dataclass(frozen=True, kw_only=True)
class Checkout:
    """A git work tree."""

    root: Path

    @property
    def head(self) -> str:
        """The commit that is checked out."""
        return self.git("rev-parse", "HEAD")

    @property
    def committed_at(self) -> int:
        """Time of that commit, in seconds since 1970."""
        return int(self.git("log", "-1", "--format=%ct"))

    @property
    def changes(self) -> list[str]:
        """Files that differ from that commit, new ones too, as git names them."""
        return [line[3:] for line in self.git("status", "--porcelain", stripped=False).splitlines()]

    def commit_of_tag(self, tag: str) -> str | None:
        """The commit that a tag points to; None where there is no such tag."""
        return self.git("rev-list", "-n", "1", f"refs/tags/{tag}") if self.git("tag", "--list", tag) else None

    def require_author(self) -> None:
        """InputError where git does not know who commits."""
        try:
            self.git("var", "GIT_COMMITTER_IDENT")
        except WorldError as error:
            remedy = "run `git config user.name` and `git config user.email`"
            raise InputError(
                expected("a name and an address for git to commit with", got="none", remedy=remedy)
            ) from error

    def copy(self, folder: Path) -> Checkout:
        """A clone of what is checked out, in a folder that does not exist yet."""
        self.git("clone", "--quiet", "--local", "--no-tags", str(self.root), str(folder))
        return Checkout(root=folder)

    def commit(self, message: str, *, epoch: int) -> list[str]:
        """Commits every change with the time `epoch`; the files that it changed."""
        times = {"GIT_AUTHOR_DATE": f"{epoch} +0000", "GIT_COMMITTER_DATE": f"{epoch} +0000"}
        self.git("add", "--all")
        self.git("commit", "--quiet", "--no-verify", "--message", message, environment=times)
        return self.git("show", "--format=", "--name-only", "HEAD").splitlines()

    def take(self, copy: Checkout) -> None:
        """Moves this checkout forward to the commit of its copy; WorldError, and nothing changed, where it can't."""
        self.git("fetch", "--quiet", "--no-tags", str(copy.root), "HEAD")
        self.git("merge", "--quiet", "--ff-only", "FETCH_HEAD")

    def git(self, *arguments: str, environment: dict[str, str] | None = None, stripped: bool = True) -> str:
        """What a git command prints; WorldError with git's last words where it fails."""
        command = ["git", "-C", str(self.root), *arguments]
        variables = {**os.environ, "LC_ALL": "C", **(environment or {})}
        try:
            done = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
        except OSError as error:
            raise WorldError(expected("git", got=error.strerror, remedy="install git")) from error
        if done.returncode:
            said = " ".join(done.stderr.split())[-300:] or f"exit {done.returncode}"
            raise WorldError(expected(f"git {arguments[0]} to succeed", got=said, remedy="repair that, then try again"))
        return done.stdout.strip() if stripped else done.stdout
