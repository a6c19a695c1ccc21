"""The drift benchmark runs, in its small form, and both ways find the planted column."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from benchmarks import drift
from robustcert.drift.histogram import ColumnCounts


def printed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: str) -> list[str]:
    monkeypatch.setattr(sys, "argv", ["drift.py", *arguments])
    drift.main()
    return capsys.readouterr().out.splitlines()


def test_the_comparison_prints_cost_and_finding_of_both_ways(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ours, theirs, ratio = printed(monkeypatch, capsys, "--small")
    for way, line in (("robustcert", ours), ("evidently preset", theirs)):
        assert re.search(rf"2,000 rows x 30  {way} +[\d.]+ s wall +[\d.]+ s CPU +\d+ MiB peak", line)
    assert ours.endswith(f"drifted: {drift.DRIFTED}")
    assert drift.DRIFTED in theirs.partition("drifted: ")[2]
    assert 0 < float(ratio.split()[5]) < 1


def test_a_stream_tells_its_memory_as_it_goes_and_finds_the_drift(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    *told, last = printed(monkeypatch, capsys, "--stream", "150000")
    assert [int(line.partition(" rows")[0].replace(",", "")) for line in told] == [65_536, 131_072, 150_000]
    assert last == f"drifted: {drift.DRIFTED}"


def test_cells_are_cut_from_rows_all_over_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With every tenth row of a file, each of its cells still holds about one part in 1,024 of all rows."""
    monkeypatch.setattr(drift, "SAMPLE", 10_000)
    drift._write(tmp_path / "reference", 100_000, shift=0.0, seed=1)
    cells = drift._cells(tmp_path / "reference")
    counts: dict[str, ColumnCounts] = drift._counted(cells, drift._batches(tmp_path / "reference"))
    inner = counts["number0"].counts[1:-2]
    assert (counts["number0"].n, len(inner)) == (100_000, 1_024)
    assert inner.max() < 3 * 100_000 / 1_024
