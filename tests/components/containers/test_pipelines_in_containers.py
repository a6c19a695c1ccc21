"""The compiled pipelines in real containers give, byte for byte, what they give in processes."""

import base64
import hashlib
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker
import pytest
import yaml

from robustcert.certificate.keys import new_key, write_key_pair
from tests.chain import RUN_ID, small_specification
from tests.components.containers.pipeline_runs import (
    USER,
    Run,
    run_in_containers,
    run_in_processes,
    watched,
    with_image,
)

pytestmark = pytest.mark.containers

SHARDS = 3
# 4 samples of 16,032 draws make a block (robustcert/data/planned_samples.py): 12 samples, 3 blocks, 3 shards.
CERTIFICATION = {"n0": 32, "n": 16_000, "samples": 12, "radii": [0, 0.1]}
EVALUATION = {"suite": "quick@1", "samples": 8, "curve": [1.0]}
NAMES = ("certified_training", "certify_model")
# Bytes that may not depend on where a task runs; `record` and the rest hold times.
EQUAL = ("dataset", "model", "history", "plan", "evidence", "adversarials", "validity")
MAY_DIFFER = {"certifiedAt", "notAfter", "environment", "startedAt", "finishedAt", "key"}


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Both runs of one pipeline, and what dockerd said of the containers."""

    processes: Run
    containers: Run
    inspected: list[dict[str, Any]]


def specification(*, own_model: str | None = None) -> str:
    """A small specification that trains a model, or certifies the one in the file of that name."""
    document = yaml.safe_load(small_specification(evaluation=EVALUATION))
    document["training"]["epochs"] = 3
    document["certification"] |= CERTIFICATION
    if own_model:
        document["model"]["weights"] = own_model
        del document["training"]
    return yaml.safe_dump(document, sort_keys=False)


def statement(run: Run) -> dict[str, Any]:
    """The statement of the one certificate in the run's store."""
    (path,) = (run.store / "certificates").iterdir()
    return json.loads(base64.b64decode(json.loads(path.read_text())["payload"]))


def comparable(value: Any) -> Any:
    """The value without what may differ between two runs."""
    if isinstance(value, dict):
        return {name: comparable(part) for name, part in value.items() if name not in MAY_DIFFER}
    return [comparable(part) for part in value] if isinstance(value, list) else value


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    write_key_pair(folder / "issuer", new_key("ed25519"), passphrase=None)
    (folder / "source").mkdir()
    return folder


@pytest.fixture(scope="module")
def pairs(
    checkout: tuple[Path, str], folder: Path, image: str, docker_host: str, client: docker.DockerClient
) -> dict[str, Pair]:
    """Both pipelines, both ways; certify_model gets the model that certified_training made, as a user's own."""
    pairs: dict[str, Pair] = {}
    text = specification()
    for name in NAMES:
        pipeline = with_image(checkout[0] / f"pipelines/{name}.yaml", image, folder / f"{name}.yaml")
        arguments = {"specification": text, "shards": SHARDS, "run_id": RUN_ID}
        both = {"pipeline": pipeline, "arguments": arguments, "key": folder / "issuer", "source": folder / "source"}
        processes = run_in_processes(folder / f"{name}-processes", **both)
        with watched(client) as inspected:
            containers = run_in_containers(folder / f"{name}-containers", **both, host=docker_host)
        pairs[name] = Pair(processes=processes, containers=containers, inspected=inspected)
        for trained in processes.tasks.glob("adversarial-training/model"):
            shutil.copyfile(trained, folder / "source/own.safetensors")
        text = specification(own_model="own.safetensors")
    return pairs


@pytest.mark.parametrize("name", NAMES)
def test_every_artifact_of_the_containers_equals_that_of_the_processes(pairs: dict[str, Pair], name: str) -> None:
    pair = pairs[name]
    for artifact in EQUAL:
        made = pair.processes.artifacts(artifact)
        assert made, artifact
        assert pair.containers.artifacts(artifact) == made


@pytest.mark.parametrize("name", NAMES)
def test_the_fan_out_ran_three_shards_of_different_samples(pairs: dict[str, Pair], name: str) -> None:
    evidence = pairs[name].containers.artifacts("evidence")
    shards = [content for task, content in evidence.items() if task.endswith("/certification")]
    assert len({hashlib.sha256(content).hexdigest() for content in shards}) == SHARDS


@pytest.mark.parametrize("name", NAMES)
def test_the_certificates_differ_only_in_times_and_environment(pairs: dict[str, Pair], name: str) -> None:
    made, in_containers = statement(pairs[name].processes), statement(pairs[name].containers)
    assert comparable(in_containers) == comparable(made)
    assert in_containers["subject"] == made["subject"]
    kept = comparable(made)["predicate"]
    assert {"certification", "claims", "results", "run", "data", "model", "evaluation"} <= kept.keys()
    assert made["predicate"]["environment"]["python"].startswith("3.11")


@pytest.mark.parametrize("name", NAMES)
def test_every_task_was_a_container_without_root_privileges_or_network(pairs: dict[str, Pair], name: str) -> None:
    pair = pairs[name]
    tasks = {path.parent for path in pair.containers.tasks.rglob("executor_output.json")}
    assert len(tasks) == len(pair.inspected) >= 9
    for container in pair.inspected:
        host = container["HostConfig"]
        assert (host["ReadonlyRootfs"], host["CapDrop"], host["NetworkMode"]) == (True, ["ALL"], "none")
        assert container["Config"]["User"] == f"{USER}:{USER}"
    made = [path for path in pair.containers.tasks.rglob("*") if path.is_file()]
    assert {path.stat().st_uid for path in made} == {USER}


def test_the_own_model_is_certified_as_the_bytes_that_its_owner_gave(pairs: dict[str, Pair], folder: Path) -> None:
    digest = hashlib.sha256((folder / "source/own.safetensors").read_bytes()).hexdigest()
    assert statement(pairs["certify_model"].containers)["subject"][0]["digest"]["sha256"] == digest


@pytest.mark.parametrize("name", NAMES)
def test_the_image_that_was_built_is_the_one_that_the_committed_pipeline_names(
    checkout, image, name, folder, pairs
) -> None:
    committed = list(yaml.safe_load_all((checkout[0] / f"pipelines/{name}.yaml").read_text()))
    assert committed[0]["root"]["inputDefinitions"]["parameters"]["image"]["defaultValue"] == image
    ran = list(yaml.safe_load_all((folder / f"{name}.yaml").read_text()))
    for documents in (committed, ran):
        for executor in documents[0]["deploymentSpec"]["executors"].values():
            del executor["container"]["image"]
    assert ran == committed
