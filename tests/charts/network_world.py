"""A cluster around a release: its pods as the chart renders them, and places that they may or may not reach."""

import functools
from collections.abc import Iterable
from typing import Any

from tests.charts.reachability import Door, Pod, Policy, connects

COMPONENT = "app.kubernetes.io/component"
NUMBERS = (22, 53, 80, 443, 4317, 6443, 8080, 8090, 8091, 8443, 8888, 9000, 9091, 9443, 9464)
DOORS: tuple[Door, ...] = (*(("TCP", number) for number in NUMBERS), ("UDP", 53), ("UDP", 443))
WORKLOADS = {"Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob", "Pod"}
NAMESPACES = [
    "monitoring",
    "monitoring-standby",
    "prometheus",
    "team-vision",
    "team-platform",
    "kubeflow",
    "istio-system",
    "tracing",
    "default",
]
Reach = set[tuple[str, str, Door]]  # source, destination, door


def own_pods(objects: Iterable[dict[str, Any]]) -> dict[str, Pod]:
    """Component -> a pod of it with the labels that its workload gives; all workloads of one agree on what selects."""
    found: dict[str, Pod] = {}
    for one in objects:
        if one["kind"] in WORKLOADS:
            labels = _template(one)["metadata"]["labels"]
            address = f"10.244.1.{len(found) + 1}"
            found.setdefault(
                labels[COMPONENT], Pod(address=address, namespace=one["metadata"]["namespace"], labels=labels)
            )
    return found


def pod_labels(objects: Iterable[dict[str, Any]]) -> list[dict[str, str]]:
    """Labels of the pods of every workload."""
    return [_template(one)["metadata"]["labels"] for one in objects if one["kind"] in WORKLOADS]


def outsiders(pods: dict[str, Pod]) -> dict[str, Pod]:
    """Places that are not of the release: one pod in each namespace, look-alikes of ours, servers, addresses."""
    ours = next(iter(pods.values()))
    labels = dict(ours.labels or {})
    named = {name: Pod(address=f"10.244.2.{at}", namespace=name) for at, name in enumerate(NAMESPACES, start=1)}
    return {
        **named,
        "name-server": Pod(address="10.244.3.1", namespace="kube-system", labels={"k8s-app": "kube-dns"}),
        "system-pod": Pod(address="10.244.3.2", namespace="kube-system"),
        "minio": Pod(address="10.244.3.3", namespace="storage", labels={"app": "minio"}),
        "beside-minio": Pod(address="10.244.3.4", namespace="storage"),
        "neighbour": Pod(address="10.244.3.5", namespace=ours.namespace),
        "other-release": Pod(
            address="10.244.3.6",
            namespace=ours.namespace,
            labels={**labels, "app.kubernetes.io/instance": "other", COMPONENT: "schedule"},
        ),
        "look-alike": Pod(address="10.244.3.7", namespace="default", labels={**labels, COMPONENT: "schedule"}),
        "kubernetes": Pod(address="10.96.0.1"),
        "api-server": Pod(address="10.10.0.5"),
        "storage-network": Pod(address="10.20.7.7"),
        "company": Pod(address="192.0.2.10"),
        "company-guests": Pod(address="192.0.2.200"),
        "internet": Pod(address="203.0.113.9"),
    }


def reach(objects: list[dict[str, Any]], *, policies: list[Policy] | None = None) -> Reach:
    """Every connection from or to our pods that is allowed; by `policies` in place of those of the objects."""
    pods = own_pods(objects)
    places = {**outsiders(pods), **pods}
    rules = [one for one in objects if one["kind"] == "NetworkPolicy"] if policies is None else policies
    may = functools.partial(connects, policies=rules)
    return {
        (source, destination, door)
        for source in places
        for destination in places
        if source != destination and (source in pods or destination in pods)
        for door in DOORS
        if may(places[source], places[destination], door)
    }


def written(table: str, *, pods: dict[str, Pod]) -> Reach:
    """A table, lines `SOURCES > DESTINATIONS: PORTS`, as connections. `anywhere` is every place that is not ours."""
    anywhere = list(outsiders(pods))
    allowed: Reach = set()
    for line in filter(None, map(str.strip, table.splitlines())):
        peers, _, ports = line.partition(":")
        left, right = ([*anywhere] if side.strip() == "anywhere" else side.split() for side in peers.split(">"))
        allowed |= {
            (source, destination, _door(port)) for source in left for destination in right for port in ports.split()
        }
    return allowed


def _door(port: str) -> Door:
    number, _, protocol = port.partition("/")
    return protocol.upper() or "TCP", int(number)


def _template(workload: dict[str, Any]) -> dict[str, Any]:
    spec = workload["spec"]
    if workload["kind"] == "Pod":
        return workload
    template: dict[str, Any] = (spec["jobTemplate"]["spec"] if workload["kind"] == "CronJob" else spec)["template"]
    return template
