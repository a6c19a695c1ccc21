"""Watching a run: its steps among all nodes of the graph, the one that failed, a server that is away for a while."""

from __future__ import annotations

import pytest

from robustcert.errors import WorldError
from robustcert.kubeflow.answers import AnswerError
from robustcert.kubeflow.client import KubeflowClient
from robustcert.kubeflow.records import Run, Task
from robustcert.kubeflow.runs import RunOrder
from robustcert.kubeflow.watch import StepState, failed_step, is_gate, step_states, wait_for
from tests.kubeflow.conftest import Clock
from tests.kubeflow.stand_in import StandIn
from tests.kubeflow.stand_in_http import Fault

STEPS = ["validate", "train", "certify", "gate"]


def run_of(*tasks: tuple[str, str, str]) -> Run:
    return Run(
        run_id="r",
        display_name="n",
        experiment_id="e",
        state="RUNNING",
        created_at="",
        error="",
        tasks=tuple(Task(name=name, state=state, ended_at=end, error="") for name, state, end in tasks),
    )


def test_steps_are_picked_from_all_nodes_and_loop_turns_add_up() -> None:
    run = run_of(
        ("root-driver", "SUCCEEDED", "1"),
        ("validate-driver", "SUCCEEDED", "1"),
        ("executor", "FAILED", "1"),
        ("certify", "SUCCEEDED", "3"),
        ("certify", "RUNNING", ""),
        ("validate", "SUCCEEDED", "2"),
    )
    assert step_states(run, STEPS) == [
        StepState(name="validate", state="SUCCEEDED", done=1, total=1),
        StepState(name="certify", state="RUNNING", done=1, total=2),
    ]


@pytest.mark.parametrize(
    ("states", "state"),
    [
        (["SUCCEEDED", "FAILED", "RUNNING"], "FAILED"),
        (["SUCCEEDED", "PENDING"], "PENDING"),
        (["SUCCEEDED", "SKIPPED"], "SUCCEEDED"),
        (["CANCELED", "RUNNING"], "CANCELED"),
        (["NEW_STATE"], "PENDING"),
    ],
)
def test_a_step_is_in_the_state_that_matters_most(states: list[str], state: str) -> None:
    (step,) = step_states(run_of(*[("train", one, "") for one in states]), STEPS)
    assert step.state == state


def test_the_step_that_failed_first_is_named_before_the_graph_around_it() -> None:
    run = run_of(("root", "FAILED", "1"), ("train", "FAILED", "3"), ("validate", "FAILED", "2"))
    found = failed_step(run, STEPS)
    assert found is not None
    assert found.name == "validate"
    other = failed_step(run_of(("root-driver", "FAILED", "1")), STEPS)
    assert other is not None
    assert other.name == "root-driver"
    assert failed_step(run_of(("train", "SUCCEEDED", "1")), STEPS) is None


def test_a_gate_is_known_by_its_name() -> None:
    assert [is_gate(name) for name in ("gate", "gate-2", "gateway", "investigate")] == [True, True, False, False]


def test_every_look_is_shown_until_the_run_has_ended(
    server: StandIn, client: KubeflowClient, order: RunOrder, clock: Clock
) -> None:
    run = client.create_run(order.body())
    for state in ("PENDING", "RUNNING", "SUCCEEDED"):
        server.then(state)
    server.faults.append(Fault(method="GET", path=f"/runs/{run.run_id}", status=503))
    seen: list[str] = []
    ended = wait_for(client, run.run_id, show=lambda one: seen.append(one.state), every_seconds=5, clock=clock)
    assert seen == ["PENDING", "RUNNING", "SUCCEEDED"]
    assert ended.succeeded


def test_a_server_that_is_away_for_too_long_is_told_and_the_run_goes_on(
    server: StandIn, client: KubeflowClient, order: RunOrder, clock: Clock
) -> None:
    run = client.create_run(order.body())
    server.faults.append(Fault(method="GET", path="/runs", times=999, status=502))
    with pytest.raises(WorldError, match=r"expected news of run \S+ within 60 s, got .*502.*; submit again to go on"):
        wait_for(client, run.run_id, show=print, every_seconds=5, patience_seconds=60, clock=clock)
    assert server.terminated == []


def test_a_run_that_was_deleted_is_told_at_once(client: KubeflowClient, clock: Clock) -> None:
    with pytest.raises(AnswerError, match="Run gone not found"):
        wait_for(client, "gone", show=print, every_seconds=5, clock=clock)
