"""What the checks look at: the rendered objects of one release, its pods, and the values that it was made with.

A check is a function that takes a Release and yields what is wrong; its name, with hyphens, is the finding's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from robustcert.errors import expected

Object = dict[str, Any]

POD_PATHS = {
    "Pod": "",
    "Deployment": "spec.template",
    "StatefulSet": "spec.template",
    "DaemonSet": "spec.template",
    "ReplicaSet": "spec.template",
    "Job": "spec.template",
    "CronJob": "spec.jobTemplate.spec.template",
}
LONG_RUNNING = ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet")
CONTAINER_LISTS = ("initContainers", "containers", "ephemeralContainers")
COMPONENT = "app.kubernetes.io/component"
HOOK = "helm.sh/hook"


@dataclass(frozen=True, order=True, kw_only=True)
class Finding:
    """One broken promise of a release."""

    check: str
    object: str
    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.object}: {self.path}: {self.check}: {self.message}"


@dataclass(frozen=True, kw_only=True)
class Wrong:
    """What a check yields: the object, the place in it, and what was expected, what came, what to do."""

    item: Object
    path: str
    message: str


def wrong(item: Object, path: str, what: str, *, got: object, remedy: str) -> Wrong:
    """One thing that is wrong at a place of an object."""
    return Wrong(item=item, path=path, message=expected(what, got=got, remedy=remedy))


def look(item: Any, path: str) -> Any:
    """The part at a path of keys; an empty dict where there is none, or null.

    >>> look({"spec": {"replicas": 1}}, "spec.replicas"), look({"spec": None}, "spec.template.spec")
    (1, {})
    """
    for key in filter(None, path.split(".")):
        item = item.get(key) if isinstance(item, Mapping) else None
    return {} if item is None else item


def name_of(item: Object) -> str:
    """metadata.name."""
    return str(look(item, "metadata").get("name", ""))


def labels_of(item: Object) -> dict[str, str]:
    """metadata.labels."""
    return dict(look(item, "metadata.labels"))


def annotations_of(item: Object) -> dict[str, str]:
    """metadata.annotations, all as texts."""
    return {key: str(value) for key, value in look(item, "metadata.annotations").items()}


def matches(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """Whether a label selector, with matchLabels and matchExpressions, selects these labels; an empty one all.

    >>> matches({"matchExpressions": [{"key": "tier", "operator": "NotIn", "values": ["a"]}]}, {"tier": "b"})
    True
    """
    wanted = (selector.get("matchLabels") or {}).items()
    return all(labels.get(key) == value for key, value in wanted) and all(
        _satisfies(item, labels) for item in selector.get("matchExpressions") or ()
    )


def _satisfies(expression: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    present, among = expression["key"] in labels, labels.get(expression["key"]) in (expression.get("values") or ())
    return {"In": among, "NotIn": not among, "Exists": present, "DoesNotExist": not present}[expression["operator"]]


@dataclass(frozen=True, kw_only=True)
class Pod:
    """A pod, or the template of a workload's pods."""

    owner: Object
    path: str

    @property
    def template(self) -> Object:
        """Metadata and spec."""
        found: Object = look(self.owner, self.path)
        return found

    @property
    def spec(self) -> Object:
        """The pod's spec."""
        found: Object = look(self.template, "spec")
        return found

    @property
    def spec_path(self) -> str:
        """Where the spec is."""
        return f"{self.path}.spec".lstrip(".")

    @property
    def labels(self) -> dict[str, str]:
        """Labels of the pods."""
        return labels_of(self.template)

    @property
    def component(self) -> str:
        """Which program of ours it is."""
        return self.labels.get(COMPONENT, "")

    @property
    def long_running(self) -> bool:
        """Whether it is meant to run for ever."""
        return self.owner["kind"] in LONG_RUNNING

    def containers(self, *lists: str) -> Iterator[tuple[str, Object]]:
        """Path and container, of all lists or of those that are named."""
        for name in lists or CONTAINER_LISTS:
            for container in self.spec.get(name) or ():
                yield f"{self.spec_path}.{name}[{container.get('name', '')}]", container

    def volumes(self) -> Iterator[tuple[str, Object]]:
        """Path and volume."""
        for volume in self.spec.get("volumes") or ():
            yield f"{self.spec_path}.volumes[{volume.get('name', '')}]", volume

    def ports(self) -> dict[str | int, int]:
        """Number and, where it has one, name of each port of its containers -> number."""
        ports = [port for _, container in self.containers("containers") for port in container.get("ports") or ()]
        named = {port["name"]: port["containerPort"] for port in ports if "name" in port}
        return {**{port["containerPort"]: port["containerPort"] for port in ports}, **named}


@dataclass(frozen=True, kw_only=True)
class Release:
    """All objects of one release; `values` are those that it was rendered with, the chart's defaults below them."""

    objects: tuple[Object, ...]
    name: str = "robustcert"
    namespace: str = "robustcert"
    values: Mapping[str, Any] = field(default_factory=dict)
    chart: Path | None = None  # the chart's folder; without it the size of the stored release is not checked

    def of(self, *kinds: str) -> list[Object]:
        """Objects of these kinds, in the order in which they were rendered."""
        return [item for item in self.objects if item.get("kind") in kinds]

    def namespace_of(self, item: Object) -> str:
        """Where an object goes: to the release's namespace where it names none."""
        return str(look(item, "metadata").get("namespace") or self.namespace)

    def find(self, kind: str, name: str, *, namespace: str) -> Object | None:
        """The object of that identity, or None."""
        found = [item for item in self.of(kind) if name_of(item) == name and self.namespace_of(item) == namespace]
        return found[0] if found else None

    @cached_property
    def pods(self) -> list[Pod]:
        """A pod of each workload."""
        return [Pod(owner=item, path=POD_PATHS[item["kind"]]) for item in self.of(*POD_PATHS)]

    def selected(self, selector: Mapping[str, Any], *, namespace: str) -> list[Pod]:
        """Pods of a namespace that a label selector selects."""
        pods = [pod for pod in self.pods if self.namespace_of(pod.owner) == namespace]
        return [pod for pod in pods if matches(selector, pod.labels)]


Check = Callable[[Release], Iterator[Wrong]]


def check_name(check: Check) -> str:
    """The name of a check in findings."""
    return check.__name__.replace("_", "-")


def findings(release: Release, checks: Iterable[Check]) -> list[Finding]:
    """What these checks find, check by check."""
    return [
        Finding(check=check_name(check), object=f"{found.item.get('kind')}/{name_of(found.item)}",
                path=found.path, message=found.message)
        for check in checks
        for found in check(release)
    ]  # fmt: skip
