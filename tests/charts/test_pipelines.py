"""Pipelines as objects: after Helm they hold exactly what kfp compiles, under names of the release and the content."""

from __future__ import annotations

import functools
import hashlib
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipelines import compile as compiling
from tests.charts.pod_process import objects_of
from tools.chart.render import CHART, render

NATIVE = {
    "store": {"uri": "s3://models/robustcert"},
    "trustedKeys": {"configMapName": "keys"},
    "pipelines": {"upload": {"enabled": False}, "customResources": {"enabled": True}},
}


def rendered(chart: Path = CHART, **more: Any) -> list[dict[str, Any]]:
    objects = render({**NATIVE, **more}, chart=chart)
    return [one for one in objects if one["kind"] in ("Pipeline", "PipelineVersion")]


@functools.cache
def of_the_release() -> tuple[dict[str, Any], ...]:
    return tuple(rendered())


def loaded(text: str) -> list[dict[str, Any]]:
    return list(yaml.load_all(text, Loader=yaml.CSafeLoader))


@pytest.mark.parametrize("name", sorted(compiling.pipelines()))
def test_a_pipeline_after_helm_is_what_kfp_compiles(name: str) -> None:
    target = compiling.Target(item=compiling.pipelines()[name], custom_resources=True)
    pipeline, version = loaded(compiling.compiled(target))
    found = {one["metadata"]["name"]: one for one in of_the_release()}
    own = found[pipeline["metadata"]["name"]]
    (versioned,) = [one for key, one in found.items() if key.startswith(version["metadata"]["name"] + "-")]
    for wanted, item in ((pipeline, own), (version, versioned)):
        assert {key: item[key] for key in ("apiVersion", "kind", "spec")} == {
            key: wanted[key] for key in ("apiVersion", "kind", "spec")
        }
    assert versioned["spec"]["pipelineName"] == own["metadata"]["name"]
    assert "{{$" in yaml.safe_dump(versioned), "kfp's own placeholders come through"


def test_every_pipeline_of_the_release_is_there_once() -> None:
    names = [one["spec"]["displayName"] for one in of_the_release() if one["kind"] == "Pipeline"]
    assert sorted(names) == sorted(str(item.name) for item in compiling.pipelines().values())


def test_a_version_is_named_after_its_content_as_it_may_not_change(tmp_path: Path) -> None:
    chart = tmp_path / "robustcert"
    shutil.copytree(CHART, chart)
    before = {one["metadata"]["name"] for one in rendered(chart)}
    path = chart / "files/pipelines/certify_model.yaml"
    path.write_text(path.read_text().replace("isOptional: true", "isOptional: false", 1))
    after = {one["metadata"]["name"] for one in rendered(chart)}
    (old,), (new,) = before - after, after - before
    spec = path.read_text().partition("kind: PipelineVersion")[2].partition("\nspec:\n")[2]
    assert new.rpartition("-")[2] == hashlib.sha256(spec.encode()).hexdigest()[:10]
    assert new.rpartition("-")[0] == old.rpartition("-")[0]
    assert new.rpartition("-")[0].startswith("certify-model-")


def test_a_pipeline_comes_before_its_version_and_old_versions_stay() -> None:
    for item in of_the_release():
        annotations = dict(item["metadata"]["annotations"])
        assert annotations.pop("argocd.argoproj.io/sync-options") == "ServerSideApply=true"
        if item["kind"] == "Pipeline":
            assert annotations == {"argocd.argoproj.io/sync-wave": "0"}
        else:
            assert annotations == {"argocd.argoproj.io/sync-wave": "1", "helm.sh/resource-policy": "keep"}


@pytest.mark.parametrize(("profile", "namespace"), [("team-vision", "team-vision"), ("", "kubeflow")])
def test_they_are_where_kubeflow_looks_for_them(profile: str, namespace: str) -> None:
    found = rendered(kubeflow={"namespace": profile})
    assert {one["metadata"]["namespace"] for one in found} == {namespace}


def test_the_other_way_makes_none() -> None:
    objects = render({**NATIVE, "pipelines": {}})
    assert [one for one in objects if one["apiVersion"].startswith("pipelines.kubeflow.org")] == []
    assert len(objects_of(objects, "Job", component="upload")) == 1
