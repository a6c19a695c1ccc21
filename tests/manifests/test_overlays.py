"""The overlays, built by the kustomize inside kubectl: whole, valid everywhere, and every patch took effect."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import helm_python
import pytest
import yaml

from tests.manifests.kustomize import MANIFESTS, Object, build, copy_for
from tools.chart.checks.containers import CONTAINERS
from tools.chart.checks.every import CHECKS
from tools.chart.checks.names import require_labels
from tools.chart.checks.release import Release, check_name, findings
from tools.chart.kubernetes_schemas import VERSIONS, schema_findings
from tools.chart.manifests import OPTIONS, VALUES
from tools.chart.render import CHART

pytestmark = pytest.mark.kustomize

KUBECTL = os.environ.get("KUBECTL", "kubectl")  # read while pytest collects; conftest.py forgets such settings
HASH = re.compile(r"-[a-z0-9]{10}$")
# Folder -> the folders that it stands on.
OVERLAYS = {
    "kind": ["base"],
    "gpu-pool": ["base", "prometheus-operator", "kubeflow-profile"],
    "airgapped": ["base"],
}
ADDED = {
    "kind": {("Namespace", "robustcert"), ("ConfigMap", "robustcert-trusted-keys")},
    "gpu-pool": {("PriorityClass", "robustcert"), ("ConfigMap", "robustcert-trusted-keys")},
    "airgapped": {("ConfigMap", "robustcert-authorities"), ("ConfigMap", "robustcert-trusted-keys")},
}
# What the values would say of an installation by Helm, as far as checks ask for names from outside.
SAID: dict[str, Object] = {
    "kind": {},
    "gpu-pool": OPTIONS["kubeflow-profile"],
    "airgapped": {"images": {"pullSecrets": ["corp-registry"]}},
}
# What kustomize does in another way: no label names the chart, and a ConfigMap's name stands for its checksum.
NOT_ASKED = {"checksums-present", check_name(require_labels)}


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_for(KUBECTL, tmp_path_factory.mktemp("kustomize") / "manifests")


@pytest.fixture(scope="module")
def built(tree: Path) -> dict[str, list[Object]]:
    folders = ["base", *OPTIONS, *(f"overlays/{name}" for name in OVERLAYS)]
    return {folder.removeprefix("overlays/"): build(tree / folder, kubectl=KUBECTL) for folder in folders}


def plain_name(item: Object) -> str:
    """A ConfigMap's name without the hash that kustomize appends."""
    name: str = item["metadata"]["name"]
    return HASH.sub("", name) if item["kind"] == "ConfigMap" else name


def identities(objects: list[Object]) -> list[tuple[str, str]]:
    return [(item["kind"], plain_name(item)) for item in objects]


def one(objects: list[Object], kind: str, name: str) -> Object:
    (found,) = [item for item in objects if (item["kind"], plain_name(item)) == (kind, name)]
    return found


def container(objects: list[Object], kind: str, name: str) -> Object:
    (only,) = one(objects, kind, name)["spec"]["template"]["spec"]["containers"]
    return only


def settings(objects: list[Object]) -> Object:
    text = one(objects, "ConfigMap", "robustcert-controller")["data"]["controller.yaml"]
    return yaml.safe_load(text)


def egress(objects: list[Object], name: str) -> list[Any]:
    return one(objects, "NetworkPolicy", name)["spec"]["egress"]


def store_of_exporter(objects: list[Object]) -> str:
    (uri,) = [
        text.removeprefix("--store=")
        for text in container(objects, "Deployment", "robustcert-exporter")["args"]
        if text.startswith("--store=")
    ]
    return uri


@pytest.mark.parametrize("name", OVERLAYS)
def test_no_object_is_lost_or_doubled(built: dict[str, list[Object]], name: str) -> None:
    below = [one for folder in OVERLAYS[name] for one in identities(built[folder])]
    found = identities(built[name])
    assert len(found) == len(set(found))
    assert set(found) == set(below) | ADDED[name]
    assert len(found) == len(below) + len(ADDED[name])


@pytest.mark.parametrize("name", OVERLAYS)
def test_every_object_fits_every_version_of_kubernetes(built: dict[str, list[Object]], name: str) -> None:
    assert [found for version in VERSIONS for found in schema_findings(built[name], version=version)] == []


