"""The version: its form, its one place, and that nothing else in the tree holds it."""

from __future__ import annotations

import re

import pytest
from packaging.version import Version

from robustcert import __version__
from robustcert.errors import InputError
from tests.tools.release.work_trees import ROOT, tracked
from tools.generate import generated
from tools.release.versions import current, numbers, with_version

# Beside what `make generate` makes. Tests and benchmarks hold records of releases, and values that they plant.
MAY_HOLD_IT = ("robustcert/__init__.py", "CHANGELOG.md", "tests/", "benchmarks/", "constraints")
COMPILED = re.compile(r"pipelines/.*\.yaml|components/\w+/component\.yaml")
HOLDS = re.compile(rf"(?<![\d.]){re.escape(__version__)}(?![\d.])")
SPEAKS = re.compile("robustcert|version|tag|revision|release", re.IGNORECASE)


def mentions(text: str) -> list[str]:
    """Lines that name the version of something of ours."""
    return [line for line in text.splitlines() if __version__ in line and HOLDS.search(line) and SPEAKS.search(line)]


@pytest.mark.parametrize(
    "text", ["1.2", "v1.2.3", "1.2.3-rc.1", "1.2.3+build", "01.2.3", "1.2.3.4", "", "1.2.3\n", "\u0661.2.3", "newest"]
)
def test_what_is_no_version_of_ours_is_refused(text: str) -> None:
    with pytest.raises(InputError, match=r"expected a version as in SemVer, without a pre-release, got"):
        numbers(text)


@pytest.mark.parametrize(("lower", "higher"), [("0.9.9", "0.10.0"), ("1.9.0", "2.0.0"), ("1.0.9", "1.0.10")])
def test_versions_compare_as_in_pep_440(lower: str, higher: str) -> None:
    assert numbers(lower) < numbers(higher)
    assert Version(lower) < Version(higher)


def test_the_version_is_read_and_set_in_its_one_place() -> None:
    text = (ROOT / "robustcert/__init__.py").read_text()
    assert current(text) == __version__
    assert current(with_version(text, "9.8.7")) == "9.8.7"
    with pytest.raises(InputError, match=r"expected one line __version__ = .* got 0 of them"):
        current("version = 1\n")


def test_no_other_file_of_the_tree_holds_the_version_by_hand() -> None:
    made = {path.relative_to(ROOT).as_posix() for path in generated()}
    by_hand = [
        name
        for name in tracked()
        if name not in made and not name.startswith(MAY_HOLD_IT) and not COMPILED.fullmatch(name)
    ]
    assert len(by_hand) > 300
    found = {name: hit[0] for name in by_hand if (hit := mentions((ROOT / name).read_text("utf-8", "replace")))}
    assert found == {}, "write it without the version, or let tools/release/mentions.py keep it current"


@pytest.mark.parametrize(
    "line",
    [f"image: ghcr.io/robustcert/robustcert:{__version__}-gpu", f"version: {__version__}", f"Release {__version__}"],
)
def test_the_reader_of_versions_finds_a_planted_one(line: str) -> None:
    assert mentions(f"one\n{line}\n") == [line]
    assert mentions(f"one\n{line.replace(__version__, f'{__version__}.1')}\n{__version__}\n") == []
