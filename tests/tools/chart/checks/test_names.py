"""Names, labels, annotations, namespaces."""

from __future__ import annotations

import pytest

from tests.tools.chart.checks.good_release import (
    CONTROLLER,
    DRIFT,
    EXPORTER,
    GONE,
    IN_CONTAINER,
    IN_DRIFT,
    UPLOAD,
    VALUES,
    Change,
    add,
    changed,
    found,
    good_objects,
    put,
)

LABELS = "metadata.labels."
HOOK = "metadata.annotations.helm~sh/hook"
KEYS = next(item for item in good_objects() if item["metadata"]["name"] == "r-keys")


@pytest.mark.parametrize(
    ("change", "check"),
    [
        (put(DRIFT, "metadata.name", "r-" + "d" * 51), "names-are-valid"),
        (put(DRIFT, "metadata.name", "R-drift"), "names-are-valid"),
        (put(DRIFT, "metadata.name", "-drift"), "names-are-valid"),
        (put(UPLOAD, "metadata.name", "u" * 64), "names-are-valid"),
        (put(EXPORTER, "metadata.name", "e" * 64), "names-are-valid"),
        (put("Certificate/r-controller", "metadata.name", "c." * 127), "names-are-valid"),
        (put(DRIFT, IN_DRIFT + "containers.0.name", "Drift"), "parts-have-valid-names"),
        (put(UPLOAD, IN_CONTAINER + "name", "u" * 64), "parts-have-valid-names"),
        (
            put(CONTROLLER, IN_CONTAINER + "ports.2", {"name": "more-than-fifteen", "containerPort": 1}),
            "parts-have-valid-names",
        ),
        (put(EXPORTER, LABELS + "team", "x" * 64), "labels-are-valid"),
        (put(EXPORTER, LABELS + "team", "a b"), "labels-are-valid"),
        (put(EXPORTER, LABELS + "team", True), "labels-are-valid"),
        (put(EXPORTER, LABELS + "a/b/c", "x"), "labels-are-valid"),
        (put(EXPORTER, "spec.template." + LABELS + "team", "-x"), "labels-are-valid"),
        (put(EXPORTER, "metadata.annotations", {"note": 1}), "annotations-are-valid"),
        (put(EXPORTER, "metadata.annotations", {"a note": "x"}), "annotations-are-valid"),
        (put(EXPORTER, "spec.template.metadata.annotations.scrape", True), "annotations-are-valid"),
        (put(EXPORTER, "metadata.annotations", {"note": "word " * 53_000}), "annotations-are-valid"),
        (put(EXPORTER, LABELS + "helm~sh/chart", GONE), "require-labels"),
        (put("ConfigMap/r-keys", "metadata.labels", GONE), "require-labels"),
        (add(KEYS), "identities-unique"),
        (put("AlertmanagerConfig/r", "metadata.namespace", GONE), "namespaces-are-wanted"),
        (put("ConfigMap/r-dashboard", "metadata.namespace", "default"), "namespaces-are-wanted"),
        (put("ClusterRole/r-exporter", "metadata.namespace", "r"), "namespaces-are-wanted"),
        (put(UPLOAD, HOOK, "after-install"), "hooks-are-valid"),
        (put(UPLOAD, HOOK, ""), "hooks-are-valid"),
        (put(UPLOAD, HOOK + "-delete-policy", "before-hook"), "hooks-are-valid"),
        (put(UPLOAD, HOOK + "-weight", "first"), "hooks-are-valid"),
        (put(EXPORTER, "metadata.annotations", {"helm.sh/hook-delete-policy": "hook-failed"}), "hooks-are-valid"),
    ],
)
def test_each_change_is_found_by_its_check(change: Change, check: str) -> None:
    assert found(changed(change)) == {check}


@pytest.mark.parametrize(
    ("name", "right"),
    [("a" * 63, True), ("a1-b", True), ("a" * 64, False), ("1a", False), ("a.b", False), ("a-", False), ("", False)],
)
def test_a_service_has_a_name_of_a_host(name: str, right: bool) -> None:
    told = found(changed(put("Service/r-exporter", "metadata.name", name)))
    assert ("names-are-valid" not in told) is right


@pytest.mark.parametrize(("name", "right"), [("r.pub-1", True), ("a" * 253, True), ("a..b", False), ("a_b", False)])
def test_a_config_map_has_a_name_of_a_domain(name: str, right: bool) -> None:
    told = found(changed(put("ConfigMap/r-dashboard", "metadata.name", name)))
    assert ("names-are-valid" not in told) is right


def test_objects_of_the_values_own_need_no_labels_of_ours_and_may_lie_elsewhere() -> None:
    item = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "theirs", "namespace": "elsewhere"},
        "data": {},
    }
    assert found(changed(add(item))) == {"require-labels", "namespaces-are-wanted"}
    assert found(changed(add(item), values={**VALUES, "extraObjects": [item]})) == set()


def test_a_pod_without_the_labels_that_select_it_is_found() -> None:
    told = found(changed(put(DRIFT, "spec.jobTemplate.spec.template.metadata.labels.app~kubernetes~io/name", GONE)))
    assert told == {"require-labels"}


def test_the_same_name_in_two_kinds_or_two_namespaces_is_no_repetition() -> None:
    other = {**KEYS, "metadata": {**KEYS["metadata"], "namespace": "grafana"}}
    assert found(changed(add(other))) == set()
