"""What the image does not need is removed, and what stays is the same at every build. components/Dockerfile calls it.

    python tools/image_files.py strip /                  # the base: installers, package lists, privileged programs
    python tools/image_files.py finish /opt/robustcert   # our environment: tests, headers; then byte code, times

Standard library only: it runs in the base image, before and after anything is installed there.
"""

import compileall
import os
import py_compile
import shutil
import stat
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

# Beside what the base's own interpreter calls its site folder; globs are relative to the root of the image.
LIBRARIES = ("usr/lib/python3", "usr/lib/python3.*", "usr/local/lib/python3.*")
INSTALLERS = ("pip", "setuptools", "wheel", "pkg_resources", "_distutils_hack", "distutils-precedence.pth")
PROGRAMS = ("pip*", "wheel*", "easy_install*", "apt", "apt-*")
LISTS = ("var/lib/apt/lists/*", "var/cache/apt/*", "var/cache/debconf/*-old", "var/log/*", "usr/share/python-wheels/*")
# Folders of an installed package that nothing imports at run time: tests, their data, and what compilers read.
UNUSED = (
    "tests",
    "torch/test",
    "torch/include",
    "onnx/test",
    "onnx/backend/test",
    "pyarrow/include",
    "Crypto/SelfTest",
)
UNUSED_PROGRAMS = "torch/bin/*"
USED_PROGRAM = "torch_shm_manager"  # torch starts it where processes share tensors
UNUSED_FILES = ("*.a", "*.h", "*.hpp", "*.pyc", "*.pyx", "*.pxd")
EPOCH = 1577836800  # where no commit gives its time: 2020-01-01, in seconds


def strip(root: Path) -> None:
    """Removes the installers and lists of the base image at `root`; no program there raises privileges afterwards."""
    _remove(path for library in LIBRARIES for path in _installers(root, library))
    _remove(path for folder in ("bin", "sbin") for path in _programs(root, folder))
    _remove(path for pattern in LISTS for path in root.glob(pattern))
    for path in _files(root):
        mode = path.stat(follow_symlinks=False).st_mode
        if stat.S_ISREG(mode) and mode & (stat.S_ISUID | stat.S_ISGID):
            path.chmod(stat.S_IMODE(mode) & ~(stat.S_ISUID | stat.S_ISGID))


def finish(environment: Path, *, epoch: int) -> None:
    """Removes what the environment never imports, writes its byte code, and gives every file the time `epoch`.

    Byte code is bound to no time (PEP 552, unchecked): the root is read-only, so it can't grow stale. A file that does
    not compile, such as a template that a package carries, stays without.
    """
    for packages in sorted(environment.glob("lib/python3.*/site-packages")):
        _remove(path for pattern in UNUSED for path in packages.glob(f"**/{pattern}") if path.is_dir())
        _remove(path for pattern in UNUSED_FILES for path in packages.rglob(pattern))
        _remove(path for path in packages.glob(UNUSED_PROGRAMS) if path.name != USED_PROGRAM)
        compileall.compile_dir(
            str(packages), maxlevels=50, quiet=2, invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH
        )
    for path in [*_files(environment), environment]:
        os.utime(path, (epoch, epoch), follow_symlinks=False)


def _installers(root: Path, library: str) -> Iterator[Path]:
    for site in (folder for name in ("site-packages", "dist-packages") for folder in root.glob(f"{library}/{name}")):
        yield from (site / name for name in INSTALLERS)
        yield from (path for name in INSTALLERS for path in site.glob(f"{name}-*-info"))
    yield from root.glob(f"{library}/ensurepip")


def _programs(root: Path, folder: str) -> Iterator[Path]:
    for place in ("usr", "usr/local"):
        yield from (path for name in PROGRAMS for path in (root / place / folder).glob(name))


def _files(root: Path) -> Iterator[Path]:
    """Every file and folder below `root` on its own file system, in one order."""
    device = root.stat().st_dev
    for folder, names, files in os.walk(root):
        names[:] = sorted(name for name in names if Path(folder, name).lstat().st_dev == device)
        yield from (Path(folder, name) for name in [*names, *sorted(files)])


def _remove(paths: Iterable[Path]) -> None:
    for path in list(paths):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


if __name__ == "__main__":
    if sys.argv[1] == "strip":
        strip(Path(sys.argv[2]))
    else:
        finish(Path(sys.argv[2]), epoch=int(os.environ.get("SOURCE_DATE_EPOCH", EPOCH)))
