"""Watching a run to its end: its tasks as steps, and which of them failed."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from robustcert.errors import WorldError, expected
from robustcert.kubeflow.answers import AnswerError
from robustcert.kubeflow.client import KubeflowClient
from robustcert.kubeflow.records import FINISHED, Run, Task

GATE = "gate"


@dataclass(frozen=True, kw_only=True)
class StepState:
    """How far a step is: `done` of `total` of its tasks, and the state of the one that matters most."""

    name: str
    state: str
    done: int
    total: int


# The first of these that a task of the step has is the step's state.
_WEIGHT = ("FAILED", "CANCELED", "CANCELING", "RUNNING", "PAUSED", "PENDING", "SUCCEEDED", "SKIPPED")


def step_states(run: Run, steps: Sequence[str]) -> list[StepState]:
    """The state of each of `steps` that the run has come to, in their order.

    The server lists every node of the graph, drivers and loop turns among them; only those named as a step count.
    """
    tasks = {step: [task for task in run.tasks if task.name == step] for step in steps}
    return [_step_state(step, found) for step, found in tasks.items() if found]


def failed_step(run: Run, steps: Sequence[str]) -> Task | None:
    """The step that failed first; another node that failed where no step did; None where none failed."""
    failed = sorted((task for task in run.tasks if task.state == "FAILED"), key=lambda task: task.ended_at)
    named = [task for task in failed if task.name in steps]
    return next(iter((*named, *failed)), None)


def is_gate(step: str) -> bool:
    """Whether a step is a gate: it fails where a claim is not met, after all reports are stored."""
    return step == GATE or step.startswith(f"{GATE}-")


def wait_for(
    client: KubeflowClient,
    run_id: str,
    *,
    show: Callable[[Run], None],
    every_seconds: float,
    patience_seconds: float = 600.0,
    clock: Callable[[], float] = time.monotonic,
) -> Run:
    """The run when it has ended; `show` is called with each look at it.

    WorldError where the server could not answer for `patience_seconds`; the run goes on meanwhile.
    """
    heard = clock()
    while True:
        try:
            run = client.run(run_id)
        except AnswerError as error:
            if not error.transient:
                raise
            if clock() > heard + patience_seconds:
                what = f"news of run {run_id} within {patience_seconds:.0f} s"
                raise WorldError(expected(what, got=str(error), remedy="submit again to go on watching")) from error
        else:
            heard = clock()
            show(run)
            if not run.active:
                return run
        client.pause(every_seconds)


def _step_state(name: str, tasks: Sequence[Task]) -> StepState:
    states = {task.state for task in tasks}
    state = next((state for state in _WEIGHT if state in states), "PENDING")
    return StepState(name=name, state=state, done=sum(task.state in FINISHED for task in tasks), total=len(tasks))
