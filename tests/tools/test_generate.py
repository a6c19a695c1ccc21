"""Generated files: the committed ones are current, and a changed one is named."""

from __future__ import annotations

from pathlib import Path

from tools.generate import generated, stale


def test_every_committed_file_is_current() -> None:
    assert stale(generated()) == []


def test_a_changed_and_a_missing_file_are_named(tmp_path: Path) -> None:
    (tmp_path / "changed").write_text("old")
    (tmp_path / "current").write_text("same")
    wanted = {tmp_path / "changed": "new", tmp_path / "current": "same", tmp_path / "missing": "x"}
    assert stale(wanted) == [tmp_path / "changed", tmp_path / "missing"]
