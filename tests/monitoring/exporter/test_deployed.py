"""What is deployed: from a file, and from the Kubernetes objects that people really write."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from monitoring.exporter.deployed import Deployed, DeployedByFile, deployed_by, deployed_text, read_deployed
from monitoring.exporter.scan import Fleet
from robustcert.errors import InputError
from tests.monitoring.exporter.test_series import parsed

SHA256 = "0123456789abcdef" * 4
MARKS = {"robustcert.io/model": "digits", "robustcert.io/model-sha256": SHA256}
FOUND = Deployed(namespace="vision", workload="digits-api", model="digits", version="0123456789ab")


def item(spec: dict[str, Any] | None = None, **metadata: Any) -> dict[str, Any]:
    return {"metadata": {"name": "digits-api", "namespace": "vision", **metadata}, "spec": spec or {}}


OBJECTS = {
    "annotated": item(annotations=MARKS),
    "labelled, a label being shorter than a digest": item(
        labels={"robustcert.io/model": "digits", "robustcert.io/model-sha256": SHA256[:40]}
    ),
    "annotated and labelled: the annotation counts": item(annotations=MARKS, labels={"robustcert.io/model": "other"}),
    "by its pods": item({"replicas": 2, "template": {"metadata": {"annotations": MARKS}}}),
    "by the digest in a storageUri": item(
        {"predictor": {"model": {"storageUri": f"s3://store/objects/sha256/01/{SHA256}"}}},
        annotations={"robustcert.io/model": "digits"},
    ),
}


@pytest.mark.parametrize("name", OBJECTS)
def test_a_workload_that_names_its_model_is_deployed(name: str) -> None:
    assert deployed_by(OBJECTS[name]) == FOUND


def test_a_digest_alone_is_enough_and_a_name_alone_too() -> None:
    uri = {"predictor": {"sklearn": {"storageUri": f"https://models.example/{SHA256}/model.onnx"}}}
    by_digest, by_name = deployed_by(item(uri)), deployed_by(item(annotations={"robustcert.io/model": "digits"}))
    assert by_digest == Deployed(namespace="vision", workload="digits-api", model="", version="0123456789ab")
    assert by_name == Deployed(namespace="vision", workload="digits-api", model="digits", version="unknown")


OTHERS = {
    "unmarked": item({"predictor": {"model": {"storageUri": "s3://models/digits"}}}),
    "scaled to zero": item({"replicas": 0}, annotations=MARKS),
    "made by KServe for its service": item(annotations=MARKS, ownerReferences=[{"kind": "InferenceService"}]),
    "with a name that no certificate has": item(annotations={"robustcert.io/model": 'x"} 1\nup{a="'}),
    "with a digest that is none": item(annotations={"robustcert.io/model-sha256": "SHA256:xyz"}),
    "of other types": {"metadata": 7, "spec": [1]},
    "empty": {},
}


@pytest.mark.parametrize("name", OTHERS)
def test_what_is_no_deployed_model_is_left_out(name: str) -> None:
    assert deployed_by(OTHERS[name]) is None


def test_a_file_lists_what_is_deployed_without_kubernetes(tmp_path: Path) -> None:
    path = tmp_path / "deployed.yaml"
    entries = [{"model": "digits", "sha256": SHA256, "namespace": "vision", "workload": "digits-api"}]
    path.write_text(yaml.safe_dump({"deployed": [*entries, {"model": "other", "workload": "local"}]}))
    assert read_deployed(path) == (
        FOUND,
        Deployed(namespace="default", workload="local", model="other", version="unknown"),
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("deployed: [{model: digits}]", "got deployed.0.workload: Field required"),
        ("deployed: [{model: Digits!, workload: a}]", "got deployed.0.model"),
        ("deployed: [{model: digits, workload: 'A b'}]", "got entry 1 with names or a SHA-256 that are none"),
        ("deployed: [{model: digits, workload: a, sha256: '12'}]", "got entry 1 with names"),
        ("deployed: [{model: digits, workload: a, colour: red}]", "got deployed.0.colour"),
        ("{", "expected a list of deployed models"),
    ],
)
def test_a_wrong_file_is_refused_in_one_line(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "deployed.yaml").write_text(text)
    with pytest.raises(InputError, match=message):
        read_deployed(tmp_path / "deployed.yaml")


def test_a_file_is_read_again_and_while_it_is_wrong_the_old_list_stays(tmp_path: Path) -> None:
    path = tmp_path / "deployed.yaml"
    with pytest.raises(InputError, match="expected a list of deployed models"):
        DeployedByFile(path)
    path.write_text("deployed: [{model: a, workload: w}]")
    source = DeployedByFile(path)
    path.write_text("deployed: [{model: b, workload: w}]")
    assert [found.model for found in source.found()] == ["b"]
    path.write_text("deployed: [")
    assert ([found.model for found in source.found()], source.state) == (["b"], "disconnected")
    path.write_text("deployed: []")
    assert (source.found(), source.state) == ([], "connected")


def test_two_objects_with_equal_labels_are_one_series() -> None:
    assert list(parsed(deployed_text([FOUND, FOUND], Fleet())).values()) == [1.0]
    assert deployed_text([], Fleet()) == ""
