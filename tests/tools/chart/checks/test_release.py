"""What the checks look at: selectors, pods, findings."""

from __future__ import annotations

import itertools

import pytest

from tests.tools.chart.checks.good_release import EXPORTER, changed, good_objects, put, release_of
from tools.chart.checks.release import Finding, Release, findings, look, matches
from tools.chart.checks.schedules import time_zones_known


def expression(operator: str, *values: str) -> dict[str, object]:
    listed = {"values": list(values)} if values else {}
    return {"matchExpressions": [{"key": "tier", "operator": operator, **listed}]}


@pytest.mark.parametrize(
    ("selector", "of_a", "of_b", "of_none"),
    [
        ({}, True, True, True),
        ({"matchLabels": {"tier": "a"}}, True, False, False),
        (expression("In", "a", "c"), True, False, False),
        (expression("NotIn", "a"), False, True, True),
        (expression("Exists"), True, True, False),
        (expression("DoesNotExist"), False, False, True),
        ({"matchLabels": {"tier": "a"}, **expression("NotIn", "a")}, False, False, False),
    ],
)
def test_selectors_select_as_kubernetes_documents_it(
    selector: dict[str, object], of_a: bool, of_b: bool, of_none: bool
) -> None:
    assert [matches(selector, labels) for labels in ({"tier": "a"}, {"tier": "b"}, {})] == [of_a, of_b, of_none]


def test_every_kind_that_makes_pods_has_them_found() -> None:
    template = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "one"}]}}
    objects = [
        {"kind": "Pod", **template},
        *({"kind": kind, "spec": {"template": template}} for kind in ("Deployment", "StatefulSet", "DaemonSet", "Job")),
        {"kind": "CronJob", "spec": {"jobTemplate": {"spec": {"template": template}}}},
    ]
    pods = Release(objects=tuple(objects)).pods
    assert [pod.owner["kind"] for pod in pods] == [item["kind"] for item in objects]
    assert {tuple(pod.labels.items()) for pod in pods} == {(("a", "b"),)}
    assert [path for pod in pods for path, _ in pod.containers()] == [
        "spec.containers[one]",
        *itertools.repeat("spec.template.spec.containers[one]", 4),
        "spec.jobTemplate.spec.template.spec.containers[one]",
    ]


def test_containers_of_all_three_lists_are_looked_at() -> None:
    spec = "spec.template.spec."
    release = changed(put(EXPORTER, spec + "initContainers", [{"name": "i"}]),
                      put(EXPORTER, spec + "ephemeralContainers", [{"name": "e"}]))  # fmt: skip
    names = [container["name"] for _, container in release.pods[0].containers()]
    assert names == ["i", "exporter", "e"]
    assert [path for path, _ in release.pods[0].containers("initContainers")] == [spec + "initContainers[i]"]


def test_an_object_without_a_namespace_goes_to_the_releases() -> None:
    release = Release(objects=({"kind": "Service", "metadata": {"name": "a"}},), namespace="here")
    assert release.find("Service", "a", namespace="here") is not None
    assert release.find("Service", "a", namespace="there") is None


def test_a_finding_is_one_line_with_object_place_check_and_remedy() -> None:
    objects = [*good_objects()]
    objects[[item["kind"] for item in objects].index("CronJob")]["spec"]["timeZone"] = "Etc/Utc"
    (finding,) = findings(release_of(objects), (time_zones_known,))
    assert str(finding) == (
        "CronJob/r-drift-digits: spec.timeZone: time-zones-known: "
        "expected a time zone such as Etc/UTC, got 'Etc/Utc'; name one of the IANA database"
    )
    assert sorted([finding, Finding(check="a", object="A/b", path="", message="")])[0].check == "a"


def test_a_part_that_is_absent_is_empty() -> None:
    assert look({"a": {"b": [1]}}, "a.b") == [1]
    assert [look(item, "a.b.c") for item in ({}, {"a": None}, {"a": "text"}, None)] == [{}] * 4
