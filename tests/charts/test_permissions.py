"""docs/permissions.md says what the chart renders, and the chart allows what our requests need and nothing more."""

from __future__ import annotations

import functools
import itertools
import re
from pathlib import Path
from typing import Any

import pytest

from monitoring.recertification_webhook.backends.kubeflow import KubeflowBackend
from monitoring.recertification_webhook.settings import KubeflowSettings
from robustcert.kubeflow.client import KubeflowClient
from robustcert.kubeflow.compiled import shipped_pipeline
from robustcert.kubeflow.connection import Connection
from robustcert.kubeflow.tokens import TokenFile
from robustcert.kubeflow.upload import put_in_place
from tests.charts.pod_process import objects_of, pod_spec
from tests.kubeflow.stand_in import PREFIX, StandIn
from tests.kubeflow.stand_in_http import Request
from tests.monitoring.recertification_webhook.backends.test_kubeflow import ORDER
from tools.chart.render import ci_values, render

KUBEFLOW = "pipelines.kubeflow.org"
COMPONENT = "app.kubernetes.io/component"
Right = tuple[str, str, str, str]  # program, API group, resource, verb
EXTRA = {"robustcert-schedule-client"}  # of full-values.yaml's extraVolumes
DEFAULTS = {
    "store.secretName": "robustcert-store",
    "controller.tokens": "robustcert-controller-tokens",
    "controller.scheduleToken": "robustcert-schedule-token",
    "drift.key": "robustcert-drift-key",
}


@pytest.fixture(scope="module")
def text() -> str:
    return (Path(__file__).parents[2] / "docs/permissions.md").read_text()


