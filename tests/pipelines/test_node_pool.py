"""The node-pool helper, on a pipeline of two steps: what Kubernetes is told of each, and where it comes from."""

from dataclasses import fields
from typing import Any

import pytest
import yaml
from kfp import dsl

from pipelines.compile import Target, compiled
from pipelines.input_group import pipeline
from pipelines.node_pool import SHARED_MEMORY, CompileTime, NodePool, on_any_node, on_gpu_pool, opens_store, signs

FIXED = CompileTime(shared_memory="5Gi", timeout_seconds=60)


@dsl.component(base_image="registry.example/image:1", install_kfp_package=False)
def work(number: int = 1) -> None:
    pass


@pytest.fixture(scope="module")
def documents() -> list[dict[str, Any]]:
    @pipeline(name="two-steps")
    def two_steps(pool: NodePool, numbers: list = [1]) -> None:  # type: ignore[type-arg]  # noqa: B006
        """Two steps, one of them in a loop."""
        with dsl.ParallelFor(numbers) as number:
            on_gpu_pool(opens_store(work(number=number), pool), pool, FIXED)
        on_any_node(signs(work(), pool), pool)

    return list(yaml.safe_load_all(compiled(Target(item=two_steps))))


def executor(documents: list[dict[str, Any]], label: str) -> tuple[dict[str, Any], dict[str, Any]]:
    told = documents[1]["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    return documents[0]["deploymentSpec"]["executors"][label]["container"], told[label]


def value(name: str) -> str:
    return "{{$.inputs.parameters['pipelinechannel--" + name + "']}}"


def test_a_step_in_a_loop_has_every_setting_of_the_pool_from_the_inputs(documents: list[dict[str, Any]]) -> None:
    container, told = executor(documents, "exec-work")
    assert container["image"] == value("image")
    assert container["resources"] == {
        "accelerator": {"resourceType": value("gpu_type"), "resourceCount": value("gpus")},
        "resourceCpuRequest": value("cpu"),
        "resourceCpuLimit": value("cpu"),
        "resourceMemoryRequest": value("memory"),
        "resourceMemoryLimit": value("memory"),
    }
    channel = {name: {"componentInputParameter": f"pipelinechannel--{name}"} for name in NodePool.__dataclass_fields__}
    assert told["nodeSelector"] == {"nodeSelectorJson": channel["node_selector"]}
    assert told["tolerations"] == [{"tolerationJson": channel["tolerations"]}]
    assert told["nodeAffinity"] == [{"nodeAffinityJson": channel["affinity"]}]
    assert told["imagePullSecret"] == [{"secretNameParameter": channel["image_pull_secret"]}]
    assert told["emptyDirMounts"] == [
        {"volumeName": "shared-memory", "mountPath": SHARED_MEMORY, "medium": "Memory", "sizeLimit": "5Gi"}
    ]
    assert told["activeDeadlineSeconds"] == "60"


def test_the_loop_hands_every_input_on_that_its_step_needs(documents: list[dict[str, Any]]) -> None:
    declared = set(documents[0]["components"]["comp-for-loop-1"]["inputDefinitions"]["parameters"])
    for_others = {"signing_secret", "registry_secret"}
    wanted = {f"pipelinechannel--{item.name}" for item in fields(NodePool) if item.name not in for_others}
    assert wanted <= declared


def test_secrets_come_by_name_as_environment_and_as_files(documents: list[dict[str, Any]]) -> None:
    _, computing = executor(documents, "exec-work")
    _, signing = executor(documents, "exec-work-2")
    (store,) = computing["secretAsEnv"]
    assert {item["envVar"] for item in store["keyToEnv"]} >= {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}
    assert "SSL_CERT_FILE" in {item["envVar"] for item in store["keyToEnv"]}
    assert store["optional"] is True
    (files,) = computing["secretAsVolume"]
    assert files["mountPath"] == "/var/run/secrets/robustcert/store"
    assert files["secretNameParameter"] == store["secretNameParameter"]
    (passphrase,) = signing["secretAsEnv"]
    assert passphrase["keyToEnv"] == [{"envVar": "ROBUSTCERT_KEY_PASSPHRASE", "secretKey": "passphrase"}]
    (key,) = signing["secretAsVolume"]
    assert key["mountPath"] == "/var/run/secrets/robustcert/signing-key"
    assert (
        key["secretNameParameter"] == passphrase["secretNameParameter"] == {"componentInputParameter": "signing_secret"}
    )


def test_kubeflows_cache_is_off(documents: list[dict[str, Any]]) -> None:
    tasks = documents[0]["components"]["comp-for-loop-1"]["dag"]["tasks"] | documents[0]["root"]["dag"]["tasks"]
    found = {name: task.get("cachingOptions", {}) for name, task in tasks.items() if name.startswith("work")}
    assert found == {"work": {}, "work-2": {}}


def test_a_fixed_image_takes_the_place_of_the_input() -> None:
    pool = NodePool()
    assert CompileTime().on(pool) is pool
    assert CompileTime(image="registry.example/image:2").on(pool).image == "registry.example/image:2"
