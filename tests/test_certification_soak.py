"""A small soak; `python -m tests.certification_soak` does the large one."""

from __future__ import annotations

from pathlib import Path

from tests.certification_soak import soak


def test_a_kill_ends_in_the_same_evidence(tmp_path: Path) -> None:
    lines = list(soak(tmp_path, samples=200, n=20_000, kills=1, shards=(), seed=3))
    assert lines[0].startswith("whole: ")
    assert sum(int(line.split()[1]) for line in lines[1:]) == 1
