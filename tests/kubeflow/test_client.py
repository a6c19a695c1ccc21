"""The client against the stand-in; what it sends is read with the message types of kfp's own API client."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import httpx
import kfp_server_api
import pytest

from robustcert.kubeflow.answers import AnswerError
from robustcert.kubeflow.client import KubeflowClient
from robustcert.kubeflow.compiled import CompiledPipeline
from robustcert.kubeflow.runs import RunOrder
from robustcert.kubeflow.upload import put_in_place
from tests.kubeflow.conftest import Clock
from tests.kubeflow.stand_in import StandIn
from tests.kubeflow.stand_in_http import Fault

JSON = {"Content-Type": "application/json"}


def test_a_run_is_started_with_fields_of_the_servers_message_only(
    server: StandIn, client: KubeflowClient, order: RunOrder
) -> None:
    run = client.create_run(order.body())
    body = server.requests[-1].body
    message = kfp_server_api.V2beta1Run
    assert set(body) <= set(message.attribute_map.values())
    assert message(**{field: body[name] for field, name in message.attribute_map.items() if name in body})
    assert "service_account" not in body
    assert (run.display_name, run.state, run.active) == (order.display_name, "PENDING", True)
    assert client.run(run.run_id) == run


def test_a_get_is_tried_again_while_the_server_is_busy(server: StandIn, client: KubeflowClient, clock: Clock) -> None:
    server.faults.append(Fault(method="GET", path="/experiments", times=3, status=503))
    begun = clock()
    assert client.experiment("none") is None
    assert [request.method for request in server.requests] == ["GET"] * 4
    assert clock() - begun == pytest.approx(0.5 + 1 + 2)


def test_a_get_gives_up_in_the_end(server: StandIn, client: KubeflowClient) -> None:
    server.faults.append(Fault(method="GET", path="/experiments", times=99, status=502))
    with pytest.raises(AnswerError, match=r"got 502 .*; try again later"):
        client.experiment("none")
    assert len(server.requests) == 6


@pytest.mark.parametrize("fault", [Fault(method="GET", path="/", status=400), Fault(path="/", status=503)])
def test_what_is_wrong_and_what_may_be_done_is_not_tried_again(
    server: StandIn, client: KubeflowClient, fault: Fault
) -> None:
    server.faults.append(fault)
    with pytest.raises(AnswerError):
        client.experiment("x") if fault.method == "GET" else client.create_experiment("x")
    assert len(server.requests) == 1


def test_a_slow_server_is_waited_for_no_longer_than_said(
    server: StandIn, connect: Callable[..., KubeflowClient]
) -> None:
    server.faults.append(Fault(path="/experiments", delay=1.0))
    with pytest.raises(AnswerError, match="timed out") as lost:
        connect(server.host, seconds=0.1).create_experiment("x")
    assert lost.value.perhaps_done


def test_pages_are_followed_to_the_end(server: StandIn, client: KubeflowClient, order: RunOrder) -> None:
    for _ in range(205):
        client.create_run(order.body())
    assert len({run.run_id for run in client.runs(display_name=order.display_name)}) == 205


def test_a_server_that_gives_one_page_for_ever_is_left(server: StandIn, client: KubeflowClient) -> None:
    server.faults.append(Fault(method="GET", times=9, status=200, headers=JSON, body='{"next_page_token": "x"}'))
    with pytest.raises(AnswerError, match="expected a next page of 'runs', got the same one again"):
        list(client.runs())
    assert len(server.requests) == 2


def test_a_pipeline_of_the_namespace_comes_before_the_shared_one(
    connect: Callable[..., KubeflowClient], tmp_path: Path
) -> None:
    (tmp_path / "token").write_text("good")
    with StandIn(tokens={"good"}) as server:
        shared = connect(server.host, token=tmp_path / "token").create_pipeline("p", description="")
        client = connect(server.host, token=tmp_path / "token", namespace="team")
        assert client.pipeline("p") == shared
        own = client.create_pipeline("p", description="")
        assert client.pipeline("p") == own != shared
        assert client.pipeline("q") is None


def test_a_server_that_requires_namespaces_has_no_shared_pipelines(
    connect: Callable[..., KubeflowClient], tmp_path: Path
) -> None:
    (tmp_path / "token").write_text("good")
    with StandIn(tokens={"good"}, namespaces_required=True) as server:
        client = connect(server.host, token=tmp_path / "token", namespace="team")
        assert client.pipeline("p") is None
        assert client.create_pipeline("p", description="") == client.pipeline("p")
        with pytest.raises(AnswerError, match="Namespace is required"):
            connect(server.host, token=tmp_path / "token").pipeline("p")


def test_versions_are_found_by_name_and_by_age(client: KubeflowClient, compiled: CompiledPipeline) -> None:
    pipeline = client.create_pipeline("p", description="").pipeline_id
    assert client.latest_version(pipeline) is None
    made = [client.upload_version(pipeline, f"1.{n}", description="d", yaml=compiled.yaml) for n in range(25)]
    assert client.latest_version(pipeline) == made[-1]
    assert client.version(pipeline, "1.3") == made[3]
    assert client.version(pipeline, "1.99") is None
    assert made[3].spec == compiled.spec


def test_a_run_is_ended(server: StandIn, client: KubeflowClient, order: RunOrder) -> None:
    run = client.create_run(order.body())
    client.terminate_run(run.run_id)
    assert server.terminated == [run.run_id]


def test_names_can_not_leave_their_path(server: StandIn, client: KubeflowClient) -> None:
    assert client.pipeline("../runs?x=1#y") is None
    with pytest.raises(AnswerError, match="404"):
        client.run("../experiments")
    assert all(".." not in request.path.split("/") for request in server.requests)


def test_settings_of_the_environment_change_nothing(
    server: StandIn, client: KubeflowClient, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login a password b\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    with pytest.raises(httpx.TransportError):
        httpx.get(server.host)
    assert client.experiment("none") is None
    assert server.requests[-1].authorization == ""


def test_the_page_of_a_run_is_the_interfaces(client: KubeflowClient, server: StandIn) -> None:
    assert client.run_url("r") == f"{server.host}/#/runs/details/r"


def test_what_is_uploaded_twice_is_a_conflict(client: KubeflowClient, compiled: CompiledPipeline) -> None:
    placed = put_in_place(client, compiled)
    with pytest.raises(AnswerError, match="409") as conflict:
        client.upload_version(placed.pipeline.pipeline_id, compiled.version, description="", yaml=compiled.yaml)
    assert conflict.value.status == 409
