"""The list that pip is given instead of `.[extras]`."""

from pathlib import Path

import pytest

from tools.requirements import requirements

PYPROJECT = """
[project]
dependencies = ["numpy>=2"]
[project.optional-dependencies]
torch = ["torch==2.13.0"]
s3 = ["minio>=7"]
"""


@pytest.fixture
def pyproject(tmp_path: Path) -> Path:
    path = tmp_path / "pyproject.toml"
    path.write_text(PYPROJECT)
    return path


def test_the_core_comes_first_and_only_the_named_extras_follow(pyproject: Path) -> None:
    assert requirements([], pyproject=pyproject) == ["numpy>=2"]
    assert requirements(["s3"], pyproject=pyproject) == ["numpy>=2", "minio>=7"]


def test_an_unknown_extra_is_an_error(pyproject: Path) -> None:
    with pytest.raises(KeyError, match="gpu"):
        requirements(["gpu"], pyproject=pyproject)
