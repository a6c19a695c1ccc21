"""robustcert estimate: the table, the choice of shards, and bad input in one line."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from robustcert.commands.estimate import duration, seconds_of
from robustcert.errors import InputError
from robustcert.estimate import calibration, prediction
from robustcert.estimate.calibration import Calibration
from tests.chain import small_specification
from tests.command_line import CommandLine
from tests.estimate.test_prediction import CALIBRATION


@pytest.fixture
def specification(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A specification of two blocks on a machine whose speed is known."""

    def known(*_: object, **__: object) -> Calibration:
        return CALIBRATION

    monkeypatch.setattr(prediction, "calibrate", known)
    monkeypatch.setattr("robustcert.data.planned_samples.DRAWS_PER_BLOCK", 8 * 544)
    (tmp_path / "spec.yaml").write_text(small_specification())
    return tmp_path / "spec.yaml"


def test_the_table_names_every_step_and_every_assumption(command_line: CommandLine, specification: Path) -> None:
    """8 epochs of 3.5 s after 1.5 s, 34 batches of votes of 5 s and 2 blocks of 1 s."""
    found = command_line("estimate", specification, "--shards", 2)
    assert (found.status, found.err) == (0, "")
    words = " ".join(found.out.split())
    for text in ("adversarial_training", "a GPU 30 s", "172 s", "robustness_evaluation", "certificate_issue"):
        assert text in words
    assert "process starts 7 processes cpu 14 s" in words
    assert "shards 2 of at most 2; from start to end" in words
    assert "memory 1280 MiB for each process" in words
    assert "assumed this machine (a GPU), one core or GPU for each process" in words


def test_of_a_method_that_stops_early_both_ends_are_told(command_line: CommandLine, specification: Path) -> None:
    text = specification.read_text().replace("  n: 512", "  n: 512\n  method: group-sequential")
    specification.write_text(text)
    words = " ".join(command_line("estimate", specification, "--shards", 1).out.split())
    assert re.search(r" \d+ to 34, about \d+, passes of 256 noisy copies", words)
    assert re.search(r" \d+ s \(\d+ s to 17\d s\)", words)
    assert "undecided the method stops when it knows enough" in words
    assert "undecided" not in command_line("estimate", fixed(specification), "--shards", 1).out


def fixed(specification: Path) -> Path:
    specification.write_text(small_specification())
    return specification


def test_a_small_run_on_the_real_machine_is_estimated(
    command_line: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calibration, "TIMED_SECONDS", 0.0)
    monkeypatch.setattr(calibration, "START", "pass")
    monkeypatch.setattr(calibration, "OPTIMIZER", "")
    (tmp_path / "spec.yaml").write_text(small_specification())
    found = command_line("estimate", tmp_path / "spec.yaml")
    assert (found.status, found.err) == (0, "")
    words = " ".join(found.out.split())
    assert "8 epochs: 72 updates, 216 attack steps" in words
    assert "shards 1 of at most 1" in words


def test_the_shards_for_a_wished_time_are_chosen(command_line: CommandLine, specification: Path) -> None:
    for within, shards in (("2h", 1), ("220s", 2)):
        assert f"shards       {shards} of at most 2" in command_line("estimate", specification, "--within", within).out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--within", "10s"], "expected at least 202 s with any number of shards, got 10 s; allow more time, or"),
        (["--within", "soon"], "expected a time such as 90s, 30m or 2h, got 'soon'; write a number and s, m or h"),
        (["--within", "2h", "--shards", "3"], "expected --shards or --within, got both; leave one out"),
        (["--shards", "0"], "Invalid value for '--shards'"),
    ],
)
def test_wrong_options_are_exit_2_and_one_line(
    command_line: CommandLine, specification: Path, arguments: list[str], message: str
) -> None:
    found = command_line("estimate", specification, *arguments)
    assert (found.status, found.out, found.err.count("\n")) == (2, "", 1)
    assert message in found.err


def test_a_specification_that_is_wrong_or_missing_is_exit_2_and_one_line(
    command_line: CommandLine, tmp_path: Path
) -> None:
    (tmp_path / "wrong.yaml").write_text("name: 1\n")
    for name in ("wrong.yaml", "none.yaml"):
        found = command_line("estimate", tmp_path / name)
        assert (found.status, found.out, found.err.count("\n")) == (2, "", 1)


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("30m", 1800), ("1.5h", 5400)])
def test_a_time_is_a_number_and_a_unit(text: str, seconds: float) -> None:
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["", "90", "m", "-1m", "0s", "1d", "1e3s", "nan s", "1 m", "٣m"])
def test_anything_else_is_no_time(text: str) -> None:
    with pytest.raises(InputError, match=r"^expected a time such as 90s, 30m or 2h, got "):
        seconds_of(text)


def test_durations_are_rounded_up() -> None:
    assert [duration(value) for value in (0.01, 599.2, 600, 601, 3600)] == ["1 s", "600 s", "10 min", "10.1 min", "1 h"]
