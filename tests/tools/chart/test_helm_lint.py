"""What Helm says of the chart, and of copies that are broken in one place each."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tools.chart.helm_lint import helm_findings
from tools.chart.render import CHART, ci_values


@pytest.fixture
def broken(tmp_path: Path) -> Callable[[str, str, str], Path]:
    """Makes a copy of the chart in which one text of a file is another."""

    def copied(file: str, old: str, new: str) -> Path:
        folder = Path(shutil.copytree(CHART, tmp_path / "robustcert"))
        text = (folder / file).read_text()
        assert old in text
        (folder / file).write_text(text.replace(old, new, 1))
        return folder

    return copied


@pytest.mark.parametrize("name", sorted(ci_values()))
def test_helm_finds_nothing(name: str) -> None:
    assert helm_findings(CHART, ci_values()[name]) == []


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        ("Chart.yaml", "apiVersion: v2", "apiVersion: v7", r"Chart\.yaml: apiVersion 'v7' is not valid"),
        ("Chart.yaml", "type: application", "type: programme", r"chart: .*type must be application"),
        ("Chart.yaml", "version: 0.1.0", "version: newest", r"Chart\.yaml: .*'newest'"),
        (
            "templates/exporter/deployment.yaml",
            "kind: Deployment",
            "kind: {{ .Values.exporter }",
            r"templates/: .*unexpected",
        ),
        (
            "templates/exporter/deployment.yaml",
            "kind: Deployment",
            'kind: {{ include "nothing" . }}',
            r"templates/: .*nothing",
        ),
        ("templates/exporter/deployment.yaml", "spec:", "spec: [", r"templates/.*YAML"),
        ("templates/exporter/deployment.yaml", "metadata:", "other:", r"templates/.*name"),
        ("templates/exporter/deployment.yaml", "apps/v1", "extensions/v1beta1", r"templates/.*deprecated"),
        ("values.yaml", "interval: 30", "interval: {", r"values\.yaml: .*yaml"),
    ],
)
def test_a_broken_chart_is_a_finding(
    broken: Callable[[str, str, str], Path], file: str, old: str, new: str, said: str
) -> None:
    found = helm_findings(broken(file, old, new), ci_values()["minimal"])
    assert found
    with pytest.raises(ValueError, match=said):
        raise ValueError("\n".join(found))


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"exporter": {"intervall": 30}}, "intervall"),
        ({"exporter": {"interval": "often"}}, "interval"),
        ({"controler": {}}, "controler"),
    ],
)
def test_a_wrong_value_is_a_finding(values: dict[str, Any], said: str) -> None:
    (finding,) = helm_findings(CHART, {**ci_values()["minimal"], **values})
    assert finding.startswith("values: ")
    assert said in finding
