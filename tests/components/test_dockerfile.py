"""The Dockerfile, read: what no test builds (its gpu target takes several GB) is the same lines that tests do build."""

import re
from pathlib import Path

import pytest

STAGE = re.compile(r"^FROM (?P<source>\S+) AS (?P<name>\S+)\n(?P<body>(?:(?!FROM ).*\n)*)", re.MULTILINE)
PINNED = re.compile(r"^ARG BASE=python:3\.11-slim-[a-z]+@sha256:[0-9a-f]{64}$", re.MULTILINE)


@pytest.fixture(scope="module")
def dockerfile(root: Path) -> str:
    """Its text without comments, each instruction on one line."""
    text = (root / "components/Dockerfile").read_text()
    return re.sub(r"\s*\\\n\s*", " ", re.sub(r"^#.*\n", "", text, flags=re.MULTILINE))


@pytest.fixture(scope="module")
def stages(dockerfile: str) -> dict[str, tuple[str, list[str]]]:
    """Stage -> what it starts from, and its instructions."""
    return {
        found["name"]: (found["source"], [line for line in found["body"].splitlines() if line])
        for found in STAGE.finditer(dockerfile)
    }


def test_the_base_is_pinned_by_digest(dockerfile: str) -> None:
    assert PINNED.search(dockerfile)


def test_the_gpu_target_is_the_cpu_target_with_another_torch(stages: dict[str, tuple[str, list[str]]]) -> None:
    cpu, gpu = ([stages[f"{stage}-{kind}"] for stage in ("dependencies", "environment")] for kind in ("cpu", "gpu"))
    torch = cpu[0][1].pop(0)
    assert "-r constraints-cpu.txt" in torch
    assert [lines for _, lines in cpu] == [lines for _, lines in gpu]
    assert [source for source, _ in cpu] == ["installer", "dependencies-cpu"]
    assert [source for source, _ in gpu] == ["installer", "dependencies-gpu"]
    for kind in ("cpu", "gpu"):
        source, (copied, *others) = stages[kind]
        assert (source, copied) == ("runtime", f"COPY --from=environment-{kind} /opt/robustcert /opt/robustcert")
        assert all(line.startswith("ENV NVIDIA_") for line in others)


def test_whatever_pip_installs_has_a_hash_or_comes_from_this_checkout(dockerfile: str) -> None:
    commands = [part for line in dockerfile.splitlines() if line.startswith("RUN ") for part in line.split("&&")]
    installing = [part for part in commands if re.search(r"\$INSTALL|pip install|pip wheel|bin/python install", part)]
    assert len(installing) >= 6
    assert [part for part in installing if "--require-hashes" not in part and "--no-index" not in part] == []


def test_the_last_stage_is_the_cpu_target_and_its_user_has_no_privileges(
    stages: dict[str, tuple[str, list[str]]],
) -> None:
    assert list(stages)[-1] == "cpu"
    users = [line for _, lines in stages.values() for line in lines if line.startswith("USER ")]
    assert users == ["USER 65532:65532"]
    assert users[0] in stages["runtime"][1]


def test_nothing_is_fetched_but_through_pip(dockerfile: str) -> None:
    assert not re.search(
        r"^ADD |\bcurl\b|\bwget\b|\bapt-get\b|https?://(?!github\.com/robustcert/)", dockerfile, re.MULTILINE
    )