@pytest.mark.parametrize("name", OVERLAYS)
def test_the_checks_of_the_chart_find_nothing(built: dict[str, list[Object]], name: str) -> None:
    given = {**yaml.safe_load(VALUES.read_text()), **SAID[name]}
    with helm_python.Chart.load(str(CHART)) as chart:
        values = chart.merge_values(given)
    release = Release(objects=tuple(built[name]), values=values)
    asked = [check for check in CHECKS if check_name(check) not in NOT_ASKED]
    assert len(asked) > len(CONTAINERS)
    assert len(asked) == len(CHECKS) - len(NOT_ASKED)
    assert [str(finding) for finding in findings(release, asked) if finding.check != "namespaces-are-wanted"] == []


@pytest.mark.parametrize("name", OVERLAYS)
def test_objects_are_in_the_namespaces_that_are_meant(built: dict[str, list[Object]], name: str) -> None:
    profile = {("Role", "robustcert-controller-kubeflow"), ("Role", "robustcert-upload-kubeflow")}
    profile |= {("RoleBinding", account) for _, account in profile}
    for item in built[name]:
        if "namespace" in item["metadata"]:
            meant = "robustcert-certification" if (item["kind"], plain_name(item)) in profile else "robustcert"
            assert item["metadata"]["namespace"] == meant, item["metadata"]


@pytest.mark.parametrize("name", OVERLAYS)
def test_one_store_is_named_and_no_placeholder_is_left(built: dict[str, list[Object]], name: str) -> None:
    assert "replace-me" not in yaml.safe_dump(built[name])
    said = settings(built[name])
    assert store_of_exporter(built[name]) == said["store"] == said["backend"]["kubeflow"]["parameters"]["store"]


@pytest.mark.parametrize("name", OVERLAYS)
def test_a_changed_setting_or_key_gives_its_pods_another_configmap(
    built: dict[str, list[Object]], tmp_path: Path, name: str
) -> None:
    changed = copy_for(KUBECTL, tmp_path / "manifests")
    for path in ("controller.yaml", "trusted-keys/issuer.pub"):
        (changed / f"overlays/{name}/{path}").write_text("changed: true\n")
    after = build(changed / f"overlays/{name}", kubectl=KUBECTL)
    for kind, program, own in [
        ("Deployment", "robustcert-exporter", {"robustcert-trusted-keys"}),
        ("StatefulSet", "robustcert-controller", {"robustcert-trusted-keys", "robustcert-controller"}),
    ]:
        before, now = (mounted(one(objects, kind, program)) for objects in (built[name], after))
        made = {item["metadata"]["name"] for item in after if item["kind"] == "ConfigMap"} | {"kube-root-ca.crt"}
        assert now <= made, "a pod names a ConfigMap that is not there"
        assert {HASH.sub("", gone) for gone in before - now} == own


def mounted(workload: Object) -> set[str]:
    volumes = workload["spec"]["template"]["spec"]["volumes"]
    direct = {volume["configMap"]["name"] for volume in volumes if "configMap" in volume}
    sources = [source for volume in volumes for source in volume.get("projected", {}).get("sources", [])]
    return direct | {source["configMap"]["name"] for source in sources if "configMap" in source}


