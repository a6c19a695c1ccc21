"""Amounts of Kubernetes, compared with those that k8s.io/apimachinery's resource.ParseQuantity read (recorded)."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import pytest

from tests.tools.chart.checks.good_release import EXPORTER, IN_CONTAINER, IN_POD, Change, changed, found, put
from tools.chart.checks.quantities import amount

REQUEST = IN_CONTAINER + "resources.requests."


def test_every_recorded_text_is_the_amount_that_kubernetes_reads(root: Path) -> None:
    recorded = json.loads((root / "tests/tools/chart/checks/recorded/quantities.json").read_text())
    read = {case["quantity"]: None if case["decimal"] is None else Fraction(case["decimal"]) for case in recorded}
    assert {text: amount(text) for text in read} == read
    assert sum(value is None for value in read.values()) > 15 < len(read) - 15


@pytest.mark.parametrize("value", [True, None, [], {}, float("nan")])
def test_what_is_no_text_and_no_number_is_no_amount(value: object) -> None:
    assert amount(value) is None


@pytest.mark.parametrize(
    ("change", "check"),
    [
        (put(EXPORTER, REQUEST + "cpu", "100"), "requests-within-limits"),
        (put(EXPORTER, REQUEST + "memory", "257Mi"), "requests-within-limits"),
        (put(EXPORTER, REQUEST + "memory", "128MB"), "quantities-parse"),
        (put(EXPORTER, REQUEST + "memory", "128m"), "quantities-parse"),
        (put("StatefulSet/r-controller", REQUEST + "cpu", "100M"), "quantities-parse"),
        (put(EXPORTER, REQUEST + "cpu", "-1"), "quantities-parse"),
        (put(EXPORTER, IN_CONTAINER + "resources.limits.memory", "1 Gi"), "quantities-parse"),
        (put("PersistentVolumeClaim/r-controller", "spec.resources.requests.storage", "2GB"), "quantities-parse"),
        (
            put(
                "CronJob/r-drift-digits",
                "spec.jobTemplate.spec." + IN_POD.removeprefix("spec.") + "volumes.0.emptyDir.sizeLimit",
                "64",
            ),
            "quantities-parse",
        ),
    ],
)
def test_each_change_is_found_by_its_check(change: Change, check: str) -> None:
    limits = put(EXPORTER, IN_CONTAINER + "resources.limits.cpu", "2")
    assert found(changed(limits, change)) == {check}


def test_amounts_are_compared_by_what_they_are_and_not_by_how_they_are_written() -> None:
    same = [
        put(EXPORTER, REQUEST + "memory", "0.25Gi"),
        put(EXPORTER, IN_CONTAINER + "resources.limits.memory", "256Mi"),
    ]
    assert found(changed(*same)) == set()
