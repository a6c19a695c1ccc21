"""Uploading again changes nothing; other content under the same name is refused."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import json_format
from kfp.client import Client
from kfp.pipeline_spec import pipeline_spec_pb2

from robustcert.errors import InputError
from robustcert.kubeflow.answers import AnswerError
from robustcert.kubeflow.client import KubeflowClient
from robustcert.kubeflow.compiled import CompiledPipeline, read_compiled, shipped
from robustcert.kubeflow.upload import experiment, missing, plain, put_in_place
from tests.kubeflow.compiled_example import write_compiled
from tests.kubeflow.stand_in import StandIn
from tests.kubeflow.stand_in_http import Fault


def posts(server: StandIn) -> list[str]:
    return [request.path.removeprefix("/apis/v2beta1") for request in server.requests if request.method == "POST"]


def test_the_same_content_is_put_in_place_once(
    server: StandIn, client: KubeflowClient, compiled: CompiledPipeline
) -> None:
    first, second = (put_in_place(client, compiled) for _ in range(2))
    assert (first.was_missing, second.was_missing) == ("pipeline and version", "nothing")
    assert (first.pipeline, first.version.pipeline_version_id) == (second.pipeline, second.version.pipeline_version_id)
    assert posts(server) == ["/pipelines", "/pipelines/upload_version"]
    assert [(one["name"], one["pipeline_spec"]) for one in server.versions] == [(compiled.version, compiled.spec)]


def test_new_content_is_a_new_version_and_the_newest(
    server: StandIn, client: KubeflowClient, compiled: CompiledPipeline, tmp_path: Path
) -> None:
    put_in_place(client, compiled)
    changed = read_compiled(write_compiled(tmp_path, schemaVersion="2.2.0"))
    assert missing(client, changed) == "version"
    placed = put_in_place(client, changed)
    assert placed.was_missing == "version"
    latest = client.latest_version(placed.pipeline.pipeline_id)
    assert latest is not None
    assert latest.name == changed.version
    assert len(server.pipelines) == 1


def test_a_version_of_that_name_with_other_content_is_refused(
    server: StandIn, client: KubeflowClient, compiled: CompiledPipeline, tmp_path: Path
) -> None:
    other = read_compiled(write_compiled(tmp_path, schemaVersion="2.2.0"))
    pipeline = client.create_pipeline(compiled.name, description="")
    client.upload_version(pipeline.pipeline_id, compiled.version, description="by hand", yaml=other.yaml)
    with pytest.raises(InputError, match=rf"expected version '{compiled.version}' of .*, got other content"):
        put_in_place(client, compiled)
    assert len(server.versions) == 1


def test_what_somebody_uploaded_with_kfp_is_taken_as_it_is(
    server: StandIn, client: KubeflowClient, compiled: CompiledPipeline, tmp_path: Path
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = Client(host=server.host, namespace="team")
    path = str(write_compiled(tmp_path))
    pipeline = theirs.upload_pipeline(path, pipeline_name=compiled.name)
    theirs.upload_pipeline_version(path, pipeline_version_name=compiled.version, pipeline_id=pipeline.pipeline_id)
    assert put_in_place(client, compiled).was_missing == "nothing"


@pytest.mark.parametrize("pipeline", shipped(by_uri=True), ids=lambda one: str(one.name))
def test_what_the_server_makes_of_a_shipped_pipeline_is_the_same_content(pipeline: CompiledPipeline) -> None:
    """The server keeps the protobuf's JSON, in which empty fields are left out and numbers are doubles."""
    given: Any = pipeline.spec.get("pipeline_spec", pipeline.spec)
    message = json_format.ParseDict(given, pipeline_spec_pb2.PipelineSpec())
    assert plain(json_format.MessageToDict(message)) == plain(given)


def test_a_change_of_a_default_is_other_content(compiled: CompiledPipeline) -> None:
    for before, after in ((1, 2), ("", "x"), (False, True), ([], ["x"]), ({}, {"a": 1})):
        assert plain({"defaultValue": before}) != plain({"defaultValue": after})


@pytest.mark.parametrize("path", ["/pipelines", "/pipelines/upload_version"])
@pytest.mark.parametrize("fault", [{"lost": True}, {"status": 503}, {"status": 409}])
def test_an_answer_that_was_lost_is_looked_for(
    server: StandIn, client: KubeflowClient, compiled: CompiledPipeline, path: str, fault: dict[str, Any]
) -> None:
    server.faults.append(Fault(path=path, **fault))
    put_in_place(client, compiled)
    assert (len(server.pipelines), len(server.versions)) == (1, 1)


def test_a_server_that_does_not_come_back_is_told(
    server: StandIn, client: KubeflowClient, compiled: CompiledPipeline
) -> None:
    server.faults.append(Fault(path="/pipelines", times=99, status=503))
    with pytest.raises(AnswerError, match="503"):
        put_in_place(client, compiled)


def test_an_upload_without_rights_is_one_line(
    connect: Callable[..., KubeflowClient], compiled: CompiledPipeline, server: StandIn
) -> None:
    """The upload endpoints answer 400 where others answer 401 or 403, and in another shape."""
    text = '{"error_message": "Failed to create a pipeline version", "error_details": "..."}'
    server.faults.append(Fault(path="/pipelines/upload_version", status=400, body=text))
    with pytest.raises(AnswerError, match="got 400 'Failed to create a pipeline version'; see"):
        put_in_place(connect(server.host), compiled)


def test_an_experiment_is_made_once_and_not_taken_from_the_archive(server: StandIn, client: KubeflowClient) -> None:
    first, second = experiment(client, "robustcert"), experiment(client, "robustcert")
    assert first == second
    server.experiments[0]["storage_state"] = "ARCHIVED"
    with pytest.raises(InputError, match="expected experiment 'robustcert' in use, got an archived one"):
        experiment(client, "robustcert")


def test_a_version_is_named_after_its_content_alone(compiled: CompiledPipeline) -> None:
    assert replace(compiled, name="other").version == compiled.version
