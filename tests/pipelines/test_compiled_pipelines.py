"""Every committed pipeline, as a cluster reads it: described, plain, small, and the same as custom resources.

What the lint proves (tests/tools/test_lint_pipelines.py) is not repeated here.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from components.image import IMAGE
from pipelines.compile import pipelines
from robustcert import __version__
from tests.pipelines.compiled import CERTIFYING, PIPELINES, Parts, documents, inputs, tasks

PLAIN = {"STRING", "NUMBER_INTEGER", "BOOLEAN", "LIST", "STRUCT"}
MACHINES = {
    "image",
    "gpu_type",
    "gpus",
    "cpu",
    "memory",
    "node_selector",
    "tolerations",
    "affinity",
    "image_pull_secret",
}
SECRETS = {"store_secret", "signing_secret", "registry_secret", "image_pull_secret"}
# The inputs of the first release. A later one may add some with a default; none may go, change its type or be required.
FIRST_RELEASE = "first_release_inputs.json"


def test_these_are_all_pipelines() -> None:
    assert set(pipelines()) == set(PIPELINES)


@pytest.mark.parametrize("name", PIPELINES)
def test_every_input_is_described_in_one_sentence(root: Path, name: str) -> None:
    found = inputs(documents(root, name)[0])
    assert {key for key, item in found.items() if not item.get("description", "").endswith(".")} == set()
    assert set(found) >= MACHINES | SECRETS | {"store"}
    assert set(found) >= {"shards", "workers", "run_token", "reason"} or name not in CERTIFYING


@pytest.mark.parametrize("name", PIPELINES)
def test_every_parameter_is_of_a_plain_type_and_no_secrets_name_is_empty(root: Path, name: str) -> None:
    found = inputs(documents(root, name)[0])
    assert {key: item["parameterType"] for key, item in found.items() if item["parameterType"] not in PLAIN} == {}
    assert all(found[key]["defaultValue"] for key in SECRETS), "Kubeflow refuses an empty name"
    assert found["image"]["defaultValue"] == IMAGE


@pytest.mark.parametrize("name", CERTIFYING)
def test_shards_are_a_loop_over_an_input_of_the_nested_pipeline_and_retried_alone(root: Path, name: str) -> None:
    pipeline = documents(root, name)[0]
    (loop,) = (task for task in tasks(pipeline).values() if "parameterIterator" in task)
    assert loop["inputs"]["parameters"]["pipelinechannel--shard_names"] == {"componentInputParameter": "shard_names"}
    inside = pipeline["components"][loop["componentRef"]["name"]]["dag"]["tasks"]
    assert set(inside) == {"certification"}
    assert inside["certification"]["retryPolicy"]["maxRetryCount"] == 3
    shard = inside["certification"]["inputs"]["parameters"]["shard"]
    assert shard == {"componentInputParameter": "pipelinechannel--shard_names-loop-item"}


@pytest.mark.parametrize("name", PIPELINES)
def test_custom_resources_hold_the_same_pipeline_under_a_name_of_the_release(root: Path, name: str) -> None:
    path = root / "pipelines/custom_resources" / f"{name}.yaml"
    pipeline, version = yaml.load_all(path.read_text(), Loader=yaml.CSafeLoader)
    spec, platform = documents(root, name)
    assert {part["apiVersion"] for part in (pipeline, version)} == {"pipelines.kubeflow.org/v2beta1"}
    assert [pipeline["kind"], version["kind"]] == ["Pipeline", "PipelineVersion"]
    assert (version["spec"]["pipelineSpec"], version["spec"]["platformSpec"]) == (spec, platform)
    assert version["spec"]["pipelineName"] == pipeline["metadata"]["name"] == name.replace("_", "-")
    assert version["metadata"]["name"] == f"{name.replace('_', '-')}-{__version__.replace('.', '-')}"


def interface(pipeline: Parts) -> dict[str, str]:
    return {key: item["parameterType"] for key, item in inputs(pipeline).items()}


@pytest.mark.parametrize("name", PIPELINES)
def test_what_could_be_given_to_the_first_release_can_still_be_given(root: Path, name: str) -> None:
    first = json.loads((root / "tests/pipelines" / FIRST_RELEASE).read_text())[name]
    pipeline = documents(root, name)[0]
    assert {key: interface(pipeline).get(key) for key in first["inputs"]} == first["inputs"]
    required = {key for key, item in inputs(pipeline).items() if "defaultValue" not in item}
    assert required <= set(first["required"])
