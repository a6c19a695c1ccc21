"""What takes minutes to make is kept between runs, outside the checkout; what was left half-made is never used."""

import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

PARTIAL = ".partial-"


def cache_folder() -> Path:
    """The folder of this person's cache; made where it is missing."""
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "robustcert-tests"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def cached(folder: Path, kind: str, *, recipe: str, make: Callable[[Path], None]) -> Path:
    """What `make` writes to the path it is given, made once for each text of the recipe.

    It gets its name only when it is whole. Half-made ones, and those of other recipes, are removed before another is
    made; a second process waits meanwhile.
    """
    target = folder / f"{kind}-{hashlib.sha256(recipe.encode()).hexdigest()[:16]}"
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if target.exists():
            return target
        for stale in folder.glob(f"{kind}-*"):
            remove(stale)
        work = Path(tempfile.mkdtemp(prefix=f"{kind}-{PARTIAL}", dir=folder))
        make(work / "made")
        (work / "made").rename(target)
        work.rmdir()
    return target


def remove(path: Path) -> None:
    """Removes a file, or a folder with all it holds."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()
