"""Names, labels, annotations, namespaces: of the form and length that Kubernetes takes, each identity once.

Source: Kubernetes, Object Names and IDs; Labels and Selectors; Annotations. Lengths follow from what controllers add.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from tools.chart.checks.release import (
    HOOK,
    POD_PATHS,
    Check,
    Object,
    Release,
    Wrong,
    annotations_of,
    labels_of,
    look,
    name_of,
    wrong,
)

LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
SERVICE = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
KEY_NAME = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
LABEL_VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")
MOST = 253
# A CronJob adds 11 letters for the name of a Job, a StatefulSet 11 for a label with its revision; pods are hosts.
MOST_OF = {"CronJob": 52, "Service": 63, "Job": 63, "StatefulSet": 52, "Deployment": 63, "Namespace": 63}
MOST_ANNOTATIONS_BYTES = 256 << 10
REQUIRED_LABELS = (
    "app.kubernetes.io/name",
    "app.kubernetes.io/instance",
    "app.kubernetes.io/version",
    "app.kubernetes.io/component",
    "app.kubernetes.io/part-of",
    "app.kubernetes.io/managed-by",
    "helm.sh/chart",
)
POD_LABELS = ("app.kubernetes.io/name", "app.kubernetes.io/instance", "app.kubernetes.io/component")
CLUSTER_KINDS = ("ClusterRole", "ClusterRoleBinding", "Namespace", "PriorityClass", "StorageClass", "ClusterIssuer")
HOOKS = ("pre-install", "post-install", "pre-delete", "post-delete", "pre-upgrade", "post-upgrade", "pre-rollback",
         "post-rollback", "test")  # fmt: skip
HOOK_POLICIES = ("before-hook-creation", "hook-succeeded", "hook-failed")


def names_are_valid(release: Release) -> Iterator[Wrong]:
    """Every name has the form and the length that its kind allows."""
    for item in release.objects:
        name, kind = name_of(item), str(item.get("kind"))
        form = {"Service": SERVICE, "Namespace": LABEL}.get(kind, SUBDOMAIN)
        most = MOST_OF.get(kind, MOST)
        if form.fullmatch(name) is None or len(name) > most:
            what, got = f"a DNS name of at most {most} letters", f"{name!r}, {len(name)}"
            yield wrong(item, "metadata.name", what, got=got, remedy="shorten it, or mend its letters")


def parts_have_valid_names(release: Release) -> Iterator[Wrong]:
    """Containers, volumes and ports have names that are DNS labels; ports of at most 15 letters, not all digits."""
    for pod in release.pods:
        named = [*pod.volumes(), *pod.containers()]
        ports = [port["name"] for _, item in pod.containers() for port in item.get("ports") or () if "name" in port]
        bad = [name for _, part in named if not _is_label(name := str(part.get("name", "")), most=63)]
        bad += [name for name in ports if not _is_label(name, most=15) or name.isdigit() or "--" in name]
        for name in bad:
            yield wrong(pod.owner, pod.spec_path, "a DNS label", got=repr(name), remedy="rename it")


def labels_are_valid(release: Release) -> Iterator[Wrong]:
    """Every label has a valid key and a text of at most 63 letters."""
    for item, path, labels in _labels(release):
        for key, value in labels.items():
            if not _is_key(key) or not isinstance(value, str) or LABEL_VALUE.fullmatch(value) is None:
                got = f"{key}: {value!r}"
                yield wrong(item, path, "a label of 63 letters", got=got, remedy="shorten it, or put it in quotes")


def annotations_are_valid(release: Release) -> Iterator[Wrong]:
    """Every annotation has a valid key and a text; all of an object are below 256 KiB."""
    for item in release.objects:
        template = look(item, POD_PATHS.get(str(item.get("kind")), ""))
        noted = {**look(item, "metadata.annotations"), **look(template, "metadata.annotations")}
        for key, value in noted.items():
            if not _is_key(key) or not isinstance(value, str):
                got = f"{key}: {value!r}"
                yield wrong(item, "metadata.annotations", "a text under a key", got=got, remedy="put it in quotes")
        size = sum(len(str(text).encode()) for entry in annotations_of(item).items() for text in entry)
        if size > MOST_ANNOTATIONS_BYTES:
            what, got = f"at most {MOST_ANNOTATIONS_BYTES} bytes", f"{size}"
            yield wrong(item, "metadata.annotations", what, got=got, remedy="put it into a ConfigMap")


def require_labels(release: Release) -> Iterator[Wrong]:
    """Every object of the chart has the recommended labels, every pod those that select it."""
    extra = look(release.values, "extraObjects") or []
    for item in release.objects:
        missing = [key for key in REQUIRED_LABELS if key not in labels_of(item)]
        if missing and not any(_identity(release, item) == _identity(release, other) for other in extra):
            got = f"none of {', '.join(missing)}"
            yield wrong(item, "metadata.labels", "the recommended labels", got=got, remedy="use robustcert.metadata")
    for pod in release.pods:
        if missing := [key for key in POD_LABELS if key not in pod.labels]:
            place = f"{pod.path}.metadata.labels".lstrip(".")
            got = f"none of {', '.join(missing)}"
            yield wrong(pod.owner, place, "what selects it", got=got, remedy="use robustcert.podMetadata")


def identities_unique(release: Release) -> Iterator[Wrong]:
    """No object is rendered twice."""
    seen = set()
    for item in release.objects:
        if (identity := _identity(release, item)) in seen:
            yield wrong(item, "metadata.name", "an object once", got="it again", remedy="rename or remove one")
        seen.add(identity)


def namespaces_are_wanted(release: Release) -> Iterator[Wrong]:
    """Nothing goes outside the release's namespace but what the values send elsewhere; nothing of a cluster has one."""
    wanted = {"ConfigMap": ["monitoring.dashboards"], "Pipeline": ["kubeflow"], "PipelineVersion": ["kubeflow"]}
    wanted |= {"Role": ["kubeflow"], "RoleBinding": ["kubeflow"]}
    watched = look(release.values, "exporter.deployed.namespaces") or []
    for item in release.objects:
        namespace, kind = look(item, "metadata").get("namespace"), str(item.get("kind"))
        places = [look(release.values, path).get("namespace") or "" for path in wanted.get(kind, ())]
        places += [*watched] if kind in ("Role", "RoleBinding") else []
        places += ["kubeflow"] if kind.startswith("Pipeline") else []
        allowed = [None, ""] if kind in CLUSTER_KINDS else [release.namespace, *filter(None, places)]
        if namespace not in allowed and item not in (look(release.values, "extraObjects") or []):
            what = f"one of {allowed}"
            yield wrong(item, "metadata.namespace", what, got=namespace, remedy="use robustcert.metadata")


