"""How a run shows itself: one bar per step on a terminal, one line per step and result elsewhere."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from robustcert.local_run import Progress as Event

SHARD = re.compile(r"shard \d+/(?P<of>\d+)")
STEPS = (
    "data_validation",
    "adversarial_training",
    "robustness_evaluation",
    "certification_plan",
    "certification",
    "certificate_issue",
    "publish",
)


class StepBars:
    """Shows progress events of `steps`, in that order; use as a context."""

    def __init__(self, console: Console, *, steps: Sequence[str] = STEPS) -> None:
        columns = (
            TextColumn("{task.description:<24}", markup=False),
            BarColumn(),
            TextColumn("{task.fields[text]}", markup=False),
            TimeElapsedColumn(),
        )
        self._bars = Progress(*columns, console=console, disable=not console.is_terminal)
        self._console = console
        self._steps = steps
        self._tasks: dict[str, TaskID] = {}
        self._parts: dict[str, dict[str, tuple[int, int]]] = {}
        self._started = time.monotonic()
        self._printed: set[tuple[str, str]] = set()

    def __enter__(self) -> StepBars:
        self._bars.start()
        for step in self._steps:
            self._tasks[step] = self._bars.add_task(step, total=1, text="waiting", start=False)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()

    def show(self, event: Event) -> None:
        """Takes one event; shards of a step add up to one bar."""
        if event.step not in self._tasks:
            return
        part = event.text if event.text.startswith("shard") else ""
        parts = self._parts.setdefault(event.step, {})
        parts[part] = (event.done, event.total)
        done, total = (sum(column) for column in zip(*parts.values(), strict=True))
        task = self._tasks[event.step]
        self._bars.start_task(task)
        self._bars.update(task, completed=done, total=total, text=event.text)
        if not self._console.is_terminal:
            self._print(event, finished=done == total and _all_seen(parts))

    def _print(self, event: Event, *, finished: bool) -> None:
        moment = "done" if finished else "started"
        if (event.step, moment) not in self._printed:
            self._printed |= {(event.step, moment), (event.step, "started")}
            seconds = time.monotonic() - self._started
            self._console.print(f"{seconds:6.1f} s  {event.step:<22} {moment:<8} {event.text}", highlight=False)


def _all_seen(parts: Mapping[str, object]) -> bool:
    """Whether every shard has shown itself: they run a few at a time; one that was done before gives no name."""
    named = (SHARD.match(part) for part in parts)
    shards = max((int(found["of"]) for found in named if found), default=0)
    return len(parts) >= shards or "" in parts
