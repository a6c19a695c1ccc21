"""Rights: each on the list, bound to one program's own account, and used."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from tests.tools.chart.checks.good_release import (
    DRIFT,
    EXPORTER,
    GONE,
    IN_DRIFT,
    IN_POD,
    Change,
    add,
    changed,
    drop,
    found,
    good_objects,
    put,
)
from tools.chart.checks.rbac import ALLOWED

ROLE, BINDING = "ClusterRole/r-exporter", "ClusterRoleBinding/r-exporter"
LABELS = next(item for item in good_objects() if item["kind"] == "ClusterRole")["metadata"]["labels"]
RULE = {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["list"]}
SPARE = {"kind": "Role", "metadata": {"name": "spare", "namespace": "r", "labels": LABELS}, "rules": [RULE]}


def rule(key: str, *values: str) -> Change:
    return put(ROLE, f"rules.0.{key}", list(values))


@pytest.mark.parametrize(
    ("change", "checks"),
    [
        (rule("verbs", "*"), {"restrict-wildcard-verbs", "rights-are-listed", "cluster-roles-only-read"}),
        (rule("resources", "*"), {"restrict-wildcard-resources", "rights-are-listed"}),
        (rule("resources", "deployments/*"), {"restrict-wildcard-resources", "rights-are-listed"}),
        (rule("apiGroups", "*"), {"restrict-wildcard-resources", "rights-are-listed"}),
        (put(ROLE, "rules.1", {"nonResourceURLs": ["/metrics"], "verbs": ["get"]}), {"rights-are-listed"}),
        (
            rule("verbs", "impersonate"),
            {"restrict-escalation-verbs-roles", "rights-are-listed", "cluster-roles-only-read"},
        ),
        (
            put(ROLE, "rules.1", {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}),
            {"restrict-secret-role-verbs", "rights-are-listed"},
        ),
        (
            put(ROLE, "rules.1", {"apiGroups": [""], "resources": ["secrets/x"], "verbs": ["get"]}),
            {"restrict-secret-role-verbs", "rights-are-listed"},
        ),
        (rule("verbs", "list", "get"), {"rights-are-listed"}),
        (rule("verbs", "list", "patch"), {"rights-are-listed", "cluster-roles-only-read"}),
        (put(ROLE, "metadata.labels.app~kubernetes~io/component", "drift"), {"rights-are-listed"}),
        (put(ROLE, "aggregationRule", {"clusterRoleSelectors": []}), {"roles-do-not-aggregate"}),
        (put(ROLE, "metadata.labels.rbac~authorization~k8s~io/aggregate-to-edit", "true"), {"roles-do-not-aggregate"}),
        (
            put(BINDING, "roleRef.name", "cluster-admin"),
            {"restrict-binding-clusteradmin", "roles-are-bound", "bindings-are-whole"},
        ),
        (put(BINDING, "roleRef.kind", "Role"), {"roles-are-bound", "bindings-are-whole"}),
        (
            put(BINDING, "subjects.1", {"kind": "Group", "name": "system:authenticated"}),
            {"restrict-binding-system-groups", "bindings-are-whole"},
        ),
        (
            put(BINDING, "subjects.0.name", "default"),
            {
                "restrict-binding-system-groups",
                "bindings-are-whole",
                "tokens-only-where-rights-are",
                "rights-only-where-tokens-are",
            },
        ),
        (
            put(BINDING, "subjects.0.namespace", "elsewhere"),
            {"bindings-are-whole", "tokens-only-where-rights-are", "rights-only-where-tokens-are"},
        ),
        (put(BINDING, "subjects", []), {"bindings-are-whole", "tokens-only-where-rights-are"}),
        (drop(BINDING), {"roles-are-bound", "tokens-only-where-rights-are"}),
        (add(SPARE), {"roles-are-bound"}),
        (put(DRIFT, IN_DRIFT + "serviceAccountName", "r-upload"), {"accounts-are-apart"}),
        (put(DRIFT, IN_DRIFT + "automountServiceAccountToken", GONE), {"restrict-automount-sa-token"}),
        (put(EXPORTER, IN_POD + "automountServiceAccountToken", True), {"restrict-automount-sa-token"}),
        (put("ServiceAccount/r-drift", "automountServiceAccountToken", GONE), {"restrict-automount-sa-token"}),
        (
            put("Job/r-upload", IN_POD + "volumes.0.projected.sources.0.serviceAccountToken.audience", GONE),
            {"tokens-only-where-rights-are"},
        ),
        (
            put(EXPORTER, IN_POD + "volumes.1.projected.sources.0", {"downwardAPI": {"items": []}}),
            {"rights-only-where-tokens-are"},
        ),
    ],
)
def test_each_change_is_found_by_its_checks(change: Change, checks: set[str]) -> None:
    assert found(changed(change)) == checks


def test_no_program_may_be_given_a_right_over_secrets_or_by_a_wildcard_and_none_is_listed_twice() -> None:
    assert len(set(ALLOWED)) == len(ALLOWED)
    assert not [right for right in ALLOWED if "*" in right or "secrets" in right]
    assert {verb for program, *_, verb in ALLOWED if program == "exporter"} == {"list", "watch"}


def test_the_rights_of_the_list_are_those_that_the_page_of_permissions_justifies(root: Path) -> None:
    text = (root / "docs/permissions.md").read_text()
    rows = [
        [cell.strip(" `") for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("|")
    ]
    start = next(index for index, row in enumerate(rows) if row[:4] == ["program", "where", "API group", "resource"])
    table = itertools.takewhile(lambda row: row[0] in {"exporter", "controller", "upload"}, rows[start + 2 :])
    told = {(row[0], row[2], row[3], verb) for row in table for verb in row[4].split(", ")}
    assert told == set(ALLOWED)
