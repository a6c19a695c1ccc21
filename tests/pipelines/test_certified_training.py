"""The compiled pipeline, as a cluster reads it: described, plain, pinned, without secrets, and connected as drawn."""

from __future__ import annotations

import inspect
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from robustcert import __version__
from robustcert.commands import run as command
from robustcert.commands.pipeline_run import RunOrder

Parts = dict[str, Any]

MOST_BYTES = 1 << 20
PLAIN = {"STRING", "NUMBER_INTEGER", "BOOLEAN", "LIST"}
SECRETS = re.compile(r"pass(word|phrase)|secret|credential|access_?key|private|kubeconfig", re.IGNORECASE)
IMAGE = f"ghcr.io/robustcert/robustcert:{__version__}"


@pytest.fixture(scope="module")
def path(root: Path) -> Path:
    return root / "pipelines/certified_training.yaml"


@pytest.fixture(scope="module")
def pipeline(path: Path) -> Parts:
    (document,) = yaml.safe_load_all(path.read_text())
    assert isinstance(document, dict)
    return document


def inputs(pipeline: Parts) -> dict[str, Parts]:
    found: dict[str, Parts] = pipeline["root"]["inputDefinitions"]["parameters"]
    return found


def parameters(pipeline: Parts) -> dict[str, Parts]:
    """Every parameter of the pipeline and of its components, by `component.parameter`."""
    return {
        f"{name}.{key}": item
        for name, definition in {"pipeline": pipeline["root"], **pipeline["components"]}.items()
        for part in ("inputDefinitions", "outputDefinitions")
        for key, item in definition.get(part, {}).get("parameters", {}).items()
    }


def tasks(pipeline: Parts) -> dict[str, Parts]:
    """Every task, also those inside a loop."""
    dags = [pipeline["root"]["dag"], *(item["dag"] for item in pipeline["components"].values() if "dag" in item)]
    return {name: task for dag in dags for name, task in dag["tasks"].items()}


def test_it_is_smaller_than_a_cluster_takes(path: Path) -> None:
    assert path.stat().st_size < MOST_BYTES


def test_every_input_is_described(pipeline: Parts) -> None:
    assert {key for key, item in inputs(pipeline).items() if not item.get("description", "").endswith(".")} == set()
    assert set(inputs(pipeline)) >= {"specification", "store", "signing_key", "shards", "workers"}


def test_every_parameter_is_of_a_plain_type(pipeline: Parts) -> None:
    found = parameters(pipeline)
    assert {key: item["parameterType"] for key, item in found.items() if item["parameterType"] not in PLAIN} == {}
    assert len(found) > 40


def test_no_parameter_carries_a_secret_and_keys_go_by_path(pipeline: Parts) -> None:
    assert [key for key in parameters(pipeline) if SECRETS.search(key)] == []
    assert inputs(pipeline)["signing_key"]["description"].startswith("Path of the private key")


def test_every_step_runs_in_the_pinned_image_and_installs_nothing(pipeline: Parts) -> None:
    containers = [item["container"] for item in pipeline["deploymentSpec"]["executors"].values()]
    assert {container["image"] for container in containers} == {IMAGE}
    assert ":latest" not in json.dumps(containers)
    assert "pip" not in re.findall(r"\b\w+\b", " ".join(json.dumps(item["command"][:-1]) for item in containers))
    assert {tuple(container.get("env", ())) for container in containers} == {()}


def test_defaults_are_those_of_the_command(pipeline: Parts) -> None:
    written = {key: item["defaultValue"] for key, item in inputs(pipeline).items() if "defaultValue" in item}
    options = inspect.signature(command.run).parameters
    assert written == {
        "shards": [f"1/{options['shards'].default}"],
        "workers": 1.0,
        "source_folder": "",
        "run_id": "",
        "run_token": options["run_token"].default,
        "supersedes": options["supersedes"].default,
        "reason": options["reason"].default,
    }
    fields = RunOrder.__dataclass_fields__
    assert (fields["supersedes"].default, fields["run_token"].default) == (written["supersedes"], written["run_token"])


def test_what_has_no_default_must_be_given(pipeline: Parts) -> None:
    needed = {key for key, item in inputs(pipeline).items() if not item.get("isOptional")}
    assert needed == {"specification", "store", "signing_key"}


def test_steps_follow_each_other_as_drawn(pipeline: Parts) -> None:
    found = tasks(pipeline)
    after = {name: set(task.get("dependentTasks", ())) for name, task in found.items()}
    assert after["data-validation"] == set()
    assert after["gate"] == {"data-validation"}
    assert after["adversarial-training"] >= {"gate", "data-validation"}
    assert after["robustness-evaluation"] >= {"adversarial-training"}
    assert after["certificate-issue"] >= {"robustness-evaluation", "adversarial-training", "data-validation"}
    assert after["gate-2"] == {"certificate-issue"}


def test_certification_is_cut_into_the_given_shards(pipeline: Parts) -> None:
    (loop,) = (task for task in tasks(pipeline).values() if "parameterIterator" in task)
    assert loop["parameterIterator"]["items"] == {"inputParameter": "pipelinechannel--shards"}
    inside = pipeline["components"][loop["componentRef"]["name"]]["dag"]["tasks"]
    assert set(inside) == {"certification"}
    assert inside["certification"]["inputs"]["parameters"]["shard"]["componentInputParameter"].endswith(
        "shards-loop-item"
    )


def test_a_new_token_reaches_every_step_that_the_store_may_have_kept(pipeline: Parts) -> None:
    given = {name for name, task in tasks(pipeline).items() if "run_token" in task["inputs"].get("parameters", {})}
    assert given == {"data-validation", "adversarial-training", "robustness-evaluation", "certification"}
