"""robustcert train-job prints one manifest that says what its options say."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests.chain import small_specification
from tests.command_line import CommandLine

TARGET = ("--store", "s3://bucket/p", "--image", "r/robustcert:1")


@pytest.fixture
def specification(tmp_path: Path) -> Path:
    """A specification of builtin data."""
    path = tmp_path / "spec.yaml"
    path.write_text(small_specification())
    return path


def test_it_prints_a_manifest_with_the_specifications_own_text(command_line: CommandLine, specification: Path) -> None:
    pool = ("--node-selector", "pool=h200", "--toleration", "nvidia.com/gpu:NoSchedule", "--gpu-type", "amd.com/gpu")
    found = command_line("train-job", specification, *TARGET, "--nodes", 2, "--gpus", 4, "--cpu", 8, *pool)
    assert found.status == 0, found.err
    assert found.out.startswith("# then run the pipeline with processes=8\n")
    spec = yaml.safe_load(found.out)["spec"]
    assert spec["trainer"]["args"][1].replace("$$", "$") == specification.read_text()
    assert spec["trainer"]["resourcesPerNode"]["limits"] == {"cpu": "8", "memory": "16Gi", "amd.com/gpu": "4"}
    patched = str(spec["runtimePatches"])
    assert "'pool': 'h200'" in patched
    assert "'effect': 'NoSchedule'" in patched


def test_other_options_reach_the_manifest(command_line: CommandLine, specification: Path) -> None:
    names = ("--name", "again", "--namespace", "team", "--runtime", "ours", "--store-secret", "s", "--memory", "1Gi")
    more = ("--image-pull-secret", "pull", "--run-token", "t", "--data-uri", "s3://data/x.npz")
    manifest = yaml.safe_load(command_line("train-job", specification, *TARGET, *names, *more).out)
    spec = manifest["spec"]
    assert manifest["metadata"] == {"name": "again", "namespace": "team"}
    assert spec["runtimeRef"]["name"] == "ours"
    assert spec["trainer"]["env"][0]["valueFrom"]["secretKeyRef"]["name"] == "s"
    assert spec["trainer"]["args"][2:] == [
        "--store",
        "s3://bucket/p",
        "--run-token",
        "t",
        "--data-uri",
        "s3://data/x.npz",
    ]
    assert spec["trainer"]["resourcesPerNode"]["limits"]["memory"] == "1Gi"
    assert "'imagePullSecrets': [{'name': 'pull'}]" in str(spec["runtimePatches"])


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (("--store", "folder", "--image", "i"), "expected a store that every pod reaches"),
        ((*TARGET, "--node-selector", "pool"), "expected KEY=VALUE for --node-selector, got 'pool'"),
        ((*TARGET, "--toleration", "gpu"), "expected KEY[=VALUE]:EFFECT"),
        ((*TARGET, "--data-uri", "data.npz"), "expected data that every pod reaches"),
    ],
)
def test_what_a_pod_could_not_do_is_one_line(
    command_line: CommandLine, specification: Path, options: tuple[str, ...], complaint: str
) -> None:
    found = command_line("train-job", specification, *options)
    assert found.status == 2
    assert complaint in found.err


def test_a_specification_without_training_is_refused(command_line: CommandLine, tmp_path: Path) -> None:
    document = yaml.safe_load(small_specification())
    del document["training"]
    document["model"]["weights"] = "model.safetensors"
    (tmp_path / "spec.yaml").write_text(yaml.safe_dump(document))
    found = command_line("train-job", tmp_path / "spec.yaml", *TARGET)
    assert found.status == 2
    assert "expected a specification with 'training', got none" in found.err
