"""A dockerd of the tests' own, without a service manager or a network of its own; and the client that builds."""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

START_SECONDS = 60
STOP_SECONDS = 60
FIRST_CLIENT_WITHOUT_BUILDKIT = 23  # from here on BuildKit is a plugin, buildx


@contextmanager
def docker_daemon() -> Iterator[str]:
    """Starts dockerd and yields its DOCKER_HOST; ends it and removes its images afterwards.

    It dies with this process, however that ends. Its folder is short: a socket's path has 107 characters at most.
    """
    with tempfile.TemporaryDirectory(prefix="dockerd-", ignore_cleanup_errors=True) as name:
        folder, host = Path(name), f"unix://{name}/socket"
        command = ["setpriv", "--pdeathsig", "SIGTERM", "dockerd", "--host", host, "--pidfile", f"{name}/pid"]
        command += ["--data-root", f"{name}/data", "--exec-root", f"{name}/exec"]
        command += ["--iptables=false", "--ip6tables=false", "--bridge=none"]
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
            try:
                _wait(process, host, folder / "log")
                yield host
            finally:
                process.terminate()
                process.wait(STOP_SECONDS)


def _wait(process: subprocess.Popen[bytes], host: str, log: Path) -> None:
    end = time.monotonic() + START_SECONDS
    while subprocess.run(["docker", "--host", host, "version"], capture_output=True).returncode != 0:
        if process.poll() is not None or time.monotonic() > end:
            raise RuntimeError(f"expected dockerd to start, got:\n{log.read_text()[-3000:]}")
        time.sleep(0.1)


def building_client() -> str:
    """A docker program that can drive BuildKit: with its plugin, or so old that it is built in."""
    for program in filter(None, [shutil.which("docker"), "/usr/bin/docker"]):
        if _succeeds([program, "buildx", "version"]) or _major_version(program) < FIRST_CLIENT_WITHOUT_BUILDKIT:
            return program
    raise RuntimeError("expected a docker client with BuildKit, got none; install docker.io or docker-buildx-plugin")


def _major_version(program: str) -> int:
    """0 where there is no such program to ask: it is not then chosen, for running it fails."""
    done = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
    return int(done.stdout.split("version ")[1].split(".")[0])


def _succeeds(command: list[str]) -> bool:
    return subprocess.run(command, capture_output=True, env={**os.environ, "DOCKER_HOST": ""}).returncode == 0
