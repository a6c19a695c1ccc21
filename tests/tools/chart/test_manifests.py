"""manifests/base and the folders beside it: the chart, made plain; applied untouched it fails and says why."""

from __future__ import annotations

import copy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from robustcert import __version__
from robustcert.certificate.keys import new_key, write_key_pair
from tools.chart import manifests
from tools.chart.kubernetes_schemas import VERSIONS, custom_kinds, schema_findings
from tools.chart.render import render

Object = dict[str, Any]
WORDS_OF_HELM = ("helm.sh/", "Helm", "checksum/")


def committed(folder: str) -> list[Object]:
    """All objects of a generated folder as kustomize reads them, the generated ConfigMap among them."""
    kustomization = yaml.safe_load((manifests.MANIFESTS / folder / "kustomization.yaml").read_text())
    texts = [(manifests.MANIFESTS / folder / name).read_text() for name in kustomization["resources"]]
    objects = [item for text in texts for item in yaml.safe_load_all(text)]
    for generator in kustomization.get("configMapGenerator", ()):
        pairs = [entry.split("=") for entry in generator["files"]]
        data = {key: (manifests.MANIFESTS / folder / name).read_text() for key, name in pairs}
        metadata = {"name": generator["name"], "namespace": generator["namespace"]}
        objects.append({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data})
    return objects


def rendered(**changes: Any) -> list[Object]:
    """What Helm would install with base's values, without the pods and policies of `helm test`."""
    objects = render({**yaml.safe_load(manifests.VALUES.read_text()), **changes})
    return [item for item in objects if item["metadata"]["labels"]["app.kubernetes.io/component"] != "test"]


def bare(item: Object) -> Object:
    """Everything that is not metadata, of the object and of its pods."""
    rest = copy.deepcopy({key: value for key, value in item.items() if key not in ("metadata", "apiVersion")})
    rest.get("spec", {}).get("template", {}).get("metadata", {}).pop("annotations", None)
    for key, text in rest.get("data", {}).items():
        rest["data"][key] = text.removeprefix(manifests.MARK)
    return rest


def by_identity(objects: list[Object]) -> dict[tuple[str, str, str], Object]:
    found = {manifests.identity(item): item for item in objects}
    assert len(found) == len(objects), "two objects of one name"
    return found


def test_the_committed_files_are_those_that_the_chart_makes_and_no_others() -> None:
    for path, text in manifests.generated().items():
        assert path.read_text() == text, f"{path}: run `make generate`"
    assert manifests.orphans() == []


def test_a_file_that_nothing_makes_is_an_orphan(tmp_path: Path) -> None:
    (tmp_path / "base").mkdir()
    for name in ("exporter.yaml", "forgotten.yaml"):
        (tmp_path / "base" / name).write_text("")
    assert manifests.orphans(tmp_path) == [tmp_path / "base/forgotten.yaml"]


def test_base_holds_what_helm_would_install_and_differs_in_metadata_alone() -> None:
    ours, helms = by_identity(committed("base")), by_identity(rendered())
    assert ours.keys() == helms.keys()
    assert len(ours) > 20
    for name, item in helms.items():
        assert bare(ours[name]) == bare(item), name


def test_nothing_of_helm_is_left() -> None:
    for folder in ("base", *manifests.OPTIONS):
        for item in committed(folder):
            text = yaml.safe_dump({"metadata": item["metadata"], "template": item.get("spec", {}).get("template")})
            assert not [word for word in WORDS_OF_HELM if word in text], manifests.identity(item)


def test_base_needs_no_custom_resource_definitions_and_fits_every_version() -> None:
    objects = committed("base")
    assert {(item["apiVersion"], item["kind"]) for item in objects}.isdisjoint(custom_kinds())
    assert [finding for version in VERSIONS for finding in schema_findings(objects, version=version)] == []


@pytest.mark.parametrize(
    ("folder", "kinds"),
    [
        ("prometheus-operator", {"ServiceMonitor", "PodMonitor", "PrometheusRule"}),
        ("kubeflow-profile", {"Role", "RoleBinding"}),
    ],
)
def test_an_option_adds_what_base_has_not(folder: str, kinds: set[str]) -> None:
    added = by_identity(committed(folder))
    assert {kind for kind, _, _ in added} >= kinds
    assert added.keys().isdisjoint(by_identity(committed("base")))
    assert [finding for version in VERSIONS for finding in schema_findings(added.values(), version=version)] == []


