"""Generated files: the committed ones are current, and a changed one is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools import generate
from tools.generate import check, generated, stale, write


def test_every_committed_file_is_current() -> None:
    assert stale(generated()) == []


def test_a_changed_and_a_missing_file_are_named(tmp_path: Path) -> None:
    (tmp_path / "changed").write_text("old")
    (tmp_path / "current").write_text("same")
    wanted = {tmp_path / "changed": "new", tmp_path / "current": "same", tmp_path / "missing": "x"}
    assert stale(wanted) == [tmp_path / "changed", tmp_path / "missing"]


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of two generated files, of which the second is made from the first, and a left-over one."""
    first, second = tmp_path / "first", tmp_path / "below/second"
    steps = (lambda: {first: "1"}, lambda: {second: first.read_text() + "2"})
    monkeypatch.setattr(generate, "ROOT", tmp_path)
    monkeypatch.setattr(generate, "STEPS", steps)
    monkeypatch.setattr(generate.chart_files, "orphans", lambda: sorted(tmp_path.glob("gone")))
    monkeypatch.setattr(generate.pipelines, "main", lambda: None)
    (tmp_path / "gone").write_text("")
    return tmp_path


def test_files_are_written_in_the_order_of_their_making_and_left_over_ones_removed(
    small: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write()
    assert (small / "below/second").read_text() == "12"
    assert capsys.readouterr().out == "wrote first\nwrote below/second\nremoved gone\n"
    check()
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("name", ["first", "gone"])
def test_what_is_out_of_date_or_left_over_fails_the_check(
    small: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    write()
    (small / name).write_text("other")
    (small / "below/second").write_text("other2")
    capsys.readouterr()
    with pytest.raises(SystemExit, match="1"):
        check()
    assert f"{name}: out of date; run `make generate` and commit the result\n" in capsys.readouterr().out
