"""Oracle: the schema beside this file, written from Trainer's own, and Kubernetes' rules for names and `$`."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from robustcert.errors import InputError
from robustcert.training.train_job import NodePool, TrainJob, job_name, toleration

SCHEMA = json.loads(Path(__file__).with_name("train_job.schema.json").read_text())
PLAIN = TrainJob(
    name="train-digits-01234567",
    specification="name: digits\n",
    store="s3://certificates/prod",
    image="registry.example/robustcert:1",
    nodes=3,
    pool=NodePool(),
)
GPU_POOL = NodePool(
    gpus=8,
    node_selector=(("pool", "h200"), ("zone", "a")),
    tolerations=(toleration("nvidia.com/gpu:NoSchedule"), toleration("team=red:NoExecute")),
)
FULL = replace(
    PLAIN, pool=GPU_POOL, namespace="team-red", image_pull_secret="pull", run_token="again", data_uri="s3://data/d.npz"
)


def problems(manifest: dict[str, Any]) -> list[str]:
    return [error.message for error in jsonschema.Draft202012Validator(SCHEMA).iter_errors(manifest)]


def pod(job: TrainJob) -> dict[str, Any]:
    patch = job.manifest()["spec"]["runtimePatches"][0]["trainingRuntimeSpec"]["template"]["spec"]
    found: dict[str, Any] = patch["replicatedJobs"][0]["template"]["spec"]["template"]["spec"]
    return found


@pytest.mark.parametrize("job", [PLAIN, FULL], ids=["plain", "full"])
def test_manifest_has_the_fields_of_the_resource_and_no_others(job: TrainJob) -> None:
    assert problems(job.manifest()) == []


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda spec: spec.update(podTemplateOverrides=[]), "'podTemplateOverrides' was unexpected"),
        (lambda spec: spec["trainer"].update(numProcPerNode="auto"), "'auto' is not of type 'integer'"),
        (lambda spec: spec["trainer"]["resourcesPerNode"]["limits"].update(memory="16 GB"), "does not match"),
        (lambda spec: spec["trainer"]["env"].append({"name": "PET_NNODES", "value": "2"}), "should not be valid"),
        (lambda spec: spec["runtimePatches"][0].update(manager="robustcert"), "does not match"),
    ],
)
def test_the_schema_refuses_what_trainer_refuses(change: Any, problem: str) -> None:
    manifest = FULL.manifest()
    change(manifest["spec"])
    assert [found for found in problems(manifest) if problem in found]


def test_pods_are_non_root_with_a_read_only_root_and_room_for_temporary_files() -> None:
    container = pod(PLAIN)["containers"][0]
    assert pod(PLAIN)["securityContext"]["runAsNonRoot"] is True
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    mounted = {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"]}
    assert set(mounted) == {"/tmp", "/dev/shm"}  # noqa: S108
    assert set(mounted.values()) == {volume["name"] for volume in pod(PLAIN)["volumes"]}


def test_every_setting_of_the_pool_reaches_the_nodes() -> None:
    trainer = FULL.manifest()["spec"]["trainer"]
    assert (trainer["numNodes"], trainer["numProcPerNode"], FULL.processes) == (3, 8, 24)
    assert trainer["resourcesPerNode"]["limits"] == {"cpu": "4", "memory": "16Gi", "nvidia.com/gpu": "8"}
    assert trainer["resourcesPerNode"]["requests"] == trainer["resourcesPerNode"]["limits"]
    assert pod(FULL)["nodeSelector"] == {"pool": "h200", "zone": "a"}
    assert pod(FULL)["tolerations"] == [
        {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"},
        {"key": "team", "operator": "Equal", "value": "red", "effect": "NoExecute"},
    ]
    assert pod(FULL)["imagePullSecrets"] == [{"name": "pull"}]
    assert FULL.manifest()["metadata"]["namespace"] == "team-red"


def test_without_gpus_each_node_is_one_process_and_asks_for_none() -> None:
    trainer = PLAIN.manifest()["spec"]["trainer"]
    assert (trainer["numProcPerNode"], PLAIN.processes) == (1, 3)
    assert set(trainer["resourcesPerNode"]["limits"]) == {"cpu", "memory"}
    assert not {"nodeSelector", "tolerations", "imagePullSecrets"} & set(pod(PLAIN))


def test_credentials_come_from_the_secret_by_name_and_stand_nowhere() -> None:
    references = [variable["valueFrom"]["secretKeyRef"] for variable in FULL.manifest()["spec"]["trainer"]["env"]]
    assert [(one["name"], one["key"]) for one in references] == [
        ("robustcert-store", "AWS_ACCESS_KEY_ID"),
        ("robustcert-store", "AWS_SECRET_ACCESS_KEY"),
    ]


def test_arguments_survive_kubernetes_reading_of_dollars() -> None:
    """Kubernetes makes `$$` one `$`, and nothing of `$(NAME)` that follows a doubled one."""
    written = "cost: $5, $$, $(HOME)\n"
    arguments = replace(FULL, specification=written).manifest()["spec"]["trainer"]["args"]
    assert arguments[1] == "cost: $$5, $$$$, $$(HOME)\n"
    assert [argument.replace("$$", "$") for argument in arguments] == [
        "--specification", written, "--store", "s3://certificates/prod",
        "--run-token", "again", "--data-uri", "s3://data/d.npz",
    ]  # fmt: skip


def test_names_are_labels_of_any_specification() -> None:
    assert job_name("a" * 63, "f" * 64) == "train-" + "a" * 33 + "-ffffffff"
    assert problems(replace(PLAIN, name=job_name("9.lives-" + "x" * 50, "0" * 64)).manifest()) == []


@pytest.mark.parametrize("text", ["nvidia.com/gpu", "key:Never", ":NoSchedule", "=x:NoSchedule"])
def test_what_is_no_toleration_is_refused(text: str) -> None:
    with pytest.raises(InputError, match=r"expected KEY\[=VALUE\]:EFFECT"):
        toleration(text)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"image": ""}, "expected an image after --image, got ''; write for example registry"),
        ({"name": "Bad Name"}, "expected a label of at most 48 characters after --name, got 'Bad Name'"),
        ({"name": "a" * 49}, "expected a label of at most 48 characters after --name"),
        ({"namespace": "Bad"}, "expected a name of Kubernetes after --namespace, got 'Bad'"),
        ({"runtime": ""}, "expected a name of Kubernetes after --runtime, got ''"),
        ({"store_secret": "a b"}, "expected a name of Kubernetes after --store-secret, got 'a b'"),
        ({"store": "s3://key:s3cret@bucket/prefix"}, "expected s3://bucket/prefix, got "),
        ({"data_uri": "s3://bucket/x?secret=s3cret"}, "expected endpoint, region and ca in an s3:// URI"),
    ],
)
def test_what_kubernetes_would_refuse_is_refused_here(change: dict[str, str], complaint: str) -> None:
    with pytest.raises(InputError, match=complaint) as refused:
        replace(PLAIN, **change)
    assert "s3cret" not in str(refused.value)


@pytest.mark.parametrize(
    "change", [{"cpu": "lots"}, {"memory": "-5"}, {"memory": "1 Gi"}, {"gpu_type": ""}, {"cpu": "0"}]
)
def test_what_is_no_amount_and_no_resource_is_refused(change: dict[str, str]) -> None:
    with pytest.raises(
        InputError, match=r"expected (an amount|a resource's name) .*after --(cpu|memory|gpu-type), got"
    ):
        NodePool(**change)
    assert NodePool(cpu="500m", memory="1.5Gi", gpu_type="amd.com/gpu").memory == "1.5Gi"


def test_what_pods_can_not_reach_is_refused() -> None:
    with pytest.raises(InputError, match="expected a store that every pod reaches, s3://bucket/prefix, got 'store'"):
        replace(PLAIN, store="store")
    with pytest.raises(InputError, match="expected a specification of at most 100000 bytes, got 100001"):
        replace(PLAIN, specification="x" * 100_001)
