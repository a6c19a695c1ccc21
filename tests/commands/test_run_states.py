"""A run's progress: a line for each change where there is no terminal, bars where there is one."""

from __future__ import annotations

import io

from rich.console import Console

from robustcert.commands.run_states import RunStates
from robustcert.kubeflow.records import Run, Task


def look(*tasks: tuple[str, str]) -> Run:
    return Run(
        run_id="r",
        display_name="n",
        experiment_id="e",
        state="RUNNING",
        created_at="",
        error="",
        tasks=tuple(Task(name=name, state=state, ended_at="", error="") for name, state in tasks),
    )


LOOKS = [
    look(("validate", "RUNNING"), ("executor", "RUNNING")),
    look(("validate", "RUNNING")),
    look(("validate", "SUCCEEDED"), ("certify", "RUNNING"), ("certify", "PENDING")),
    look(("validate", "SUCCEEDED"), ("certify", "SUCCEEDED"), ("certify", "SUCCEEDED")),
]


def test_each_change_is_one_line() -> None:
    text = io.StringIO()
    with RunStates(Console(file=text, width=200), ["validate", "certify"]) as states:
        for run in LOOKS:
            states.show(run)
    assert [line.split()[2:] for line in text.getvalue().splitlines()] == [
        ["validate", "RUNNING", "0/1"],
        ["validate", "SUCCEEDED", "1/1"],
        ["certify", "RUNNING", "0/2"],
        ["certify", "SUCCEEDED", "2/2"],
    ]


def test_a_terminal_gets_bars() -> None:
    text = io.StringIO()
    with RunStates(Console(file=text, width=120, force_terminal=True), ["validate", "certify"]) as states:
        for run in LOOKS:
            states.show(run)
    assert "certify" in text.getvalue()
    assert "SUCCEEDED" in text.getvalue()