def test_the_job_bears_the_release_in_its_name_and_is_removed_after_its_end() -> None:
    (job,) = [item for item in committed("base") if item["kind"] == "Job"]
    assert job["metadata"]["name"].endswith(__version__.replace(".", "-"))
    assert job["spec"]["ttlSecondsAfterFinished"] > 0
    assert job["metadata"]["annotations"] == manifests.ANEW


def test_the_claim_is_kept_by_argo_cd_and_flux() -> None:
    (claim,) = [item for item in committed("base") if item["kind"] == "PersistentVolumeClaim"]
    assert claim["metadata"]["annotations"] == manifests.KEPT


def test_other_annotations_of_an_object_and_of_its_pods_stay() -> None:
    given = {
        "kind": "Deployment",
        "metadata": {"name": "x", "labels": {manifests.COMPONENT: "exporter"}, "annotations": {"team": "a"}},
        "spec": {"template": {"metadata": {"annotations": {"checksum/config": "0", "scrape": "yes"}}}},
    }
    before = copy.deepcopy(given)
    (made,) = manifests.plain([given])
    assert made["metadata"]["annotations"] == {"team": "a"}
    assert made["spec"]["template"]["metadata"]["annotations"] == {"scrape": "yes"}
    assert given == before


@pytest.fixture
def trusted_keys(tmp_path: Path) -> Path:
    folder = tmp_path / "keys"
    folder.mkdir()
    write_key_pair(folder / "issuer", new_key("ed25519"), passphrase=None)
    return folder


def container(name: str) -> Object:
    pods = [
        item["spec"]["template"]["spec"] for item in committed("base") if item["kind"] in ("Deployment", "StatefulSet")
    ]
    return next(one for pod in pods for one in pod["containers"] if one["name"] == name)


def refused(module: str, arguments: list[str]) -> str:
    """What a program of base says when it ends at once with wrong settings."""
    environment = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "PATH": "/usr/bin:/bin"}
    command = [sys.executable, "-m", module, *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2, done
    return done.stderr


def test_the_exporter_of_an_untouched_base_ends_and_names_the_placeholder(trusted_keys: Path) -> None:
    arguments = [text for text in container("exporter")["args"] if not text.startswith("--trusted-keys")]
    said = refused("monitoring.exporter", [*arguments, f"--trusted-keys={trusted_keys}"])
    assert "got 's3://replace-me-'" in said


def test_the_controller_of_an_untouched_base_ends_and_names_the_placeholder(trusted_keys: Path, tmp_path: Path) -> None:
    settings = yaml.safe_load((manifests.MANIFESTS / "base/controller-settings.yaml").read_text())
    here = {
        "database": str(tmp_path / "x.sqlite"),
        "auditLog": str(tmp_path / "audit.jsonl"),
        "trustedKeys": str(trusted_keys),
    }
    token = tmp_path / "token"
    token.write_text("x" * 32)
    token.chmod(0o600)
    settings |= {**here, "statusKey": str(trusted_keys / "issuer"), "bearerTokenFile": str(token)}
    (tmp_path / "controller.yaml").write_text(yaml.safe_dump(settings))
    said = refused("monitoring.recertification_webhook", ["--config", str(tmp_path / "controller.yaml"), "--check"])
    assert "got 's3://replace-me-'" in said


def test_no_pod_of_an_untouched_base_gets_keys_to_trust() -> None:
    made = {item["metadata"]["name"] for item in committed("base") if item["kind"] == "ConfigMap"}
    named = [
        volume["configMap"]["name"]
        for item in committed("base")
        if item["kind"] in ("Deployment", "StatefulSet")
        for volume in item["spec"]["template"]["spec"]["volumes"]
        if volume["name"] == "trusted-keys"
    ]
    assert set(named) == {"robustcert-trusted-keys"}
    assert len(named) == 2
    assert made.isdisjoint(named)
