"""The power benchmark runs, in its small form; Evidently's scores are those of its own report."""

from __future__ import annotations

import re
import sys

import numpy as np
import pytest

from benchmarks.drift_power import SHIFTS, _threshold, evidently_score, main

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of what evidently imports


def test_false_alarms_and_power_are_printed_with_intervals(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["drift_power.py", "--small", "--peer-replicates", "12"])
    main()
    title, *lines = capsys.readouterr().out.splitlines()
    interval, whole = (rf"\d\.\d{{3}} \[\d\.\d{{3}}, \d\.\d{{3}}\] \(\d+ of {of}, 95 %\)" for of in (12, 20))
    assert re.fullmatch(
        rf"mixed columns, 200 reference and 200 window rows: false alarms at alpha 0.05: {whole}", title
    )
    ours, theirs = lines[::2], lines[1::2]
    assert [re.fullmatch(rf" +([\d.]+) sd: ours {interval}", line)[1] for line in ours] == [
        f"{shift}" for shift in (0.0, *SHIFTS)
    ]
    assert all(re.fullmatch(rf" +Evidently {interval}, equally often: p = [\d.e-]+", line) for line in theirs)
    assert "(12 of 12" in ours[-1]


@pytest.mark.parametrize("rows", [200, 1_200])
def test_a_score_of_evidently_is_the_one_in_its_report(rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Below and above the reference size at which its default changes from p-values to distances."""
    monkeypatch.setenv("DO_NOT_TRACK", "1")
    import pandas as pd
    from evidently import DataDefinition, Dataset, Report
    from evidently.metrics import ValueDrift

    rng = np.random.default_rng(rows)
    before, after = rng.normal(size=rows), rng.normal(0.2, size=rows)
    definition = DataDefinition(numerical_columns=["c"])
    frames = (
        Dataset.from_pandas(pd.DataFrame({"c": values}), data_definition=definition) for values in (after, before)
    )
    value = Report([ValueDrift(column="c")]).run(*frames).dict()["metrics"][0]["value"]
    assert abs(evidently_score(before, after)) == pytest.approx(float(value), rel=1e-9)
    assert (evidently_score(before, after) < 0) == (rows == 200)


def test_the_calibrated_threshold_raises_as_many_alarms_as_asked() -> None:
    clean = np.array([0.3, 0.9, 0.1, 0.7])
    assert [(clean > _threshold(clean, alarms)).sum() for alarms in (0, 1, 3)] == [0, 1, 3]
