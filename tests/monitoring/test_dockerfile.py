"""The Dockerfile of the long-running programs, read: pinned, hashed, without torch, its user without privileges."""

import re
from pathlib import Path

import pytest


def instructions(path: Path) -> list[str]:
    """Each on one line, without comments."""
    text = re.sub(r"^#.*\n", "", path.read_text(), flags=re.MULTILINE)
    return [line for line in re.sub(r"\s*\\\n\s*", " ", text).splitlines() if line]


@pytest.fixture(scope="module")
def lines(root: Path) -> list[str]:
    return instructions(root / "monitoring/Dockerfile")


def test_its_base_is_the_one_of_the_steps_image(root: Path, lines: list[str]) -> None:
    assert lines[0] == instructions(root / "components/Dockerfile")[0]
    assert re.fullmatch(r"ARG BASE=python:3\.11-slim-[a-z]+@sha256:[0-9a-f]{64}", lines[0])


def test_whatever_pip_installs_has_a_hash_or_comes_from_this_checkout(lines: list[str]) -> None:
    commands = [part for line in lines if line.startswith("RUN ") for part in line.split("&&")]
    installing = [part for part in commands if re.search(r"\$INSTALL|pip install|pip wheel|bin/python install", part)]
    assert len(installing) >= 4
    assert [part for part in installing if "--require-hashes" not in part and "--no-index" not in part] == []


def test_it_takes_the_extras_of_the_programs_and_no_torch(lines: list[str]) -> None:
    (extras,) = re.findall(r"requirements\.py ([a-z0-9 ]+) >", "\n".join(lines))
    assert extras.split() == ["monitoring", "s3", "cluster"]
    assert not any("constraints-cpu" in line for line in lines)


def test_a_user_without_privileges_runs_it_and_nothing_is_fetched_but_through_pip(lines: list[str]) -> None:
    assert [line for line in lines if line.startswith("USER ")] == ["USER 65532:65532"]
    assert not re.search(r"^ADD |\bcurl\b|\bwget\b|\bapt-get\b|https?://(?!github\.com/robustcert/)", "\n".join(lines))


def test_only_what_is_named_enters_the_build(root: Path, lines: list[str]) -> None:
    allowed = (root / "monitoring/Dockerfile.dockerignore").read_text().splitlines()
    assert "*" in allowed
    for source in (line.split()[1] for line in lines if line.startswith("COPY ") and "--from" not in line):
        assert any(rule.removeprefix("!").startswith(source) for rule in allowed if rule.startswith("!")), source
