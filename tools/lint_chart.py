"""Proves what the chart promises: Helm's lint, Kubernetes' schemas of all versions, and our own named checks.

    python -m tools.lint_chart [--values FILE] [--promtool PATH]

Without a file every charts/robustcert/ci/*-values.yaml is installed in thought, twice: as release `robustcert`, and
with the longest names that Helm allows. One finding a line: values, object, place, check, remedy. Exit status 1 with
findings, 2 where a file can't be read. With a promtool Prometheus is asked about the rules too. The checks are in
tools/chart/checks/.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import helm_python
import yaml

from robustcert.errors import InputError, RobustcertError, expected
from tools.chart.checks.every import CHECKS
from tools.chart.checks.release import Finding, Object, Release, findings
from tools.chart.helm_lint import helm_findings
from tools.chart.kubernetes_schemas import VERSIONS, schema_findings
from tools.chart.promtool import rule_findings
from tools.chart.render import CHART, ci_values, render

LONGEST_NAME, LONGEST_NAMESPACE = "r" * 53, "n" * 63  # Helm's limit for a release, and a DNS label
INSTALLATIONS = (("robustcert", "robustcert"), (LONGEST_NAME, LONGEST_NAMESPACE))


@dataclass(frozen=True, kw_only=True)
class Linted:
    """How many objects were looked at, and what was found."""

    objects: int
    findings: tuple[Finding, ...]


def lint(
    values: Mapping[str, Any],
    *,
    chart: Path = CHART,
    versions: Sequence[str] = VERSIONS,
    promtool: Path | None = None,
) -> Linted:
    """Everything that is wrong with the chart installed with these values; None asks no Prometheus."""
    told = [_of_helm(text) for text in helm_findings(chart, values)]
    try:
        releases = [
            make_release(values, chart=chart, name=name, namespace=namespace) for name, namespace in INSTALLATIONS
        ]
    except RobustcertError as error:
        failed = Finding(check="helm-render", object="chart", path="templates", message=_one_line(error))
        return Linted(objects=0, findings=(*told, failed))
    first = releases[0].objects
    shaped = [_of_schema(text) for version in versions for text in schema_findings(first, version=version)]
    own = [finding for release in releases for finding in findings(release, CHECKS)]
    own += rule_findings(first, promtool=promtool) if promtool else []
    return Linted(objects=len(first), findings=(*dict.fromkeys(told + shaped + own),))


def make_release(values: Mapping[str, Any], *, chart: Path = CHART, name: str, namespace: str) -> Release:
    """A release of the chart, rendered; InputError where Helm refuses."""
    objects = render(values, name=name, namespace=namespace, chart=chart)
    with helm_python.Chart.load(str(chart)) as loaded:
        merged = loaded.merge_values(dict(values))
    return Release(objects=tuple(objects), name=name, namespace=namespace, values=merged, chart=chart)


def main() -> None:
    """Prints the findings; exits with 0, 1 or 2."""
    options = argparse.ArgumentParser(prog="python -m tools.lint_chart", description=(__doc__ or "").splitlines()[0])
    options.add_argument("--values", type=Path, metavar="FILE", help="values to install with, instead of all ci files")
    options.add_argument("--promtool", type=Path, metavar="PATH", help="Prometheus' own program, to check the rules")
    chosen = options.parse_args()
    try:
        given = ci_values() if chosen.values is None else {chosen.values.name: _read(chosen.values)}
    except RobustcertError as error:
        print(error, file=sys.stderr)
        sys.exit(2)
    linted = {name: lint(values, promtool=chosen.promtool) for name, values in given.items()}
    sys.exit(1 if _report(linted) else 0)


def _report(linted: Mapping[str, Linted]) -> int:
    """Prints a line for each finding and one of counts; returns the number of findings."""
    for name, found in linted.items():
        for finding in found.findings:
            print(f"{name}: {finding}")
    objects = sum(found.objects for found in linted.values())
    count = sum(len(found.findings) for found in linted.values())
    print(f"{len(linted)} value files, {objects} objects, {len(CHECKS)} checks, {count} findings")
    return count


def _read(path: Path) -> Object:
    try:
        found = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader) or {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InputError(expected("values in YAML", got=_one_line(error), remedy=f"mend {path}")) from error
    if not isinstance(found, dict):
        raise InputError(expected("a mapping of values", got=type(found).__name__, remedy=f"mend {path}"))
    return found


def _of_helm(text: str) -> Finding:
    place, _, message = text.partition(": ")
    check = "values-schema" if place == "values" else "helm-lint"
    return Finding(check=check, object="chart", path=place, message=message)


def _of_schema(text: str) -> Finding:
    name, _, rest = text.partition(": ")
    path, colon, message = rest.partition(": ")
    return Finding(
        check="kubernetes-schema", object=name, path=path if colon else "", message=message if colon else rest
    )


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())


if __name__ == "__main__":
    main()
