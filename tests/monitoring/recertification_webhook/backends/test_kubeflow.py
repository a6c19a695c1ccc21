"""The Kubeflow backend against the stand-in server: its requests, its errors, and what it says of runs."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from monitoring.recertification_webhook.backends.backend import BackendError, Order, make_backend
from monitoring.recertification_webhook.backends.kubeflow import KubeflowBackend
from monitoring.recertification_webhook.settings import BackendSettings, KubeflowSettings, Settings
from robustcert.errors import InputError
from robustcert.kubeflow.client import KubeflowClient
from robustcert.kubeflow.compiled import inputs_of, shipped_pipeline
from robustcert.kubeflow.connection import Connection
from robustcert.kubeflow.upload import put_in_place
from tests.kubeflow.stand_in import StandIn
from tests.kubeflow.stand_in_http import Fault

ORDER = Order(
    name="recertification-digits-r-1",
    model="digits",
    version="0123456789ab",
    certificate_sha256="ab" * 32,
    reason="input-drift: inputs drifted",
    run_id="r-1",
    window_uri="s3://bucket/window.npz",
    window_sha256="cd" * 32,
)


@pytest.fixture
def server() -> Iterator[StandIn]:
    """A server with this release's own compiled pipeline in place."""
    with StandIn() as running:
        with KubeflowClient(Connection(host=running.host)) as client:
            put_in_place(client, shipped_pipeline("recertification"))
        yield running


MADE: list[KubeflowBackend] = []


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    """Every backend lets go of its connection."""
    yield
    while MADE:
        MADE.pop().close()


def backend(server: StandIn, **changes: Any) -> KubeflowBackend:
    given = {"host": server.host, "answer": timedelta(seconds=5), "parameters": {"signing_key": "/keys/issuer"}}
    MADE.append(KubeflowBackend(KubeflowSettings(**{**given, **changes}), store="s3://bucket/store"))
    return MADE[-1]


def test_a_run_is_asked_for_with_every_input_of_the_real_pipeline_that_matters(server: StandIn) -> None:
    found = backend(server, service_account="robustcert").submit(ORDER)
    (run,) = server.runs
    assert run["runtime_config"]["parameters"] == {
        "store": "s3://bucket/store",
        "signing_key": "/keys/issuer",
        "certificate": "ab" * 32,
        "reason": "input-drift: inputs drifted",
        "run_id": "r-1",
        "window_uri": "s3://bucket/window.npz",
        "window_sha256": "cd" * 32,
    }
    assert (run["display_name"], run["service_account"]) == (ORDER.name, "robustcert")
    assert (found.run_id, found.state, found.name) == (run["run_id"], "active", ORDER.name)
    assert found.url == f"{server.host}/#/runs/details/{run['run_id']}"
    inputs = inputs_of(shipped_pipeline("recertification").spec)
    assert {name for name, one in inputs.items() if one.required} <= set(run["runtime_config"]["parameters"])


def test_people_are_sent_to_the_user_interface_where_it_is_named(server: StandIn) -> None:
    found = backend(server, ui="https://kf.example.org/").submit(ORDER)
    assert found.url == f"https://kf.example.org/#/runs/details/{found.run_id}"


def test_runs_are_found_by_their_exact_name_the_oldest_first(server: StandIn) -> None:
    asked = backend(server)
    assert asked.find(ORDER.name) == []
    first = asked.submit(ORDER)
    server.runs[0]["created_at"] = "2026-01-01T00:00:00Z"
    second = asked.submit(ORDER)
    server.runs.append({**server.runs[0], "run_id": "other", "display_name": f"{ORDER.name}-2"})
    assert [run.run_id for run in asked.find(ORDER.name)] == [first.run_id, second.run_id]


@pytest.mark.parametrize(
    ("state", "tasks", "wanted"),
    [
        ("RUNNING", (), ("active", "", False)),
        ("CANCELING", (), ("active", "", False)),
        ("SUCCEEDED", (), ("succeeded", "", False)),
        ("CANCELED", (), ("failed", "the run ended as CANCELED", False)),
        (
            "FAILED",
            (("certification", "FAILED", "OOMKilled"),),
            ("failed", "the run ended as FAILED: step certification: OOMKilled", False),
        ),
        (
            "FAILED",
            (("gate", "FAILED", "off its contract"),),
            ("failed", "the run ended as FAILED: step gate: off its contract", True),
        ),
    ],
)
def test_what_became_of_a_run(server: StandIn, state: str, tasks: Any, wanted: tuple[str, str, bool]) -> None:
    asked = backend(server)
    started = asked.submit(ORDER)
    server.change(server.runs[0], state, *tasks)
    found = asked.look(started.run_id)
    assert found is not None
    assert (found.state, found.error, found.refused) == wanted