def hooks_are_valid(release: Release) -> Iterator[Wrong]:
    """A hook is one that Helm knows, has a number for a weight, and says when it is removed."""
    for item in release.objects:
        noted = annotations_of(item)
        kinds, policies = noted.get(HOOK), noted.get(f"{HOOK}-delete-policy")
        for text, known in ((kinds, HOOKS), (policies, HOOK_POLICIES)):
            if unknown := [word for word in (text or "").split(",") if text is not None and word.strip() not in known]:
                remedy = f"take one of {', '.join(known)}"
                yield wrong(item, "metadata.annotations", "a hook of Helm", got=unknown, remedy=remedy)
        if not re.fullmatch(r"-?[0-9]+", noted.get(f"{HOOK}-weight", "0")):
            got = noted[f"{HOOK}-weight"]
            yield wrong(item, "metadata.annotations", "a weight that is a number", got=got, remedy="mend it")
        if (kinds is None) != (policies is None):
            got = f"{kinds} and {policies}"
            yield wrong(item, "metadata.annotations", "a hook and its delete policy", got=got, remedy="say both")


def _is_label(name: str, *, most: int) -> bool:
    return LABEL.fullmatch(name) is not None and len(name) <= most


def _is_key(key: Any) -> bool:
    """Whether it is a name of 63 letters, perhaps with a DNS prefix of 253."""
    prefix, slash, name = str(key).rpartition("/")
    good = not slash or (SUBDOMAIN.fullmatch(prefix) is not None and len(prefix) <= MOST)
    return isinstance(key, str) and good and KEY_NAME.fullmatch(name) is not None


def _labels(release: Release) -> Iterator[tuple[Object, str, Mapping[str, Any]]]:
    for item in release.objects:
        yield item, "metadata.labels", labels_of(item)
    for pod in release.pods:
        yield pod.owner, f"{pod.path}.metadata.labels", pod.labels


def _identity(release: Release, item: Object) -> tuple[str, ...]:
    group = str(item.get("apiVersion")).rpartition("/")[0]
    return group, str(item.get("kind")), release.namespace_of(item), name_of(item)


NAMES: tuple[Check, ...] = (
    names_are_valid,
    parts_have_valid_names,
    labels_are_valid,
    annotations_are_valid,
    require_labels,
    identities_unique,
    namespaces_are_wanted,
    hooks_are_valid,
)
