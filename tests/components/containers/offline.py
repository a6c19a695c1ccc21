"""What a build needs, brought to this machine once: a stand-in for the official base, and every wheel of the lock.

The build itself then runs as in a place without the internet: pip's configuration names one index, on loopback.
"""

import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.components.containers.cache import cache_folder, cached, remove
from tools.requirements import requirements

SUITE = "bookworm"  # of the official image python:3.11-slim-bookworm, whose Python it also has
DEBOOTSTRAP = ["debootstrap", "--variant=minbase", "--include=python3,python3-pip,python3-venv,ca-certificates", SUITE]
PYTHON_VERSION = "3.11"
DOWNLOAD = [sys.executable, "-m", "pip", "download", "--quiet", "--require-hashes"]
DOWNLOAD += ["--only-binary=:all:", f"--python-version={PYTHON_VERSION}"]
TORCH = re.compile(r"^torch==(?:.*\\\n)+.*\n", re.MULTILINE)


def stand_in_base() -> Path:
    """A tar of Debian with its Python, laid out like the official slim image; debootstrap makes it, as root."""
    return cached(cache_folder(), "base", recipe=" ".join(DEBOOTSTRAP), make=_bootstrap)


def _bootstrap(target: Path) -> None:
    tree = target.with_name("tree")
    _run([*DEBOOTSTRAP, str(tree)])
    (tree / "usr/lib/python3.11/EXTERNALLY-MANAGED").unlink()  # the official image has none
    (tree / "usr/bin/python").symlink_to("python3")
    _run(["tar", "-C", str(tree), "-cf", str(target), "."])
    remove(tree)


def wheels(root: Path) -> Path:
    """A folder of every wheel that the cpu target installs, checked against the lock of the checkout at `root`."""
    build, cpu = root / "constraints-build.txt", root / "constraints-cpu.txt"
    lock = TORCH.sub("", (root / "constraints.txt").read_text()) + cpu.read_text()
    wanted = [*requirements(["torch", "s3", "onnx"], pyproject=root / "pyproject.toml"), "cyclonedx-bom"]

    def make(target: Path) -> None:
        texts = {"lock": lock, "wanted": "\n".join(wanted), "alone": "kfp"}
        files = {name: target.with_name(name) for name in texts}
        for name, text in texts.items():
            files[name].write_text(text)
        into = ["--dest", str(target)]
        _run([*DOWNLOAD, *into, "--no-deps", "-r", str(build)])
        _run([*DOWNLOAD, *into, "-c", str(files["lock"]), "-r", str(files["wanted"])])
        _run([*DOWNLOAD, *into, "--no-deps", "-c", str(files["lock"]), "-r", str(files["alone"])])
        for path in files.values():
            path.unlink()

    recipe = "\n".join([build.read_text(), lock, *wanted, *DOWNLOAD[1:]])
    return cached(cache_folder(), "wheels", recipe=recipe, make=make)


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The address, on loopback, under which the files of the folder are offered."""
    handler = partial(_Silent, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


class _Silent(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


def _run(command: list[str]) -> None:
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: exit {done.returncode}:\n{done.stdout[-3000:]}")