def test_a_collected_run_is_none(server: StandIn) -> None:
    assert backend(server).look("nobody") is None


def test_a_run_is_ended_once_and_a_collected_one_is_no_error(server: StandIn) -> None:
    asked = backend(server)
    started = asked.submit(ORDER)
    asked.cancel(started.run_id)
    asked.cancel("nobody")
    assert server.terminated == [started.run_id]
    found = asked.look(started.run_id)
    assert found is not None
    assert found.state == "failed"


@pytest.mark.parametrize(
    ("fault", "transient", "perhaps_done"),
    [
        (Fault(status=400), False, False),
        (Fault(status=403), False, False),
        (Fault(status=404), False, False),
        (Fault(status=429), True, False),
        (Fault(status=500), True, True),
        (Fault(status=502), True, True),
        (Fault(status=503), True, True),
        (Fault(lost=True), True, True),
        (Fault(status=200, body="<html>", headers={"Content-Type": "text/html"}), True, True),
    ],
)
def test_errors_say_whether_a_later_try_may_help_and_whether_a_run_may_have_started(
    server: StandIn, fault: Fault, transient: bool, perhaps_done: bool
) -> None:
    server.faults.append(fault)
    with pytest.raises(BackendError) as found:
        backend(server).submit(ORDER)
    assert (found.value.transient, found.value.perhaps_done) == (transient, perhaps_done)


def test_a_server_that_answers_too_late_may_have_started_the_run(server: StandIn) -> None:
    server.faults.append(Fault(delay=0.5))
    with pytest.raises(BackendError, match="timed out") as found:
        backend(server, answer=timedelta(seconds=0.2)).submit(ORDER)
    assert (found.value.transient, found.value.perhaps_done) == (True, True)


@pytest.mark.parametrize("path", ["/pipelines", "/experiments"])
def test_what_fails_before_the_run_is_asked_for_has_started_none(server: StandIn, path: str) -> None:
    server.faults.append(Fault(method="GET", path=path, status=503, times=9))
    with pytest.raises(BackendError) as found:
        backend(server).submit(ORDER)
    assert (found.value.transient, found.value.perhaps_done, server.runs) == (True, False, [])


def test_no_run_is_asked_for_after_so_long_that_a_restarted_controller_might_ask_too(server: StandIn) -> None:
    """The settling time counts from the commit of the run's name; lookups may use up a quarter of it."""
    server.faults.append(Fault(method="GET", path="/pipelines", delay=0.3))
    with pytest.raises(BackendError, match="took too long") as found:
        backend(server, answer=timedelta(seconds=0.5), settle=timedelta(seconds=1)).submit(ORDER)
    assert (found.value.transient, found.value.perhaps_done, server.runs) == (True, False, [])


def test_nobody_there_has_started_nothing() -> None:
    settings = KubeflowSettings(host="http://127.0.0.1:9")
    with pytest.raises(BackendError, match="expected an answer from") as found:
        KubeflowBackend(settings, store="s3://bucket/store").submit(ORDER)
    assert (found.value.transient, found.value.perhaps_done) == (True, False)


def test_a_pipeline_that_is_not_there_is_wrong_input(tmp_path: Path) -> None:
    with StandIn() as empty, pytest.raises(BackendError, match="run `robustcert upload`") as found:
        backend(empty).submit(ORDER)
    assert not found.value.transient


def test_parameters_that_the_controller_sets_itself_are_refused(server: StandIn) -> None:
    with pytest.raises(InputError, match="expected other parameters for runs, got 'run_id'"):
        backend(server, parameters={"run_id": "mine"})


def test_the_settings_make_the_backend(tmp_path: Path) -> None:
    paths = {name: tmp_path / name for name in ("trusted_keys", "database", "audit_log")}
    given = BackendSettings(kubeflow=KubeflowSettings(host="http://127.0.0.1:9", settle=timedelta(seconds=70)))
    assert make_backend(Settings(store="s", backend=given, **paths)).settle_seconds == 70
