"""A release in which nothing is wrong, and copies of it in which one thing is."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tools.chart.checks.every import CHECKS
from tools.chart.checks.release import Check, Object, Release, findings

VALUES: dict[str, Any] = {
    "externalSecrets": {"secretStore": {"name": "vault", "kind": "ClusterSecretStore"}},
    "controller": {
        "tokens": {"name": "tokens", "key": "tokens"},
        "tls": {"issuer": {"name": "ca", "kind": "Issuer"}},
        "podDisruptionBudget": {"maxUnavailable": 1},
    },
    "drift": {"key": {"name": "drift", "key": "key"}},
    "monitoring": {"dashboards": {"namespace": "grafana"}, "alertmanagerConfig": {"tokenSecretName": "alertmanager"}},
    "networkPolicy": {"enabled": True},
    "images": {"pullPolicy": "IfNotPresent"},
}
GONE = object()

EXPORTER = "Deployment/r-exporter"
CONTROLLER = "StatefulSet/r-controller"
DRIFT = "CronJob/r-drift-digits"
UPLOAD = "Job/r-upload"
IN_POD = "spec.template.spec."
IN_CONTAINER = IN_POD + "containers.0."
IN_DRIFT = "spec.jobTemplate.spec.template.spec."

Change = Callable[[list[Object]], None]


def good_objects() -> list[Object]:
    """Every object, a copy of its own."""
    return [copy.deepcopy(item) for item in _documents()]


@cache
def _documents() -> list[Object]:
    """The documents of good_release.yaml, which use each other's anchors: anchors are those of one document."""
    text = (Path(__file__).parent / "good_release.yaml").read_text()
    items = [_indented(item) for item in text.split("\n---\n")]
    return list(yaml.load("\n".join(f"- {item}" for item in items), Loader=yaml.CSafeLoader))


def _indented(text: str) -> str:
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    return "\n".join([lines[0], *(f"  {line}" for line in lines[1:])])


def release_of(objects: list[Object], values: Mapping[str, Any] = VALUES) -> Release:
    """The release r in the namespace r."""
    return Release(objects=tuple(objects), name="r", namespace="r", values=values)


def changed(*changes: Change, values: Mapping[str, Any] = VALUES) -> Release:
    """The good release after these changes."""
    objects = good_objects()
    for change in changes:
        change(objects)
    return release_of(objects, values)


def found(release: Release, checks: tuple[Check, ...] = CHECKS) -> set[str]:
    """Names of the checks that find something."""
    return {finding.check for finding in findings(release, checks)}


def put(name: str, path: str, value: object) -> Change:
    """Sets the part at a path of keys and indices of the object `Kind/name`; GONE removes it, which must be there."""

    def change(objects: list[Object]) -> None:
        part: Any = next(item for item in objects if f"{item['kind']}/{item['metadata']['name']}" == name)
        *keys, last = (int(key) if key.isdigit() else key.replace("~", ".") for key in path.split("."))
        for key in keys:
            part = part[key] if isinstance(key, int) else part.setdefault(key, {})
        if value is GONE:
            del part[last]
        elif isinstance(part, list) and last == len(part):
            part.append(value)
        else:
            part[last] = copy.deepcopy(value)

    return change


def add(item: Object) -> Change:
    """One more object."""
    return lambda objects: objects.append(copy.deepcopy(item))


def drop(name: str) -> Change:
    """Without the object `Kind/name`, which must be there."""

    def change(objects: list[Object]) -> None:
        item = next(item for item in objects if f"{item['kind']}/{item['metadata']['name']}" == name)
        objects.remove(item)

    return change
