"""The benchmark of the counters runs, in a small form, and both sides count the same facts."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from benchmarks import stream_counters
from benchmarks.stream_counters import BATCH, main


def test_every_way_is_printed_with_its_unit(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["stream_counters.py", "--predictions", "64"])
    main()
    *ways, scrape = capsys.readouterr().out.splitlines()
    assert [line.partition(":")[0] for line in ways] == ["robustcert", *["prometheus_client"] * 2, *["robustcert"] * 3]
    assert all(float(line[58:].split()[0]) > 0 and "microseconds a prediction" in line for line in ways)
    assert scrape.startswith("scrape of ")


def test_our_side_counts_what_it_is_timed_for(tmp_path: Path) -> None:
    reference = stream_counters._reference()
    observer = stream_counters.Observer(reference)
    stream_counters._observe(observer, rows=BATCH)(BATCH * 3)
    assert observer.counters.counts().outcomes["predicted"] == BATCH * 3
