"""Progress on something that is no terminal: a line when a step starts and one when it is done."""

from __future__ import annotations

import io

from rich.console import Console

from robustcert.commands.progress import StepBars
from robustcert.local_run import Progress


def test_each_step_is_said_to_start_and_to_end_once_over_all_its_shards() -> None:
    text = io.StringIO()
    with StepBars(Console(file=text, width=200)) as bars:
        for shard, done in (("shard 1/2", 1), ("shard 2/2", 1), ("shard 1/2", 4), ("shard 2/2", 2), ("shard 2/2", 4)):
            bars.show(Progress(step="certification", done=done, total=4, text=shard))
        bars.show(Progress(step="gate", done=1, total=1, text=""))
    lines = [line.split()[2:5] for line in text.getvalue().splitlines()]
    assert lines == [["certification", "started", "shard"], ["certification", "done", "shard"]]


def test_shards_that_have_not_started_are_waited_for() -> None:
    text = io.StringIO()
    with StepBars(Console(file=text, width=200)) as bars:
        for shard in ("shard 1/3", "shard 2/3"):
            bars.show(Progress(step="certification", done=4, total=4, text=shard))
        assert "done" not in text.getvalue()
        bars.show(Progress(step="certification", done=4, total=4, text="shard 3/3"))
    assert text.getvalue().split()[-3:] == ["done", "shard", "3/3"]


def test_only_the_steps_of_the_pipeline_have_bars() -> None:
    text = io.StringIO()
    with StepBars(Console(file=text, width=120), steps=["model_import"]) as bars:
        bars.show(Progress(step="adversarial_training", done=1, total=1, text="not here"))
        bars.show(Progress(step="model_import", done=1, total=1, text="own model"))
    assert ("not here" in text.getvalue(), "own model" in text.getvalue()) == (False, True)


def test_a_terminal_gets_bars() -> None:
    text = io.StringIO()
    with StepBars(Console(file=text, width=120, force_terminal=True)) as bars:
        bars.show(Progress(step="adversarial_training", done=1, total=2, text="epoch"))
    assert "adversarial_training" in text.getvalue()
