"""The benchmark of the controller over HTTP, small: one run for each episode and model version, across restarts."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from benchmarks import webhook


def test_each_episode_leads_to_one_run_across_duplicates_and_restarts(tmp_path: Path) -> None:
    found = webhook.measure(tmp_path, models=5, rounds=2, restarts=2)
    assert (found.deliveries, found.episodes) == (1000, 100)
    assert len(found.runs) == len(set(found.runs)) == found.expected_runs == 10
    assert found.requests_of_episode == {1: 100}
    assert found.alerts_a_second > 0
    assert found.quantile(0.5) <= found.quantile(0.99) <= found.seconds[-1]


def test_a_figure_that_is_wrong_is_seen() -> None:
    found = webhook.Figures(
        deliveries=1,
        timed=1,
        processor_seconds=1.0,
        alerts_a_second=1.0,
        seconds=[0.1, 0.2],
        memory=[1024],
        models=1,
        runs=["one", "one"],
        expected_runs=1,
        episodes=1,
        requests_of_episode=Counter({2: 1}),
    )
    told = "\n".join(found.told())
    assert "2 runs, 1 expected, 1 names twice" in told
    assert "p99 200.0 ms" in told
