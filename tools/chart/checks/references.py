"""Every object that another one names is rendered too, or named by the values as one that exists; so is every key."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tools.chart.checks.given import Given, given_objects, made_secrets
from tools.chart.checks.release import Check, Object, Pod, Release, Wrong, annotations_of, look, wrong

CLUSTER_KINDS = ("PriorityClass", "StorageClass", "ClusterIssuer", "ClusterSecretStore", "RuntimeClass")
CLUSTER_PRIORITIES = ("system-cluster-critical", "system-node-critical")
CHECKSUM = "checksum/"


@dataclass(frozen=True, kw_only=True)
class Reference:
    """An object that another one names; `keys` are those that it reads, `optional` where it may be absent."""

    item: Object
    path: str
    kind: str
    name: str
    keys: tuple[str, ...] = ()
    optional: bool = False


def references_exist(release: Release) -> Iterator[Wrong]:
    """What is named is rendered, made by an operator, or on the list of what must exist."""
    known = {**made_secrets(release), **given_objects(release.values)}
    for named in references(release):
        namespace = release.namespace if named.kind in CLUSTER_KINDS else release.namespace_of(named.item)
        if (named.kind, named.name) not in known and not release.find(named.kind, named.name, namespace=namespace):
            what = f"a {named.kind} that is rendered or named by the values"
            remedy = "mend the name, or add the value to tools/chart/checks/given.py"
            yield wrong(named.item, named.path, what, got=named.name, remedy=remedy)


def keys_exist(release: Release) -> Iterator[Wrong]:
    """A key that is named is in the rendered ConfigMap, or is one that the values name."""
    known = {**made_secrets(release), **given_objects(release.values)}
    for named in references(release):
        if keys := _keys(release, named, known):
            for key in (key for key in named.keys if key not in keys and not named.optional):
                remedy = f"take one of {', '.join(sorted(keys))}"
                yield wrong(named.item, named.path, f"a key of {named.kind}/{named.name}", got=key, remedy=remedy)


def checksums_present(release: Release) -> Iterator[Wrong]:
    """A pod that runs for ever and has a rendered ConfigMap carries a checksum, so that a change restarts it."""
    for pod in (pod for pod in release.pods if pod.long_running):
        sums = [key for key in annotations_of(pod.template) if key.startswith(CHECKSUM)]
        own = [named.name for named in _of_pod(pod) if named.kind == "ConfigMap" and _rendered(release, named)]
        if own and not sums:
            place = f"{pod.path}.metadata.annotations"
            yield wrong(pod.owner, place, f"{CHECKSUM}... of {', '.join(own)}", got="none", remedy="add it")


def references(release: Release) -> Iterator[Reference]:
    """All names of other objects, of pods and of the kinds of operators."""
    for pod in release.pods:
        yield from _of_pod(pod)
    for item in release.of("PersistentVolumeClaim"):
        if name := look(item, "spec").get("storageClassName"):
            yield Reference(item=item, path="spec.storageClassName", kind="StorageClass", name=name)
    for item in release.of("Certificate"):
        yield _issuer(item, "spec.issuerRef", kind="Issuer")
    for item in release.of("ExternalSecret"):
        yield _issuer(item, "spec.secretStoreRef", kind="SecretStore")
    for item in release.of("AlertmanagerConfig"):
        yield from _credentials(item, "spec", look(item, "spec"))


def _rendered(release: Release, named: Reference) -> Object | None:
    return release.find(named.kind, named.name, namespace=release.namespace_of(named.item))


def _keys(release: Release, named: Reference, known: Given) -> set[str]:
    """Keys of what is named; empty where nobody knows them."""
    found = _rendered(release, named)
    if found is not None and named.kind in ("ConfigMap", "Secret"):
        return {key for part in ("data", "binaryData", "stringData") for key in look(found, part)} or {"(none)"}
    return set(known.get((named.kind, named.name), ()))


def _issuer(item: Object, path: str, *, kind: str) -> Reference:
    named = look(item, path)
    return Reference(item=item, path=path, kind=str(named.get("kind", kind)), name=str(named.get("name", "")))


def _credentials(item: Object, path: str, part: Any) -> Iterator[Reference]:
    """Secret keys below a part of an AlertmanagerConfig: dicts of name and key, and of nothing else."""
    if isinstance(part, dict):
        if {"name", "key"} <= set(part) <= {"name", "key", "optional"}:
            yield Reference(item=item, path=path, kind="Secret", name=part["name"], keys=(part["key"],))
        for key, value in part.items():
            yield from _credentials(item, f"{path}.{key}", value)
    elif isinstance(part, list):
        for index, value in enumerate(part):
            yield from _credentials(item, f"{path}[{index}]", value)


def _of_pod(pod: Pod) -> Iterator[Reference]:
    yield from _of_spec(pod)
    for path, volume in pod.volumes():
        yield from _of_volume(pod, path, volume)
    for path, container in pod.containers():
        yield from _of_container(pod, path, container)


def _of_spec(pod: Pod) -> Iterator[Reference]:
    account, priority = pod.spec.get("serviceAccountName"), pod.spec.get("priorityClassName")
    path = pod.spec_path
    yield Reference(item=pod.owner, path=f"{path}.serviceAccountName", kind="ServiceAccount", name=account or "default")
    if priority and priority not in CLUSTER_PRIORITIES:
        yield Reference(item=pod.owner, path=f"{path}.priorityClassName", kind="PriorityClass", name=priority)
    for entry in pod.spec.get("imagePullSecrets") or ():
        yield Reference(item=pod.owner, path=f"{path}.imagePullSecrets", kind="Secret", name=entry["name"])


def _of_volume(pod: Pod, path: str, volume: Object) -> Iterator[Reference]:
    if claim := look(volume, "persistentVolumeClaim").get("claimName"):
        yield Reference(item=pod.owner, path=path, kind="PersistentVolumeClaim", name=claim)
    for source in (volume, *(look(volume, "projected.sources") or ())):
        for key, kind in (("configMap", "ConfigMap"), ("secret", "Secret")):
            if part := look(source, key):
                yield Reference(
                    item=pod.owner,
                    path=f"{path}.{key}",
                    kind=kind,
                    name=part.get("name") or part.get("secretName", ""),
                    keys=tuple(entry["key"] for entry in part.get("items") or ()),
                    optional=bool(part.get("optional")),
                )


def _of_container(pod: Pod, path: str, container: Object) -> Iterator[Reference]:
    for entry in container.get("env") or ():
        for key, kind in (("configMapKeyRef", "ConfigMap"), ("secretKeyRef", "Secret")):
            if part := look(entry, f"valueFrom.{key}"):
                place = f"{path}.env[{entry['name']}]"
                optional = bool(part.get("optional"))
                keys = (part["key"],)
                yield Reference(item=pod.owner, path=place, kind=kind, name=part["name"], keys=keys, optional=optional)
    for entry in container.get("envFrom") or ():
        for key, kind in (("configMapRef", "ConfigMap"), ("secretRef", "Secret")):
            if part := look(entry, key):
                yield Reference(item=pod.owner, path=f"{path}.envFrom", kind=kind, name=part["name"])


REFERENCES: tuple[Check, ...] = (references_exist, keys_exist, checksums_present)
