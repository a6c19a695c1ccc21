"""Prints the requirements of the core and of the named extras, one a line, as pip reads them.

    python tools/requirements.py torch kfp

pip can't check the hash of a folder, so in the hash-checking mode that `make` uses it does not take `.[torch,kfp]`;
it takes this list, and pyproject.toml stays the only place that names a dependency. Standard library only: it runs
before anything is installed.
"""

import sys
import tomllib
from pathlib import Path

PYPROJECT = Path(__file__).parent.parent / "pyproject.toml"


def requirements(extras: list[str], *, pyproject: Path = PYPROJECT) -> list[str]:
    """Requirements of the core, then of each extra; KeyError where pyproject.toml has no such extra."""
    project = tomllib.loads(pyproject.read_text(encoding="utf-8"))["project"]
    optional = project["optional-dependencies"]
    return [*project["dependencies"], *(line for extra in extras for line in optional[extra])]


if __name__ == "__main__":
    print("\n".join(requirements(sys.argv[1:])))
