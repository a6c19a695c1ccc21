"""Mutations of the chart, one at a time, in a copy that Helm renders: each is caught by the check that is named.

mutations.yaml lists them: a pattern in a file of the chart, and what takes its place; it must match.
"""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import helm_python
import pytest
import yaml

from tools.chart.checks.every import CHECKS
from tools.chart.checks.release import Release, check_name, findings
from tools.chart.kubernetes_schemas import VERSIONS, schema_findings
from tools.chart.promtool import rule_findings
from tools.chart.render import CHART, NOTES, ci_values, render
from tools.lint_chart import lint

THOROUGH = {"values-schema", "helm-lint", "helm-render", "names-are-valid"}  # what a single rendering does not show
BY_SCHEMAS = "kubernetes-schema"


@dataclass(frozen=True, kw_only=True)
class Mutation:
    """What is done to one file of the chart; the first check is the one that must catch it, others may besides."""

    name: str
    file: str
    pattern: str
    into: str
    check: str
    values: str = "full"
    besides: tuple[str, ...] = ()

    def apply(self, chart: Path) -> None:
        """Changes the copy, at the first place where the pattern matches."""
        path = chart / self.file
        text, times = re.subn(self.pattern, self.into, path.read_text(), count=1, flags=re.MULTILINE)
        assert times == 1, f"expected {self.pattern!r} in {self.file}, got nothing; follow the template"
        assert text != path.read_text()
        path.write_text(text)


TABLE = yaml.safe_load((Path(__file__).parent / "mutations.yaml").read_text())
MUTATIONS = tuple(Mutation(**{**row, "besides": tuple(row.get("besides", ()))}) for row in TABLE)


@pytest.fixture
def chart(tmp_path: Path) -> Path:
    return Path(shutil.copytree(CHART, tmp_path / "robustcert"))


@cache
def merged(values: str) -> dict[str, Any]:
    """Values as JSON with the chart's defaults below them, which no mutation changes."""
    with helm_python.Chart.load(str(CHART)) as loaded:
        return dict(loaded.merge_values(json.loads(values)))


def caught(chart: Path, mutation: Mutation) -> set[str]:
    """Names of the checks that find something in a release of this chart; schemas are asked where they are named."""
    given = yaml.load((chart / f"ci/{mutation.values}-values.yaml").read_text(), Loader=yaml.CSafeLoader)
    with helm_python.Chart.load(str(chart)) as loaded:
        texts = loaded.render(given, name="robustcert", namespace="robustcert")
    rendered = [text for path, text in sorted(texts.items()) if not path.endswith(NOTES)]
    objects = [item for text in rendered for item in yaml.load_all(text, Loader=yaml.CSafeLoader) if item]
    release = Release(objects=tuple(objects), values=merged(json.dumps(given)))
    found = {finding.check for finding in findings(release, CHECKS)}
    if BY_SCHEMAS in (mutation.check, *mutation.besides):
        found |= {BY_SCHEMAS for _ in schema_findings(objects, version=VERSIONS[0])}
    return found


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name)
def test_each_mutation_is_caught_by_the_check_that_is_named(chart: Path, mutation: Mutation) -> None:
    mutation.apply(chart)
    if mutation.check in THOROUGH:
        found = {finding.check for finding in lint(ci_values(chart)[mutation.values], chart=chart).findings}
    else:
        found = caught(chart, mutation)
    assert mutation.check in found
    assert found - {mutation.check, *mutation.besides} == set()


@pytest.mark.parametrize("name", sorted(ci_values()))
def test_the_chart_as_it_is_has_no_finding(name: str) -> None:
    linted = lint(ci_values()[name], versions=(VERSIONS[0], VERSIONS[-1]))
    assert [str(finding) for finding in linted.findings] == []
    assert linted.objects > 20


def test_the_mutations_are_many_and_of_many_checks() -> None:
    assert len({mutation.name for mutation in MUTATIONS}) == len(MUTATIONS) >= 70
    assert len({mutation.check for mutation in MUTATIONS}) >= 60
    known = {check_name(check) for check in CHECKS} | THOROUGH | {BY_SCHEMAS}
    assert {name for mutation in MUTATIONS for name in (mutation.check, *mutation.besides)} <= known


@pytest.mark.prometheus
def test_a_broken_expression_of_a_rule_is_caught_by_promtool(chart: Path) -> None:
    program = shutil.which("promtool")
    assert program is not None, "make test-monitoring installs it"
    broken = Mutation(
        name="broken expression",
        file="files/rules/certificates.rules.yaml",
        pattern=r"expr: (\w)",
        into=r"expr: (\1",
        check="promtool",
    )
    unchanged = rule_findings(render(ci_values(chart)["full"], chart=chart), promtool=Path(program))
    broken.apply(chart)
    found = rule_findings(render(ci_values(chart)["full"], chart=chart), promtool=Path(program))
    assert unchanged == []
    assert {finding.object for finding in found} == {
        "ConfigMap/vision-certificates-rules",
        "PrometheusRule/vision-certificates-certificates",
    }
    assert all("parse error" in finding.message for finding in found)
