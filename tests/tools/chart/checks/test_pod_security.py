"""Pod Security `restricted`: the checks refuse exactly the pods that Kubernetes' own library refuses.

recorded/pods.json was made with k8s.io/pod-security-admission (policy.NewEvaluator over DefaultChecks) as it is in
Kubernetes 1.36: pods with up to four changes, and the reasons for which level restricted of any of 1.29 to 1.36 refuses
them.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.tools.chart.checks.good_release import EXPORTER, IN_CONTAINER, IN_POD, changed, found, put
from tools.chart.checks.pod_security import POD_SECURITY
from tools.chart.checks.release import Release

# Kubernetes' reason -> our checks, named as Kyverno's policies.
CHECK_OF = {
    "allowPrivilegeEscalation != false": {"disallow-privilege-escalation"},
    "forbidden AppArmor profile": {"restrict-apparmor-profiles"},
    "forbidden sysctls": {"restrict-sysctls"},
    "host namespaces": {"disallow-host-namespaces"},
    "hostPort": {"disallow-host-ports"},
    "hostProcess": {"disallow-host-process"},
    "privileged": {"disallow-privileged-containers"},
    "probe or lifecycle host": {"disallow-host-probes"},
    "procMount": {"disallow-proc-mount"},
    "restricted volume types": {"restrict-volume-types"},
    "runAsNonRoot != true": {"require-run-as-nonroot"},
    "runAsUser=0": {"require-run-as-non-root-user"},
    "seLinuxOptions": {"disallow-selinux"},
    "seccompProfile": {"restrict-seccomp-strict"},
    "unrestricted capabilities": {"disallow-capabilities-strict"},
}


@pytest.fixture(scope="module")
def recorded(root: Path) -> list[dict[str, Any]]:
    cases: list[dict[str, Any]] = json.loads((root / "tests/tools/chart/checks/recorded/pods.json").read_text())
    return cases


def expected_of(case: dict[str, Any]) -> set[str]:
    """Our checks for Kubernetes' reasons; a hostPath has one more, which Kubernetes leaves to the types of volumes."""
    paths = (
        {"disallow-host-path"} if any("hostPath" in item for item in case["pod"]["spec"].get("volumes", ())) else set()
    )
    return paths.union(*(CHECK_OF[reason] for reason in case["refused"]))


def test_every_recorded_pod_is_refused_for_the_reasons_that_kubernetes_gives(recorded: list[dict[str, Any]]) -> None:
    wrong = []
    for case in recorded:
        pod = {"apiVersion": "v1", "kind": "Pod", **case["pod"]}
        if (got := found(Release(objects=(pod,)), POD_SECURITY)) != expected_of(case):
            wrong.append((case, got))
    assert wrong == []


def test_the_recording_shows_every_reason_and_every_check(recorded: list[dict[str, Any]]) -> None:
    assert len(recorded) > 150
    assert sum(not case["refused"] for case in recorded) > 50
    assert {reason for case in recorded for reason in case["refused"]} == set(CHECK_OF)
    names = {check.__name__.replace("_", "-") for check in POD_SECURITY}
    assert {name for case in recorded for name in expected_of(case)} == names


@pytest.mark.parametrize("extra", ["initContainers", "ephemeralContainers"])
def test_a_container_of_another_list_is_looked_at_too(extra: str) -> None:
    release = changed(put(EXPORTER, IN_POD + extra, [{"name": "second", "securityContext": {"privileged": True}}]))
    told = found(release, POD_SECURITY)
    assert told == {"disallow-privileged-containers", "disallow-capabilities-strict", "disallow-privilege-escalation"}


def test_a_finding_names_the_container() -> None:
    release = changed(put(EXPORTER, IN_CONTAINER + "securityContext.privileged", True))
    (wrong,) = POD_SECURITY[2](release)
    assert wrong.path == "spec.template.spec.containers[exporter].securityContext.privileged"
    assert wrong.message == "expected false, got true; remove it"
