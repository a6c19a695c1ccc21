"""The stand-in is believed because kfp's own client gets along with it, and because it refuses what it should."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import kfp_server_api
import pytest
from kfp.client import Client

from tests.kubeflow.compiled_example import write_compiled
from tests.kubeflow.stand_in import StandIn
from tests.kubeflow.stand_in_http import Fault


@pytest.fixture
def kfp_client(server: StandIn) -> Iterator[Client]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield Client(host=server.host, namespace="team")


def post(server: StandIn, path: str, body: Any) -> tuple[int, Any]:
    answer = httpx.post(f"{server.host}/apis/v2beta1{path}", json=body, trust_env=False)
    return answer.status_code, answer.json()


def test_kfps_own_client_uploads_starts_lists_and_ends_a_run(
    server: StandIn, kfp_client: Client, tmp_path: Path
) -> None:
    path = write_compiled(tmp_path)
    pipeline = kfp_client.upload_pipeline(str(path), pipeline_name="certified-training", namespace="team")
    version = kfp_client.upload_pipeline_version(
        str(path), pipeline_version_name="1.0", pipeline_id=pipeline.pipeline_id
    )
    assert kfp_client.get_pipeline_id("certified-training") == pipeline.pipeline_id
    versions = kfp_client.list_pipeline_versions(pipeline.pipeline_id, sort_by="created_at").pipeline_versions
    assert [one.name for one in versions] == ["certified-training", "1.0"]
    group = kfp_client.create_experiment("robustcert", namespace="team")
    assert kfp_client.create_experiment("robustcert", namespace="team").experiment_id == group.experiment_id
    run = kfp_client.run_pipeline(
        group.experiment_id,
        "named",
        params={"specification": "text", "store": "s3://b/p", "shards": 3},
        pipeline_id=pipeline.pipeline_id,
        version_id=version.pipeline_version_id,
    )
    assert (run.display_name, run.state) == ("named", kfp_server_api.V2beta1RuntimeState.PENDING)
    server.change(server.runs[0], "SUCCEEDED", ("validate", "SUCCEEDED"))
    done = kfp_client.get_run(run.run_id)
    assert (done.state, done.run_details.task_details[0].display_name) == ("SUCCEEDED", "validate")
    kfp_client.terminate_run(run.run_id)
    assert server.terminated == [run.run_id]


BODY = {"display_name": "a", "experiment_id": "none"}


@pytest.mark.parametrize(
    ("path", "body", "status", "message"),
    [
        ("/runs", {**BODY, "pipeline_id": "x"}, 400, "unknown field"),
        ("/runs", {"displayName": "a"}, 400, "unknown field"),
        ("/runs", {**BODY, "state": "DONE"}, 400, "invalid value for enum"),
        ("/runs", {**BODY, "display_name": 3}, 400, "string type"),
        ("/runs", BODY, 404, "Experiment none not found"),
        ("/runs", {"experiment_id": "none"}, 500, "Run name cannot be empty"),
        ("/pipelines", {}, 400, "name is required"),
    ],
)
def test_what_the_real_server_refuses_is_refused(
    server: StandIn, path: str, body: Any, status: int, message: str
) -> None:
    found, answer = post(server, path, body)
    assert found == status
    assert message in answer["message"]
    assert set(answer) == {"error", "code", "message", "details"}


def test_parameters_are_held_to_the_pipelines_definitions(server: StandIn, kfp_client: Client, tmp_path: Path) -> None:
    kfp_client.upload_pipeline(str(write_compiled(tmp_path)), pipeline_name="p")
    group = kfp_client.create_experiment("e").experiment_id
    reference = {key: server.versions[0][key] for key in ("pipeline_id", "pipeline_version_id")}
    needed = {"specification": "s", "store": "t"}
    for parameters, message in (
        ({**needed, "shards": "3"}, "requires type NUMBER_INTEGER"),
        ({**needed, "shard": 3}, "is not defined"),
        ({"store": "t"}, "neither default value nor user value"),
        ({**needed, "store": "x" * 10_000}, "exceed maximum size"),
    ):
        body = {
            "display_name": "a",
            "experiment_id": group,
            "pipeline_version_reference": reference,
            "runtime_config": {"parameters": parameters},
        }
        status, answer = post(server, "/runs", body)
        assert (status, message in answer["message"]) == (400, True), answer


def test_a_taken_name_is_a_conflict(server: StandIn, kfp_client: Client) -> None:
    for path, body in (("/pipelines", {"name": "p"}), ("/experiments", {"display_name": "e"})):
        assert post(server, path, body)[0] == 200
        assert post(server, path, body)[0] == 409


def test_pages_follow_each_other_and_a_token_fits_its_query_only(server: StandIn, kfp_client: Client) -> None:
    for name in "abc":
        kfp_client.create_experiment(name)
    first = kfp_client.list_experiments(page_size=2, sort_by="display_name")
    rest = kfp_client.list_experiments(page_size=2, page_token=first.next_page_token, sort_by="display_name")
    assert [one.display_name for one in (*first.experiments, *rest.experiments)] == ["a", "b", "c"]
    assert not rest.next_page_token
    with pytest.raises(kfp_server_api.ApiException, match="page token does not match"):
        kfp_client.list_experiments(page_token=first.next_page_token, sort_by="display_name desc")


def test_without_a_token_nobody_is_known(tmp_path: Path) -> None:
    with StandIn(tokens={"good"}) as server:
        assert post(server, "/experiments", {"display_name": "e"})[0] == 401


def test_a_fault_befalls_what_it_names_as_often_as_it_says(server: StandIn) -> None:
    server.faults.append(Fault(path="/experiments", status=503, body='{"message": "busy"}'))
    assert post(server, "/experiments", {"display_name": "e"}) == (503, {"message": "busy"})
    assert post(server, "/experiments", {"display_name": "e"})[0] == 200
    server.faults.append(Fault(path="/experiments", lost=True))
    with pytest.raises(httpx.TransportError):
        post(server, "/experiments", {"display_name": "lost"})
    assert [one["display_name"] for one in server.experiments] == ["e", "lost"]