def test_kind_is_small_restricted_and_reaches_kubeflows_own_store(built: dict[str, list[Object]]) -> None:
    here = built["kind"]
    labels = one(here, "Namespace", "robustcert")["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
    for kind, name in [("Deployment", "robustcert-exporter"), ("StatefulSet", "robustcert-controller")]:
        assert container(here, kind, name)["resources"] == {
            "requests": {"cpu": "20m", "memory": "128Mi"},
            "limits": {"memory": "256Mi"},
        }
        ports = {port["port"] for rule in egress(here, name) for port in rule.get("ports", [])}
        assert ports >= {9000, 8333}
    claim = one(here, "PersistentVolumeClaim", "robustcert-controller")["spec"]["resources"]
    assert claim == {"requests": {"storage": "256Mi"}}
    assert settings(here)["mostRunning"] == 1


def test_gpu_pool_says_where_runs_compute_and_keeps_our_programs_off_it(built: dict[str, list[Object]]) -> None:
    here = built["gpu-pool"]
    kubeflow = settings(here)["backend"]["kubeflow"]
    assert (kubeflow["namespace"], kubeflow["serviceAccount"]) == ("robustcert-certification", "robustcert-run")
    runs = kubeflow["parameters"]
    assert (runs["gpus"], runs["shards"], runs["gpu_type"]) == ("1", 8, "nvidia.com/gpu")
    assert runs["image"].endswith("-gpu")
    (pool,) = runs["node_selector"].items()
    for kind, name in [("Deployment", "robustcert-exporter"), ("StatefulSet", "robustcert-controller")]:
        pod = one(here, kind, name)["spec"]["template"]["spec"]
        assert pod["priorityClassName"] == one(here, "PriorityClass", "robustcert")["metadata"]["name"]
        (term,) = pod["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]
        assert term["matchExpressions"] == [{"key": pool[0], "operator": "NotIn", "values": [pool[1]]}]
    (job,) = [item for item in here if item["kind"] == "Job"]
    upload = job["spec"]["template"]["spec"]["containers"][0]["args"]
    assert "--namespace=robustcert-certification" in upload
    assert "--namespace=" not in upload


def test_airgapped_takes_images_by_digest_from_the_mirror_and_trusts_its_own_authority(
    built: dict[str, list[Object]],
) -> None:
    here = built["airgapped"]
    workloads = [item for item in here if item["kind"] in ("Deployment", "StatefulSet", "Job")]
    assert len(workloads) == 3
    for workload in workloads:
        pod = workload["spec"]["template"]["spec"]
        assert pod["imagePullSecrets"] == [{"name": "corp-registry"}]
        (only,) = pod["containers"]
        assert re.fullmatch(r"registry\.corp\.example:5000/\S+@sha256:[0-9a-f]{64}", only["image"])
        assert "/etc/robustcert/authorities" in [mount["mountPath"] for mount in only["volumeMounts"]]
        (volume,) = [volume for volume in pod["volumes"] if volume["name"] == "authorities"]
        assert HASH.sub("", volume["configMap"]["name"]) == "robustcert-authorities"
    image = settings(here)["backend"]["kubeflow"]["parameters"]["image"]
    assert re.fullmatch(r"registry\.corp\.example:5000/\S+@sha256:[0-9a-f]{64}", image)
    for kind, name in [("Deployment", "robustcert-exporter"), ("StatefulSet", "robustcert-controller")]:
        env = {entry["name"]: entry.get("value") for entry in container(here, kind, name)["env"]}
        assert env["SSL_CERT_FILE"] == "/etc/robustcert/authorities/ca.crt"
        assert "AWS_ACCESS_KEY_ID" in env  # what base had is still there
    assert "ghcr.io" not in yaml.safe_dump(workloads)


def test_airgapped_lets_nothing_out_but_to_named_places(built: dict[str, list[Object]]) -> None:
    policies = [item for item in built["airgapped"] if item["kind"] == "NetworkPolicy"]
    assert len(policies) == 5
    for policy in policies:
        assert "Egress" in policy["spec"]["policyTypes"]
        for rule in policy["spec"].get("egress", []):
            assert rule["to"], policy["metadata"]["name"]
            assert rule["ports"], policy["metadata"]["name"]
    everywhere = {"0.0.0.0/0", "::/0"}
    blocks = re.findall(r"cidr: (\S+)", yaml.safe_dump(policies))
    assert blocks
    assert everywhere.isdisjoint(blocks)


@pytest.mark.parametrize("folder", ["", "/gpu-quota", "/external-secrets", "/run", "/certification", "/development"])
def test_what_runs_need_is_built_and_fits_every_version(tree: Path, folder: str) -> None:
    objects = build(tree / f"pipeline-runner{folder}", kubectl=KUBECTL)
    assert objects
    assert [found for version in VERSIONS for found in schema_findings(objects, version=version)] == []


def test_the_policy_fits_every_version_that_has_it(tree: Path) -> None:
    objects = build(tree / "pipeline-runner/key-policy", kubectl=KUBECTL)
    assert len(objects) == 2
    assert [found for version in VERSIONS[1:] for found in schema_findings(objects, version=version)] == []
    assert len(schema_findings(objects, version="1.29")) == 2


def test_both_namespaces_of_runs_get_the_same_rights(tree: Path) -> None:
    objects = build(tree / "pipeline-runner", kubectl=KUBECTL)
    roles = {
        item["metadata"]["namespace"]: item["rules"]
        for item in objects
        if (item["kind"], item["metadata"]["name"]) == ("Role", "robustcert-run")
    }
    assert set(roles) == {"robustcert-certification", "robustcert-development"}
    assert roles["robustcert-certification"] == roles["robustcert-development"]
    for item in objects:
        for subject in item.get("subjects", []):
            if subject["kind"] == "ServiceAccount":
                assert subject.get("namespace") == item["metadata"]["namespace"]


def test_the_manifests_are_where_the_tests_look() -> None:
    assert {path.name for path in (MANIFESTS / "overlays").iterdir()} == set(OVERLAYS)
