"""The examples: what Argo CD, Flux, the chart and the command line would take, with names that exist."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import helm_python
import pytest
import typer
import yaml

from robustcert import __version__
from robustcert.cli import application
from tools.chart.checks.pod_security import POD_SECURITY
from tools.chart.checks.release import Release, findings
from tools.chart.kubernetes_schemas import VERSIONS, schema_findings
from tools.chart.render import CHART, render
from tools.chart.values import Values

MANIFESTS = Path(__file__).parent.parent.parent / "manifests"
EXAMPLES = MANIFESTS / "examples"
FILES = sorted(EXAMPLES.rglob("*.yaml"))
Object = dict[str, Any]


def objects(path: Path) -> list[Object]:
    return list(yaml.safe_load_all(path.read_text()))


def everything() -> list[Object]:
    return [one for path in FILES for one in objects(path)]


def of(kind: str) -> list[Object]:
    return [one for one in everything() if one["kind"] == kind]


def chart_values() -> dict[str, Object]:
    """Where values of the chart are written -> the values."""
    (argo,) = [one["spec"]["source"] for one in of("Application") if "helm" in one["spec"]["source"]]
    (flux,) = of("HelmRelease")
    return {"Application": argo["helm"]["valuesObject"], "HelmRelease": flux["spec"]["values"]}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(EXAMPLES).as_posix())
def test_every_object_fits_its_schema_in_every_version(path: Path) -> None:
    assert objects(path)
    assert [found for version in VERSIONS for found in schema_findings(objects(path), version=version)] == []


def test_there_is_one_of_each() -> None:
    kinds = [one["kind"] for one in everything()]
    for kind in ("AppProject", "Application", "HelmRelease", "OCIRepository", "GitRepository", "Kustomization", "Job"):
        assert kind in kinds
    assert len(chart_values()) == 2


@pytest.mark.parametrize("name", ["Application", "HelmRelease"])
def test_values_are_the_charts_and_render(name: str) -> None:
    values = chart_values()[name]
    with helm_python.Chart.load(str(CHART)) as chart:
        read = Values.model_validate(chart.merge_values(values))
    assert read.store.uri == "s3://models/robustcert"
    rendered = render(values)
    accounts = [one for one in rendered if one["kind"] == "RoleBinding"]
    assert {one["metadata"]["namespace"] for one in accounts} == {"robustcert-certification"}


def test_values_name_the_namespace_and_account_of_the_pipeline_runner() -> None:
    runner = MANIFESTS / "pipeline-runner"
    namespace = yaml.safe_load((runner / "certification/namespace.yaml").read_text())["metadata"]["name"]
    account = yaml.safe_load((runner / "run/service-account.yaml").read_text())["metadata"]["name"]
    for values in chart_values().values():
        assert (values["kubeflow"]["namespace"], values["kubeflow"]["serviceAccount"]) == (namespace, account)


def test_waves_reach_the_programs_and_the_claim_outlives_the_application() -> None:
    rendered = {
        (one["kind"], one["metadata"]["name"]): one["metadata"] for one in render(chart_values()["Application"])
    }
    wave, options = "argocd.argoproj.io/sync-wave", "argocd.argoproj.io/sync-options"
    for workload in [("Deployment", "robustcert-exporter"), ("StatefulSet", "robustcert-controller")]:
        assert rendered[workload]["annotations"][wave] == "1"
    claim = rendered["PersistentVolumeClaim", "robustcert-controller"]["annotations"]
    assert set(claim[options].split(",")) == {"Prune=false", "Delete=false"}
    assert wave not in rendered["ConfigMap", "robustcert-controller"].get("annotations", {})


def test_applications_are_in_the_project_that_allows_what_they_do() -> None:
    (project,) = of("AppProject")
    places = {place["namespace"] for place in project["spec"]["destinations"]}
    for one in of("Application"):
        assert one["spec"]["project"] == project["metadata"]["name"]
        assert one["spec"]["source"]["repoURL"] in project["spec"]["sourceRepos"]
        assert one["spec"]["destination"]["namespace"] in places
    allowed = {kind["kind"] for kind in project["spec"]["clusterResourceWhitelist"]}
    made = {one["kind"] for one in render(chart_values()["Application"]) if "namespace" not in one["metadata"]}
    assert made <= allowed
    named = {one["metadata"].get("namespace", "robustcert") for one in render(chart_values()["Application"])}
    assert named <= places


def test_paths_in_this_repository_exist_and_hold_a_kustomization() -> None:
    sources = [one["spec"]["source"] for one in of("Application") if "path" in one["spec"]["source"]]
    paths = [source["path"] for source in sources] + [one["spec"]["path"] for one in of("Kustomization")]
    assert len(paths) >= 3
    for path in paths:
        assert (MANIFESTS.parent / path / "kustomization.yaml").is_file(), path


def test_flux_finds_its_sources_and_goes_back_by_itself() -> None:
    sources = {(one["kind"], one["metadata"]["name"]) for one in everything()}
    (release,) = of("HelmRelease")
    for named in [release["spec"]["chartRef"], *(one["spec"]["sourceRef"] for one in of("Kustomization"))]:
        assert (named["kind"], named["name"]) in sources
    assert release["spec"]["upgrade"]["remediation"]["strategy"] == "rollback"
    assert release["spec"]["driftDetection"]["mode"] == "enabled"


def test_versions_are_this_release() -> None:
    (repository,) = of("OCIRepository")
    charts = [one["spec"]["source"] for one in of("Application") if "chart" in one["spec"]["source"]]
    assert [source["targetRevision"] for source in charts] == [__version__]
    assert repository["spec"]["ref"]["tag"] == __version__
    images = {one["image"] for pod in gate_pods() for one in [*pod["initContainers"], *pod["containers"]]}
    assert {image for image in images if "robustcert" in image} == {
        f"ghcr.io/robustcert/robustcert-monitoring:{__version__}"
    }


def gate_pods() -> list[Object]:
    return [one["spec"]["template"]["spec"] for one in objects(EXAMPLES / "deploy-gate.yaml")]


def gate_commands() -> list[list[str]]:
    containers = [one for pod in gate_pods() for one in [*pod["initContainers"], *pod["containers"]]]
    return [one["command"] for one in containers if one["name"].startswith("certificate-")]


def test_the_gates_commands_are_ones_that_the_command_line_takes() -> None:
    commands = gate_commands()
    assert [command[1] for command in commands] == ["export-bundle", "verify"] * 2
    root = typer.main.get_command(application())
    for program, name, *arguments in commands:
        assert program == "robustcert"
        command = root.commands[name]
        read = command.make_context(name, list(arguments)).params
        assert str(read.get("out", read.get("bundle"))).endswith("/bundle")
    statuses = [command for command in commands if command[1] == "verify"]
    assert all("--statuses=$(STORE)" in command for command in statuses)


def test_the_gates_pods_are_restricted_and_mount_what_they_name() -> None:
    gates = objects(EXAMPLES / "deploy-gate.yaml")
    assert [str(one) for one in findings(Release(objects=tuple(gates), namespace="production"), POD_SECURITY)] == []
    for pod in gate_pods():
        volumes = {volume["name"] for volume in pod["volumes"]}
        for one in [*pod["initContainers"], *pod["containers"]]:
            assert {mount["name"] for mount in one["volumeMounts"]} <= volumes
            assert {name for text in one.get("command", ()) for name in variables(text)} <= {
                entry["name"] for entry in one.get("env", ())
            }
    assert json.dumps(gates[0]["metadata"]["annotations"]).count("argocd.argoproj.io/") == 2


def variables(text: str) -> list[str]:
    """Names of variables that Kubernetes puts into a command."""
    return [part.partition(")")[0] for part in text.split("$(")[1:]]
