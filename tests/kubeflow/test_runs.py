"""One run for one key, whatever is lost on the way."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from robustcert.kubeflow.answers import AnswerError
from robustcert.kubeflow.client import KubeflowClient
from robustcert.kubeflow.intents import held_intent
from robustcert.kubeflow.runs import Care, RunOrder, find_active, find_runs, submit_once
from tests.kubeflow.conftest import Clock
from tests.kubeflow.stand_in import StandIn
from tests.kubeflow.stand_in_http import Fault


def test_the_second_call_finds_what_the_first_one_started(
    server: StandIn, client: KubeflowClient, order: RunOrder, care: Care
) -> None:
    first, second = (submit_once(client, order, care=care) for _ in range(2))
    assert (first.started, second.started) == (True, False)
    assert first.run == second.run
    assert len(server.runs) == 1


@pytest.mark.parametrize("state", ["PENDING", "RUNNING", "PAUSED", "CANCELING", "SUCCEEDED"])
@pytest.mark.parametrize("again", [False, True])
def test_an_active_or_succeeded_run_is_taken(
    server: StandIn, client: KubeflowClient, order: RunOrder, care: Care, state: str, again: bool
) -> None:
    submit_once(client, order, care=care)
    server.change(server.runs[0], state)
    found = submit_once(client, order, care=care, again=again)
    assert (found.started, found.run.state, len(server.runs)) == (False, state, 1)


@pytest.mark.parametrize("state", ["FAILED", "CANCELED", "SKIPPED"])
def test_a_failed_run_stays_the_answer_until_somebody_says_again(
    server: StandIn, client: KubeflowClient, order: RunOrder, care: Care, state: str
) -> None:
    submit_once(client, order, care=care)
    server.change(server.runs[0], state)
    assert submit_once(client, order, care=care).run.state == state
    assert len(server.runs) == 1
    anew = submit_once(client, order, care=care, again=True)
    assert (anew.started, len(server.runs)) == (True, 2)
    assert submit_once(client, order, care=care, again=True).run == anew.run
    assert len(server.runs) == 2


def test_a_run_whose_answer_was_lost_is_found_again(
    server: StandIn, client: KubeflowClient, order: RunOrder, care: Care
) -> None:
    server.faults.append(Fault(lost=True))
    found = submit_once(client, order, care=care)
    assert [run["run_id"] for run in server.runs] == [found.run.run_id]


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_a_request_that_was_refused_for_a_while_is_made_again_after_looking(
    server: StandIn, client: KubeflowClient, order: RunOrder, care: Care, status: int
) -> None:
    server.faults.append(Fault(times=2, status=status))
    submit_once(client, order, care=care)
    assert len(server.runs) == 1
    posts = [number for number, request in enumerate(server.requests) if request.path.endswith("/runs")]
    methods = [server.requests[number].method for number in posts]
    assert methods.count("POST") == 3
    assert "GET" in methods[methods.index("POST") + 1 : len(methods) - 1 - methods[::-1].index("POST")]


def test_a_server_that_never_answers_is_given_up(
    server: StandIn, client: KubeflowClient, order: RunOrder, care: Care
) -> None:
    server.faults.append(Fault(times=99, status=503))
    with pytest.raises(AnswerError, match="503"):
        submit_once(client, order, care=care)
    assert len([one for one in server.requests if (one.method, one.path[-5:]) == ("POST", "/runs")]) == 3
    assert server.runs == []


def test_a_refusal_is_told_at_once_and_nothing_is_remembered(
    server: StandIn, client: KubeflowClient, order: RunOrder, care: Care
) -> None:
    with pytest.raises(AnswerError, match="Experiment none not found"):
        submit_once(client, replace(order, experiment_id="none"), care=care)
    with held_intent(care.folder, order.display_name) as intent:
        assert intent.read() is None


def test_a_run_that_appears_late_is_waited_for_by_the_next_process(
    server: StandIn, client: KubeflowClient, order: RunOrder, care: Care, clock: Clock
) -> None:
    """The first process was killed after it had asked; the server is still busy with it."""
    with held_intent(care.folder, order.display_name) as intent:
        intent.write(at=clock(), known=())
    pauses = []

    def appear_at_the_third_look(seconds: float) -> None:
        clock.pause(seconds)
        pauses.append(seconds)
        if len(pauses) == 3:
            client.create_run(order.body())

    client.pause = appear_at_the_third_look
    found = submit_once(client, order, care=care)
    assert (found.started, len(server.runs), len(pauses)) == (False, 1, 3)


@pytest.mark.parametrize("age", [31.0, 1e9, -60.0])
def test_what_was_asked_for_long_ago_is_not_waited_for(
    server: StandIn, client: KubeflowClient, order: RunOrder, care: Care, clock: Clock, age: float
) -> None:
    with held_intent(care.folder, order.display_name) as intent:
        intent.write(at=clock() - age, known=())
    begun = clock()
    assert submit_once(client, order, care=care).started
    assert clock() == begun


def test_machines_that_ask_at_once_end_up_with_one_active_run(
    server: StandIn, connect: Callable[..., KubeflowClient], order: RunOrder, care: Care
) -> None:
    server.faults.append(Fault(times=4, delay=0.2))
    cares = [replace(care, folder=care.folder / str(number)) for number in range(4)]
    clients = [connect(server.host) for _ in cares]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda pair: submit_once(pair[0], order, care=pair[1]), zip(clients, cares, strict=True)))
    active = [run for run in find_runs(clients[0], order.display_name) if run.active]
    assert len(server.runs) == 4
    assert len(active) == 1
    assert active[0].run_id == min(found, key=lambda one: one.run.age_key).run.run_id


def test_only_the_exact_name_counts(server: StandIn, client: KubeflowClient, order: RunOrder, care: Care) -> None:
    """The server's database compares without case."""
    client.create_run(replace(order, display_name=order.display_name.upper()).body())
    assert submit_once(client, order, care=care).started


def test_an_archived_run_does_not_count(server: StandIn, client: KubeflowClient, order: RunOrder, care: Care) -> None:
    submit_once(client, order, care=care)
    server.runs[0]["storage_state"] = "ARCHIVED"
    assert submit_once(client, order, care=care).started


def test_active_runs_are_found_by_the_start_of_their_names(
    server: StandIn, client: KubeflowClient, order: RunOrder
) -> None:
    for name in ("recertification-a_b-1", "recertification-a_b-2", "recertification-axb-3", "x-recertification-a_b-4"):
        client.create_run(replace(order, display_name=name).body())
    server.change(server.runs[1], "SUCCEEDED")
    found = find_active(client, prefix="recertification-a_b-")
    assert [run.display_name for run in found] == ["recertification-a_b-1"]


def test_a_service_account_is_sent_where_one_is_named(order: RunOrder) -> None:
    assert replace(order, service_account="trainer").body()["service_account"] == "trainer"
