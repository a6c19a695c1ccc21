"""How a run on the cluster shows itself: a bar for each step on a terminal, a line for each change elsewhere."""

from __future__ import annotations

import time
from collections.abc import Sequence
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from robustcert.kubeflow.records import Run
from robustcert.kubeflow.watch import StepState, step_states


class RunStates:
    """Shows one run, look by look; use as a context."""

    def __init__(self, console: Console, steps: Sequence[str]) -> None:
        columns = (
            TextColumn("{task.description:<24}", markup=False),
            BarColumn(),
            TextColumn("{task.fields[state]}", markup=False),
            TimeElapsedColumn(),
        )
        self._bars = Progress(*columns, console=console, disable=not console.is_terminal)
        self._console = console
        self._steps = steps
        self._tasks: dict[str, TaskID] = {}
        self._seen: dict[str, StepState] = {}
        self._started = time.monotonic()

    def __enter__(self) -> RunStates:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()

    def show(self, run: Run) -> None:
        """Takes one look at the run."""
        for step in step_states(run, self._steps):
            if self._seen.get(step.name) != step:
                self._seen[step.name] = step
                self._bar(step)
                if not self._console.is_terminal:
                    self._print(step)

    def _bar(self, step: StepState) -> None:
        if step.name not in self._tasks:
            self._tasks[step.name] = self._bars.add_task(step.name, total=step.total, state=step.state)
        self._bars.update(self._tasks[step.name], completed=step.done, total=step.total, state=step.state)

    def _print(self, step: StepState) -> None:
        seconds = time.monotonic() - self._started
        line = f"{seconds:6.1f} s  {step.name:<24} {step.state:<10} {step.done}/{step.total}"
        self._console.print(line, highlight=False)
