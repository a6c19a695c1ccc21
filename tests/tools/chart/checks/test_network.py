"""What selects pods, and the ports between them."""

from __future__ import annotations

import copy

import pytest

from tests.tools.chart.checks.good_release import (
    CONTROLLER,
    EXPORTER,
    GONE,
    VALUES,
    Change,
    add,
    changed,
    drop,
    found,
    good_objects,
    put,
)

COMPONENT = "app~kubernetes~io/component"
LABELS = "spec.selector.matchLabels."
OF_POD = "spec.template.metadata.labels."
SERVICE, BUDGET, MONITOR = "Service/r-exporter", "PodDisruptionBudget/r-exporter", "ServiceMonitor/r-exporter"
POLICY = "NetworkPolicy/r-exporter"


@pytest.mark.parametrize(
    ("change", "checks"),
    [
        (put(EXPORTER, LABELS + COMPONENT, "exports"), {"selectors-match-templates"}),
        (put(EXPORTER, "spec.selector", GONE), {"selectors-match-templates", "selectors-are-apart"}),
        (put(EXPORTER, LABELS + COMPONENT, GONE), {"selectors-are-apart"}),
        (put(SERVICE, "spec.selector." + COMPONENT, "exports"), {"services-select-one-workload"}),
        (put(SERVICE, "spec.selector." + COMPONENT, "drift"), {"services-select-one-workload", "service-ports-exist"}),
        (put(SERVICE, "spec.selector." + COMPONENT, GONE), {"services-select-one-workload", "service-ports-exist"}),
        (put(SERVICE, "spec.ports.0.targetPort", "metric"), {"service-ports-exist"}),
        (put(SERVICE, "spec.ports.0.targetPort", 9465), {"service-ports-exist"}),
        (put("Service/r-controller", "spec.ports.1.name", "http"), {"service-ports-exist"}),
        (put("Service/r-controller", "spec.ports.1.port", 8092), {"service-ports-exist"}),
        (put(MONITOR, "spec.endpoints.0.port", "http"), {"monitors-find-their-targets"}),
        (put(MONITOR, LABELS + COMPONENT, "exports"), {"monitors-find-their-targets"}),
        (put(MONITOR, "spec.namespaceSelector", {"matchNames": ["elsewhere"]}), {"monitors-find-their-targets"}),
        (put("PodMonitor/r-drift", "spec.podMetricsEndpoints.0.port", "http"), {"monitors-find-their-targets"}),
        (put(MONITOR, "spec.endpoints.0.path", "/metric"), {"monitors-ask-for-metrics"}),
        (put(POLICY, "spec.podSelector.matchLabels." + COMPONENT, "exports"), {"policies-select-pods"}),
        (put(POLICY, "spec.ingress.0.ports.0.port", 8090), {"policy-ports-exist"}),
        (put(POLICY, "spec.egress.0", {}), {"policies-open-nothing-wholly"}),
        (put(POLICY, "spec.ingress.0", {"from": [], "ports": []}), {"policies-open-nothing-wholly"}),
        (put(POLICY, "spec.policyTypes", ["Ingress"]), {"policies-open-nothing-wholly"}),
        (drop("NetworkPolicy/r-default-deny"), {"require-netpol"}),
        (put(BUDGET, LABELS + COMPONENT, "exports"), {"budgets-select-pods"}),
        (put(BUDGET, LABELS + COMPONENT, GONE), {"budgets-select-pods"}),
        (put(BUDGET, "spec.selector", {}), {"budgets-select-pods"}),
        (put(BUDGET, "spec.maxUnavailable", 0), {"require-reasonable-pdbs"}),
        (put(BUDGET, "spec.maxUnavailable", "0%"), {"require-reasonable-pdbs"}),
        (put(BUDGET, "spec.maxUnavailable", GONE), {"require-reasonable-pdbs"}),
        (put(BUDGET, "spec.minAvailable", 1), {"require-reasonable-pdbs"}),
        (put(CONTROLLER, "spec.serviceName", "r-exporter"), {"stateful-services-exist"}),
        (put(CONTROLLER, "spec.serviceName", GONE), {"stateful-services-exist"}),
    ],
)
def test_each_change_is_found_by_its_checks(change: Change, checks: set[str]) -> None:
    assert found(changed(change)) == checks


@pytest.mark.parametrize("key", ["app~kubernetes~io/version", "helm~sh/chart"])
@pytest.mark.parametrize("name", [EXPORTER, CONTROLLER])
def test_a_label_that_changes_is_not_in_a_selector(name: str, key: str) -> None:
    both = [put(name, LABELS + key, "1.0.0"), put(name, OF_POD + key, "1.0.0")]
    assert found(changed(*both)) == {"selectors-are-stable"}


def test_common_labels_of_the_values_are_not_in_a_selector() -> None:
    both = [put(EXPORTER, LABELS + "team", "ml"), put(EXPORTER, OF_POD + "team", "ml")]
    assert found(changed(*both)) == set()
    assert found(changed(*both, values={**VALUES, "commonLabels": {"team": "ml"}})) == {"selectors-are-stable"}


def test_a_selector_by_expressions_is_read_too() -> None:
    expression = {"matchExpressions": [{"key": "helm.sh/chart", "operator": "DoesNotExist"}]}
    assert found(changed(put(POLICY, "spec.podSelector", expression))) == {"selectors-are-stable"}


def test_a_budget_of_nothing_is_right_where_the_values_ask_for_it() -> None:
    values = {**VALUES, "exporter": {"podDisruptionBudget": {"maxUnavailable": 0}}}
    assert found(changed(put(BUDGET, "spec.maxUnavailable", 0), values=values)) == set()


def test_without_policies_in_the_values_no_pod_needs_one() -> None:
    change = [drop("NetworkPolicy/r-default-deny"), drop(POLICY)]
    assert found(changed(*change, values={**VALUES, "networkPolicy": {"enabled": False}})) == set()


def test_a_pod_monitor_that_looks_everywhere_is_not_about_this_release() -> None:
    change = put("PodMonitor/r-drift", "spec.namespaceSelector", {"any": True})
    assert found(changed(change, put("PodMonitor/r-drift", LABELS + COMPONENT, "served"))) == set()


def test_two_workloads_with_one_selector_are_found() -> None:
    second = copy.deepcopy(next(item for item in good_objects() if item["kind"] == "Deployment"))
    second["metadata"]["name"] = "r-second"
    told = found(changed(add(second)))
    assert {"selectors-are-apart", "services-select-one-workload", "budgets-select-pods"} <= told


def test_a_pod_of_another_namespace_is_not_selected() -> None:
    change: Change = put(EXPORTER, "metadata.namespace", "elsewhere")
    assert "services-select-one-workload" in found(changed(change))