def rows(text: str, first: str) -> list[list[str]]:
    """The rows of the table whose head begins with these cells, without backticks."""
    _, _, rest = text.partition(f"| {first} |")
    lines = itertools.takewhile(lambda line: line.startswith("|"), rest.splitlines()[2:])
    found = [[cell.strip().replace("`", "") for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]
    assert found, first
    return found


def documented(text: str) -> set[Right]:
    table = rows(text, "program | where | API group")
    return {(row[0], row[2], row[3], verb) for row in table for verb in row[4].split(", ")}


def granted(objects: list[dict[str, Any]]) -> set[Right]:
    """Every right that a Role or ClusterRole gives, by the program whose account it is bound to."""
    roles = {(one["kind"], one["metadata"]["name"]): one for one in objects if one["kind"] in ("Role", "ClusterRole")}
    accounts = {
        one["metadata"]["name"]: one["metadata"]["labels"][COMPONENT] for one in objects_of(objects, "ServiceAccount")
    }
    found: set[Right] = set()
    for binding in (one for one in objects if one["kind"] in ("RoleBinding", "ClusterRoleBinding")):
        (subject,) = binding["subjects"]
        role = roles.pop((binding["roleRef"]["kind"], binding["roleRef"]["name"]))
        for rule in role["rules"]:
            parts = itertools.product(rule["apiGroups"], rule["resources"], rule["verbs"])
            found |= {(accounts[subject["name"]], *part) for part in parts}
    assert roles == {}, "a role that nobody is bound to"
    return found


@functools.cache
def every_ci_release() -> tuple[tuple[str, list[dict[str, Any]]], ...]:
    return tuple((name, render(values)) for name, values in ci_values().items())


def test_the_table_is_what_the_chart_grants_over_all_kinds_of_installation(text: str) -> None:
    found = {name: granted(objects) for name, objects in every_ci_release()}
    assert set().union(*found.values()) == documented(text)
    for name, rights in found.items():
        assert rights <= documented(text), name
    assert not any(group == KUBEFLOW for _, group, _, _ in found["minimal"]), "single-user Kubeflow asks nobody"


def test_nothing_is_granted_that_could_change_the_cluster_or_read_a_secret(text: str) -> None:
    for _, group, resource, verb in documented(text):
        assert "*" not in (group, resource, verb)
        assert group == KUBEFLOW or verb in ("list", "watch")
        assert resource not in ("secrets", "configmaps", "pods", "nodes", "serviceaccounts")


@pytest.mark.parametrize("program", ["controller", "upload"])
def test_kubeflow_rights_are_exactly_those_of_the_requests_that_are_made(
    text: str, tmp_path: Path, program: str
) -> None:
    asked = {
        (row[0].split()[0], row[0].split()[1]): (row[1], row[2], row[3]) for row in rows(text, "request | resource")
    }
    needed: set[Right] = set()
    for request in requests_of(program, tmp_path):
        (pattern,) = [key for key in asked if _matches(key, request)]
        resource, verb, programs = asked[pattern]
        assert program in programs.split(", ")
        needed.add((program, KUBEFLOW, resource, verb))
    allowed = {right for right in granted(render(ci_values()["multi-user-kubeflow"])) if right[0] == program}
    assert allowed == needed
    assert {(program, KUBEFLOW, *what[:2]) for what in asked.values() if program in what[2].split(", ")} == needed


def requests_of(program: str, folder: Path) -> list[Request]:
    """What a program asks in its life; pipelines are missing first, a run is started, found, watched and ended."""
    (folder / "token").write_text("projected")
    token, upload = TokenFile(folder / "token"), shipped_pipeline("recertification")
    with StandIn(tokens={"projected"}) as server:
        with KubeflowClient(Connection(host=server.host, namespace="team", token=token)) as client:
            put_in_place(client, upload)
            put_in_place(client, upload)
        if program == "upload":
            return list(server.requests)
        server.requests.clear()
        settings = KubeflowSettings(host=server.host, namespace="team", token_file=folder / "token")
        backend = KubeflowBackend(settings, store="s3://bucket/store")
        run = backend.submit(ORDER)
        backend.find(ORDER.name)
        backend.look(run.run_id)
        backend.cancel(run.run_id)
        backend.submit(ORDER)
        backend.close()
        return list(server.requests)


def _matches(documented: tuple[str, str], request: Request) -> bool:
    method, path = documented
    pattern = re.sub(r"\\\{\w+\\\}", "[^/:]+", re.escape(path))
    return request.method == method and re.fullmatch(re.escape(PREFIX) + pattern, request.path) is not None


def test_the_table_of_secrets_is_what_pods_mount(text: str) -> None:
    for name, objects in every_ci_release():
        values = ci_values()[name]
        said = {
            (program, secret)
            for program, places, *_ in rows(text, "program | Secret")
            for secret in _named(places, values, objects)
        }
        assert mounted(objects) <= said, name


def test_every_documented_secret_is_mounted_by_that_program_somewhere(text: str) -> None:
    everywhere = [(ci_values()[name], objects) for name, objects in every_ci_release()]
    for program, places, *_ in rows(text, "program | Secret"):
        assert any(
            (program, secret) in mounted(objects)
            for values, objects in everywhere
            for secret in _named(places, values, objects)
        ), (program, places)


def mounted(objects: list[dict[str, Any]]) -> set[tuple[str, str]]:
    """(program, Secret) of what pods need; what is optional and not a program's own is left out."""
    found: set[tuple[str, str]] = set()
    for item in objects:
        if item["kind"] not in ("Deployment", "StatefulSet", "CronJob", "Job", "Pod"):
            continue
        spec, program = pod_spec(item), item["metadata"]["labels"][COMPONENT]
        volumes = [volume["secret"]["secretName"] for volume in spec.get("volumes", []) if "secret" in volume]
        entries = [entry.get("valueFrom", {}).get("secretKeyRef") for entry in spec["containers"][0].get("env", [])]
        needed = [entry["name"] for entry in entries if entry]
        found |= {(program, name) for name in (*volumes, *needed) if name not in EXTRA}
    return found


def _named(places: str, values: dict[str, Any], objects: list[dict[str, Any]]) -> list[str]:
    """The names that the values, or their defaults, give a row's places; the first that names one counts."""
    for place in re.split(r", else ", places):
        found: Any = values
        for part in place.split("."):
            found = found.get(part, {}) if isinstance(found, dict) else {}
        name = found.get("name", "") if isinstance(found, dict) else found
        if name or place in DEFAULTS:
            return [name or DEFAULTS[place]]
    return []
