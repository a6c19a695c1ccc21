"""The controller's settings in each overlay: it reads them, and they are base's but for what the overlay is about."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from monitoring.recertification_webhook.settings import read_settings
from robustcert import __version__
from robustcert.certificate.trust import load_trusted_keys
from robustcert.errors import KeyFileError
from tests.pipelines.compiled import documents, inputs

MANIFESTS = Path(__file__).parent.parent.parent / "manifests"
OVERLAYS = MANIFESTS / "overlays"
STORE = {"store", "backend.kubeflow.parameters.store"}
RUNS = {
    f"backend.kubeflow.parameters.{name}"
    for name in ("image", "shards", "gpus", "cpu", "memory", "node_selector", "tolerations", "affinity")
}
CHANGED = {
    "kind": STORE | {"mostRunning"},
    "gpu-pool": STORE | RUNS | {"runDeadline", "backend.kubeflow.namespace", "backend.kubeflow.serviceAccount"},
    "airgapped": STORE
    | {"backend.kubeflow.host", "backend.kubeflow.caFile"}
    | {"backend.kubeflow.parameters.image", "backend.kubeflow.parameters.image_pull_secret"},
}
WHOLE = {"node_selector", "tolerations", "affinity"}


def leaves(item: Any, path: str = "") -> dict[str, Any]:
    """Dotted path -> value of everything in a tree of mappings."""
    if not isinstance(item, dict) or path.rpartition(".")[2] in WHOLE:
        return {path: item}
    parts = [leaves(value, f"{path}.{key}".lstrip(".")) for key, value in item.items()]
    return {name: value for part in parts for name, value in part.items()}


def settings(path: Path) -> dict[str, Any]:
    return yaml.safe_load(path.read_text())


@pytest.mark.parametrize("name", CHANGED)
def test_the_controller_reads_them(name: str) -> None:
    read = read_settings(OVERLAYS / name / "controller.yaml")
    assert str(read.database) == "/var/lib/robustcert/controller.sqlite"


@pytest.mark.parametrize("name", CHANGED)
def test_they_are_those_of_base_but_for_what_the_overlay_is_about(name: str) -> None:
    base = leaves(settings(MANIFESTS / "base/controller-settings.yaml"))
    here = leaves(settings(OVERLAYS / name / "controller.yaml"))
    assert {path for path in base.keys() | here.keys() if base.get(path) != here.get(path)} == CHANGED[name]


@pytest.mark.parametrize("name", CHANGED)
def test_parameters_of_runs_are_inputs_of_the_pipeline(root: Path, name: str) -> None:
    known = inputs(documents(root, "recertification")[0])
    given = settings(OVERLAYS / name / "controller.yaml")["backend"]["kubeflow"]["parameters"]
    assert given.keys() <= known.keys()
    assert given["store"] == settings(OVERLAYS / name / "controller.yaml")["store"]


@pytest.mark.parametrize("name", CHANGED)
def test_the_exporter_looks_at_the_store_that_the_controller_looks_at(name: str) -> None:
    test, replace = yaml.safe_load((OVERLAYS / name / "exporter-store.yaml").read_text())
    assert test["value"] == "--store=s3://replace-me-"
    assert test["path"] == replace["path"]
    assert replace["value"] == f"--store={settings(OVERLAYS / name / 'controller.yaml')['store']}"


def test_the_images_of_runs_are_of_this_release() -> None:
    image = settings(OVERLAYS / "gpu-pool/controller.yaml")["backend"]["kubeflow"]["parameters"]["image"]
    assert image == f"ghcr.io/robustcert/robustcert:{__version__}-gpu"


@pytest.mark.parametrize("name", CHANGED)
@pytest.mark.parametrize("key", ["issuer.pub", "controller.pub"])
def test_a_key_that_was_not_put_in_place_is_refused_by_every_program(name: str, key: str) -> None:
    with pytest.raises(KeyFileError, match=f"expected one key in PEM form .*{key}"):
        load_trusted_keys(OVERLAYS / name / "trusted-keys" / key)
