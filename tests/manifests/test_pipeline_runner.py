"""What runs are given: the names that pipelines ask for, few rights, and a key that development runs have not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from pipelines.inputs import KEY_FOLDER
from pipelines.node_pool import NodePool
from robustcert.errors import KeyFileError
from robustcert.storage.store import open_store
from tests.chain import Chain, small_specification
from tests.components.in_process import InProcess
from tests.pipelines.compiled import CERTIFYING, PIPELINES, documents, inputs

RUNNER = Path(__file__).parent.parent.parent / "manifests/pipeline-runner"
Object = dict[str, Any]


def objects(folder: str) -> list[Object]:
    paths = [path for path in sorted((RUNNER / folder).glob("*.yaml")) if path.name != "kustomization.yaml"]
    return [one for path in paths for one in yaml.safe_load_all(path.read_text())]


def of(folder: str, kind: str) -> list[Object]:
    return [one for one in objects(folder) if one["kind"] == kind]


def names(found: list[Object]) -> set[str]:
    return {one["metadata"]["name"] for one in found}


def variables() -> dict[str, str]:
    (policy,) = of("key-policy", "ValidatingAdmissionPolicy")
    return {one["name"]: one["expression"] for one in policy["spec"]["variables"]}


def test_every_file_is_listed_in_its_kustomization() -> None:
    for path in RUNNER.rglob("kustomization.yaml"):
        listed = set(yaml.safe_load(path.read_text())["resources"])
        assert {name for name in listed if name.endswith(".yaml")} == {
            other.name for other in path.parent.glob("*.yaml") if other != path
        }
        assert all((path.parent / name).exists() for name in listed)


def test_secrets_and_keys_bear_the_names_that_pipelines_ask_for() -> None:
    pool = NodePool()
    made = {one["spec"]["target"]["name"]: one["spec"]["data"] for one in of("external-secrets", "ExternalSecret")}
    keys = {name: {entry["secretKey"] for entry in data} for name, data in made.items()}
    assert keys == {
        pool.signing_secret: {"key", "passphrase"},
        pool.store_secret: {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"},
        pool.registry_secret: {"token", "ca.crt"},
    }
    assert variables()["secret"] == f"'{pool.signing_secret}'"


def test_the_quota_counts_the_gpus_that_pipelines_ask_for() -> None:
    (quota,) = of("gpu-quota", "ResourceQuota")
    assert f"requests.{NodePool().gpu_type}" in quota["spec"]["hard"]


def test_no_role_has_wildcards_and_a_secret_is_read_by_name_alone() -> None:
    roles = [role for folder in ("run", "certification", "development") for role in of(folder, "Role")]
    assert len(roles) == 3
    for rule in [rule for role in roles for rule in role["rules"]]:
        assert "*" not in [*rule["apiGroups"], *rule["resources"], *rule["verbs"]]
        if "secrets" in rule["resources"]:
            assert rule["resourceNames"] == ["mlpipeline-minio-artifact"]
            assert rule["verbs"] == ["get"]


def test_every_binding_binds_a_role_beside_it_and_an_account_that_is_made() -> None:
    for folder in ("run", "certification", "development"):
        for binding in of(folder, "RoleBinding"):
            assert binding["roleRef"]["name"] in names(of(folder, "Role"))
            accounts = {one["name"] for one in binding["subjects"] if one["kind"] == "ServiceAccount"}
            assert accounts <= names(of("run", "ServiceAccount"))


def test_development_has_neither_the_key_nor_the_label_that_the_policy_asks_for() -> None:
    (certification,), (development,) = of("certification", "Namespace"), of("development", "Namespace")
    label = "robustcert.io/certification"
    assert certification["metadata"]["labels"][label] == "true"
    assert label not in development["metadata"]["labels"]
    assert NodePool().signing_secret not in yaml.safe_dump(objects("development"))
    for folder, namespace in {"certification": certification, "development": development}.items():
        said = yaml.safe_load((RUNNER / folder / "kustomization.yaml").read_text())
        assert said["namespace"] == namespace["metadata"]["name"]
    assert {
        yaml.safe_load((RUNNER / folder / "kustomization.yaml").read_text())["namespace"]
        for folder in ("external-secrets", "gpu-quota")
    } == {certification["metadata"]["name"]}


def test_the_policy_knows_the_only_step_that_gets_the_key(root: Path) -> None:
    holders = set()
    for name in PIPELINES:
        pipeline, platform = documents(root, name)
        told = platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
        secrets = {label: str(one) for label, one in told.items() if "signing_secret" in str(one)}
        for label in secrets:
            container = pipeline["deploymentSpec"]["executors"][label]["container"]
            holders.add((label, container["args"][container["args"].index("--function_to_execute") + 1]))
    assert holders >= {("exec-certificate-issue", "certificate_issue")}
    (policy,) = of("key-policy", "ValidatingAdmissionPolicy")
    text = yaml.safe_dump(policy, width=10_000)
    assert "certificate_issue" in text
    assert NodePool().image.startswith("ghcr.io/robustcert/robustcert:")
    assert "'ghcr.io/robustcert/robustcert:'" in variables()["images"]
    assert names(of("run", "ServiceAccount")) == {variables()["accounts"].strip("[]'")}


@pytest.mark.parametrize("name", CERTIFYING)
def test_without_a_secret_the_key_is_looked_for_where_the_secret_would_be(root: Path, name: str) -> None:
    assert inputs(documents(root, name)[0])["signing_key"]["defaultValue"] == f"{KEY_FOLDER}/key"


def test_a_development_run_does_everything_but_sign(root: Path, chain: Chain, tmp_path: Path) -> None:
    document = yaml.safe_load(small_specification())
    document["model"]["weights"] = "model.safetensors"
    del document["training"]
    given = {name: one.get("defaultValue") for name, one in inputs(documents(root, "certify_model")[0]).items()}
    store = str(tmp_path / "store")
    given |= {"specification": yaml.safe_dump(document), "store": store, "source_folder": str(chain.bundle)}
    run = InProcess(tmp_path / "artifacts")
    with pytest.raises(KeyFileError) as caught:
        run.run("certify_model", arguments=given, log=tmp_path / "log", on_progress=print)
    (line,) = str(caught.value).splitlines()
    assert "expected a key file at" in line
    assert f"{KEY_FOLDER}/key" in line
    assert list(run.folder.glob("shard*_evidence")), "certification itself is done"
    assert not (run.folder / "certificate").exists()
    stored = open_store(store)
    assert list(stored.list_documents("certificates/")) == []
