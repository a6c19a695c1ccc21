"""Compiled pipelines are read as kfp wrote them; a version's name follows the content and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from kfp import components

from robustcert import __version__
from robustcert.errors import InputError
from robustcert.kubeflow.compiled import (
    inputs_of,
    read_compiled,
    shipped,
    shipped_pipeline,
    steps_of,
)
from tests.kubeflow.compiled_example import NAMES, PARAMETERS, write_compiled

PLATFORM = {"platforms": {"kubernetes": {"deploymentSpec": {"executors": {}}}}}


def test_the_version_is_the_release_and_the_contents_digest(tmp_path: Path) -> None:
    path = write_compiled(tmp_path)
    first = read_compiled(path)
    assert first.version == f"{__version__}-{first.sha256[:12]}"
    path.write_text("# another comment\n" + path.read_text().partition("\n")[2])
    assert read_compiled(path).version == first.version
    assert read_compiled(write_compiled(tmp_path, schemaVersion="2.2.0")).version != first.version


def test_settings_for_kubernetes_stand_beside_the_pipeline(tmp_path: Path) -> None:
    path = write_compiled(tmp_path)
    alone = read_compiled(path)
    path.write_text(f"{path.read_text()}---\n{yaml.safe_dump(PLATFORM)}")
    both = read_compiled(path)
    assert both.spec == {"pipeline_spec": alone.spec, "platform_spec": PLATFORM}
    assert (inputs_of(both.spec), steps_of(both.spec)) == (inputs_of(alone.spec), steps_of(alone.spec))
    assert both.sha256 != alone.sha256


def test_inputs_are_those_that_kfp_reads_from_the_file(tmp_path: Path) -> None:
    path = write_compiled(tmp_path)
    read = components.load_component_from_file(str(path)).component_spec.inputs
    found = inputs_of(read_compiled(path).spec)
    assert {name: known.required for name, known in found.items()} == {
        name: not given.optional for name, given in read.items()
    }
    assert [found[name].kind for name in PARAMETERS] == [PARAMETERS[name]["parameterType"] for name in PARAMETERS]


def test_steps_stand_in_the_order_of_their_needs_with_loops_opened(tmp_path: Path) -> None:
    assert steps_of(read_compiled(write_compiled(tmp_path)).spec) == list(NAMES)
    assert steps_of({}) == []


def test_every_shipped_pipeline_takes_a_specification_and_a_store_and_has_steps() -> None:
    found = {pipeline.name: pipeline for pipeline in shipped(by_uri=False)}
    assert found.keys() == {"certified-training", "certify-model", "recertification", "drift-monitoring"}
    assert steps_of(found.pop("drift-monitoring").spec) == ["drift-monitoring"]
    for pipeline in found.values():
        assert {"certification", "certificate-issue"} <= set(steps_of(pipeline.spec))
    assert {"specification", "store"} <= inputs_of(found["certified-training"].spec).keys()
    assert shipped_pipeline("certified-training") == found["certified-training"]


def test_pipelines_by_uri_come_along_where_they_are_asked_for() -> None:
    names = {one.name for one in shipped(by_uri=True)}
    assert {"certified-training", "data-validation-by-uri", "certification-by-uri"} <= names


def test_a_pipeline_of_no_release_is_refused() -> None:
    with pytest.raises(InputError, match=r"expected a pipeline of this release, got 'x'; name one of .*certified-tr"):
        shipped_pipeline("x")


HEAD = "pipelineInfo: {name: x}\n"


@pytest.mark.parametrize(
    "text",
    [
        *("", "a: 1", "[1]", "{", "pipelineInfo: {}", "pipelineInfo: {name: x}\n---\n5", f"{HEAD}a: 2026-01-01"),
        *(f"{HEAD}a: {{1: 2, b: 3}}", f"{HEAD}a: !!binary aGk=", f"{HEAD}a: &a [*a]", f"{HEAD}a: &a [1]\nb: *a"),
        *(f"{HEAD}a: {'[' * 100_000}", f"{HEAD}---\na: 1\n---\nb: 1"),
    ],
)
def test_a_file_that_holds_no_pipeline_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "x.yaml").write_text(text)
    with pytest.raises(InputError, match=r"expected a compiled pipeline, got '.*x\.yaml', which is none"):
        read_compiled(tmp_path / "x.yaml")


@pytest.mark.parametrize(
    "spec",
    [
        {"root": 5},
        {"pipeline_spec": "text"},
        {"root": {"inputDefinitions": {"parameters": ["a"]}, "dag": {"tasks": 5}}},
        {"root": {"dag": []}, "components": "x"},
    ],
)
def test_what_a_server_made_up_has_neither_inputs_nor_steps(spec: dict[str, object]) -> None:
    assert (inputs_of(spec), steps_of(spec)) == ({}, [])


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"x\.yaml', which can't be read \(No such file"):
        read_compiled(tmp_path / "x.yaml")
