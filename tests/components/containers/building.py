"""`make image` in a copy of the checkout which also holds what must never reach an image."""

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.components.containers.daemon import building_client

SECRET = "planted-secret-of-the-container-tests"
PLANTED = (".env", "issuer.pem", "components/issuer", "out/store/record.json", "robustcert/__pycache__/left.pyc")
COMMIT_TIME = "2026-01-02T03:04:05+00:00"
GIT = ["git", "-c", "user.name=test", "-c", "user.email=test@example.org", "-c", "commit.gpgsign=false"]


@dataclass(frozen=True, kw_only=True)
class Builder:
    """Where and with what to build: the daemon, the base image, pip's configuration."""

    docker_host: str
    base: str
    pip_configuration: Path

    def image(self, checkout: Path, *, tag: str, options: str = "") -> str:
        """Builds the cpu target under the tag and returns the log."""
        settings = {"IMAGE": tag, "BASE": self.base, "PIP_CONF": self.pip_configuration, "DOCKER": building_client()}
        command = ["make", "image", "TARGET=cpu", f"BUILD_OPTIONS=--network host {options}"]
        command += [f"{name}={value}" for name, value in settings.items()]
        return run(command, cwd=checkout, DOCKER_HOST=self.docker_host)


def copy_checkout(root: Path, target: Path) -> str:
    """Copies what git tracks or would track, commits it with a fixed time, plants secrets; returns the commit."""
    names = run(["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"], cwd=root).split("\0")
    for name in (name for name in names if name and (root / name).is_file()):
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(root / name, target / name)
    (target / ".gitignore").write_text((root / ".gitignore").read_text() + ".env\n*.pem\ncomponents/issuer\n")
    times = {"GIT_AUTHOR_DATE": COMMIT_TIME, "GIT_COMMITTER_DATE": COMMIT_TIME}
    run([*GIT, "init", "-q"], cwd=target)
    run([*GIT, "add", "-A"], cwd=target)
    run([*GIT, "commit", "-q", "-m", "copy"], cwd=target, **times)
    for name in PLANTED:
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        (target / name).write_text(SECRET)
    return run(["git", "rev-parse", "HEAD"], cwd=target).strip()


def run(command: list[str], *, cwd: Path, **environment: str) -> str:
    """What the command printed; RuntimeError with its last lines where it failed."""
    settings = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    done = subprocess.run(command, cwd=cwd, env={**settings, **environment}, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: exit {done.returncode}:\n{(done.stdout + done.stderr)[-5000:]}")
    return done.stdout
