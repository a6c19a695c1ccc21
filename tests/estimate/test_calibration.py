"""Calibration: what is timed and how. Oracle: a clock of our own, and a real run of a small specification."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import yaml

from robustcert.data.build import build_dataset
from robustcert.data.dataset import Dataset
from robustcert.data.sources import load_raw
from robustcert.estimate import calibration
from robustcert.estimate.calibration import FEWEST_RUNS, calibrate, seconds
from robustcert.specification import Specification
from robustcert.specification_file import parse_specification
from tests.chain import Chain, small_specification


def test_seconds_are_the_median_of_runs_after_one_that_is_not_timed() -> None:
    passing, times = iter([5.0, 1.0, 2.0, 9.0, 0.0]), [0.0]

    def run() -> None:
        times.append(times[-1] + next(passing))

    assert seconds(run, clock=lambda: times[-1]) == 2.0
    assert len(times) == 2 + FEWEST_RUNS


def test_short_work_is_timed_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calibration, "TIMED_SECONDS", 10.0)
    ticks = iter(np.arange(0, 100, 0.5))
    runs: list[int] = []
    assert seconds(lambda: runs.append(1), clock=lambda: float(next(ticks))) == 0.5
    assert len(runs) == 1 + 20


def digits(text: str) -> tuple[Specification, Dataset]:
    written = parse_specification(text).specification
    return written, build_dataset(written.data, load_raw(written.data, folder=Path()), seed=written.seed)


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calibration, "TIMED_SECONDS", 0.0)
    monkeypatch.setattr(calibration, "START", "pass")
    monkeypatch.setattr(calibration, "OPTIMIZER", "")


def test_a_specification_with_training_has_a_time_for_everything() -> None:
    found = asdict(calibrate(*digits(small_specification()), folder=Path()))
    assert all(value > 0 for name, value in found.items() if name not in ("device", "epoch", "optimizer"))
    assert found["epoch"] >= 0
    assert found["optimizer"] >= 0
    assert found["memory_bytes"] > 100 << 20


def test_a_batch_of_votes_costs_the_same_however_many_are_wanted() -> None:
    document = yaml.safe_load(small_specification())
    document["certification"]["n"] = 512_000
    many = calibrate(*digits(yaml.safe_dump(document)), folder=Path()).vote_batch
    few = calibrate(*digits(small_specification()), folder=Path()).vote_batch
    assert few / 20 < many < 20 * few


def test_an_own_model_is_timed_without_training(chain: Chain, tmp_path: Path) -> None:
    document = yaml.safe_load(small_specification())
    document.pop("training")
    (tmp_path / "own.safetensors").write_bytes((chain.bundle / "model.safetensors").read_bytes())
    document["model"] = {**document["model"], "weights": "own.safetensors"}
    found = calibrate(*digits(yaml.safe_dump(document)), folder=tmp_path)
    assert (found.epoch, found.validation) == (None, None)
    assert found.gradient > 0
