"""The lock: it covers pyproject.toml, its files agree with each other, and the environment is what it says."""

import importlib.metadata
import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

PIN = re.compile(r"^([A-Za-z0-9._-]+)==(\S+)((?: *\\\n +--hash=sha256:[0-9a-f]{64})+)$", re.MULTILINE)
FILES = ("constraints.txt", "constraints-build.txt", "constraints-cpu.txt")


def pins(path: Path) -> dict[str, tuple[Version, frozenset[str]]]:
    """Package -> its version and hashes, of one lock file."""
    found = PIN.findall(path.read_text())
    return {name: (Version(version), frozenset(re.findall(r"[0-9a-f]{64}", hashes))) for name, version, hashes in found}


@pytest.fixture(scope="module")
def pyproject(root: Path) -> dict[str, dict]:
    return tomllib.loads((root / "pyproject.toml").read_text())


@pytest.fixture(scope="module")
def required(pyproject: dict[str, dict]) -> list[Requirement]:
    extras = pyproject["project"]["optional-dependencies"].values()
    groups = pyproject["dependency-groups"].values()
    lines = [*pyproject["project"]["dependencies"], *(line for part in (*extras, *groups) for line in part)]
    return [Requirement(line) for line in lines]


@pytest.mark.parametrize("name", FILES)
def test_every_line_of_a_lock_file_is_a_pin_with_hashes_or_a_comment(root: Path, name: str) -> None:
    text = (root / name).read_text()
    assert re.sub(r"^#.*$", "", PIN.sub("", text), flags=re.MULTILINE).strip() == ""
    assert pins(root / name)


def test_every_requirement_is_pinned_at_a_version_that_it_admits(root: Path, required: list[Requirement]) -> None:
    locked = pins(root / "constraints.txt")
    unmet = [
        str(requirement)
        for requirement in required
        if (name := canonicalize_name(requirement.name)) not in locked
        or not requirement.specifier.contains(locked[name][0], prereleases=True)
    ]
    assert unmet == []


def test_what_installs_the_rest_is_pinned_as_in_the_whole_lock(root: Path) -> None:
    locked = pins(root / "constraints.txt")
    assert {name: locked[name] for name in pins(root / "constraints-build.txt")} == pins(root / "constraints-build.txt")


def test_the_cpu_build_of_torch_has_the_version_of_the_lock(root: Path) -> None:
    (name, (version, _)), *others = pins(root / "constraints-cpu.txt").items()
    assert (name, others) == ("torch", [])
    assert version.local == "cpu"
    assert version.public == pins(root / "constraints.txt")["torch"][0].public


def test_the_environment_holds_the_versions_of_the_lock(root: Path) -> None:
    locked = pins(root / "constraints.txt")
    installed = {canonicalize_name(item.name): Version(item.version) for item in importlib.metadata.distributions()}
    off = {
        name: (str(installed[name]), str(locked[name][0]))
        for name in installed.keys() & locked.keys()
        if installed[name].public != locked[name][0].public
    }
    assert off == {}, "run `make test` in a fresh environment, or `make lock` and commit"
