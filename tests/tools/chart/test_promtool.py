"""Rules of a release, as Prometheus' own program sees them, or a program that stands for it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tools.chart.promtool import rule_findings

RULE = {
    "kind": "PrometheusRule",
    "metadata": {"name": "one"},
    "spec": {"groups": [{"name": "g", "rules": [{"alert": "A", "expr": "up == 0"}]}]},
}
BROKEN = {**RULE, "spec": {"groups": [{"name": "g", "rules": [{"alert": "A", "expr": "up =="}]}]}}
FILE = {"kind": "ConfigMap", "metadata": {"name": "two"}, "data": {"a.rules.yaml": "groups: 1", "b.yaml": "groups: 1"}}


@pytest.fixture
def stand_in(tmp_path: Path) -> Path:
    """A program that refuses what holds `up ==` at the end of a line, or no list of groups."""
    path = tmp_path / "promtool"
    path.write_text('#!/bin/sh\nif grep -qE "up ==$|groups: 1" "$3"; then echo "$3: no good" >&2; exit 1; fi\n')
    path.chmod(0o755)
    return path


def test_rules_and_files_of_rules_that_are_refused_are_findings(stand_in: Path) -> None:
    told = rule_findings([RULE, BROKEN, FILE, {"kind": "Service"}], promtool=stand_in)
    assert [(finding.object, finding.path, finding.message) for finding in told] == [
        ("PrometheusRule/one", "spec", "rules: no good"),
        ("ConfigMap/two", "data[a.rules.yaml]", "rules: no good"),
    ]


@pytest.mark.prometheus
def test_prometheus_own_program_refuses_a_broken_expression() -> None:
    program = shutil.which("promtool")
    assert program is not None, "make test-monitoring installs it"
    (finding,) = rule_findings([RULE, BROKEN], promtool=Path(program))
    assert (finding.check, finding.object) == ("promtool", "PrometheusRule/one")
    assert "parse error" in finding.message
