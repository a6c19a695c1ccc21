"""The words of an old kustomize say the same: what is read from one kustomization.yaml is written into the other."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests.manifests.kustomize import in_words_of_1_20

JOB = {"kind": "Job", "metadata": {"name": "upload-0-1-0", "namespace": "here"}}


@pytest.fixture
def overlay(tmp_path: Path) -> Path:
    (tmp_path / "base").mkdir()
    (tmp_path / "base/job.yaml").write_text(yaml.safe_dump(JOB))
    (tmp_path / "base/kustomization.yaml").write_text(yaml.safe_dump({"resources": ["job.yaml"]}))
    (tmp_path / "overlay").mkdir()
    (tmp_path / "overlay/more.yaml").write_text("")
    return tmp_path / "overlay/kustomization.yaml"


def test_folders_are_bases_and_patches_are_told_apart(overlay: Path) -> None:
    target = {"group": "batch", "version": "v1", "kind": "Job", "name": "upload-.*"}
    patches = [{"path": "merged.yaml"}, {"path": "operations.yaml", "target": target}]
    said = {"namespace": "here", "resources": ["../base", "more.yaml"], "patches": patches, "images": [{"name": "x"}]}
    overlay.write_text(yaml.safe_dump(said))
    assert in_words_of_1_20(overlay) == {
        "namespace": "here",
        "images": [{"name": "x"}],
        "bases": ["../base"],
        "resources": ["more.yaml"],
        "patchesStrategicMerge": ["merged.yaml"],
        "patchesJson6902": [
            {"path": "operations.yaml", "target": {**target, "name": "upload-0-1-0", "namespace": "here"}}
        ],
    }


def test_a_target_that_means_nothing_is_an_error(overlay: Path) -> None:
    patch = {"path": "operations.yaml", "target": {"kind": "Job", "name": "upload"}}
    overlay.write_text(yaml.safe_dump({"resources": ["../base"], "patches": [patch]}))
    with pytest.raises(AssertionError, match="means no object"):
        in_words_of_1_20(overlay)
