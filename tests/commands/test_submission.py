"""What a submission says about failures, and where it keeps its notes; test_submit.py runs the whole command."""

from __future__ import annotations

from pathlib import Path

import pytest

from robustcert.commands.submission import failure, state_folder
from robustcert.kubeflow.records import Run, Task

STEPS = ["data-validation", "certification", "gate", "gate-2"]


def ended(state: str, *tasks: tuple[str, str], error: str = "") -> Run:
    failed = [Task(name=name, state="FAILED", ended_at=str(at), error=text) for at, (name, text) in enumerate(tasks)]
    return Run(
        run_id="r", display_name="n", experiment_id="e", state=state, created_at="", error=error, tasks=tuple(failed)
    )


@pytest.mark.parametrize(
    ("run", "line"),
    [
        (ended("CANCELED"), "the run ended CANCELED"),
        (ended("FAILED", error="quota exceeded"), "the run ended FAILED: quota exceeded"),
        (ended("FAILED", ("certification", "out of memory")), "step certification failed: out of memory"),
        (ended("FAILED", ("root", ""), ("certification", "")), "step certification failed; its log has the cause"),
        (ended("FAILED", ("gate-2", "exit code 1")), "gate-2 did not pass: the data or the model did not meet"),
    ],
)
def test_a_failure_is_one_line_that_names_the_step(run: Run, line: str) -> None:
    assert failure(run, STEPS).startswith(line)


def test_notes_are_kept_where_the_user_keeps_such_things(tmp_path: Path) -> None:
    assert state_folder(tmp_path, {}) == tmp_path
    assert state_folder(None, {"XDG_STATE_HOME": "/s"}) == Path("/s/robustcert/submissions")
    assert state_folder(None, {"HOME": "/h"}) == Path("/h/.local/state/robustcert/submissions")
