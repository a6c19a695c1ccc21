"""The lint of the chart as a program: what it prints, how it ends."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tools import lint_chart
from tools.chart.checks.every import CHECKS
from tools.chart.render import CHART, ci_values
from tools.lint_chart import LONGEST_NAME, lint, main, make_release

ONE = ("1.29",)


@pytest.fixture
def chart(tmp_path: Path) -> Path:
    return Path(shutil.copytree(CHART, tmp_path / "robustcert"))


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["lint_chart", *arguments])
    monkeypatch.setattr(lint_chart, "VERSIONS", ONE)
    with pytest.raises(SystemExit) as ended:
        main()
    assert isinstance(ended.value.code, int)
    return ended.value.code


def values_file(folder: Path, **changes: Any) -> Path:
    path = folder / "mine.yaml"
    path.write_text(yaml.safe_dump({**ci_values()["minimal"], **changes}))
    return path


def test_values_that_are_right_have_no_finding(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert run(monkeypatch, "--values", str(values_file(tmp_path))) == 0
    counts = re.fullmatch(r"1 value files, (\d+) objects, (\d+) checks, 0 findings\n", capsys.readouterr().out)
    assert counts is not None
    assert int(counts[1]) > 20
    assert int(counts[2]) == len(CHECKS)


def test_a_finding_is_one_line_and_the_end_is_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    item = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "one"}, "data": {"a.json": "{"}}
    path = values_file(tmp_path, extraObjects=[item])
    assert run(monkeypatch, "--values", str(path)) == 1
    *found, counts = capsys.readouterr().out.splitlines()
    assert found == [
        "mine.yaml: ConfigMap/one: data[a.json]: files-can-be-read: expected what its name says, got Expecting "
        "property name enclosed in double quotes: line 1 column 2 (char 1); mend the file"
    ]
    assert counts.endswith(", 1 findings")


def test_a_typo_in_the_values_is_told_with_the_right_name(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert run(monkeypatch, "--values", str(values_file(tmp_path, exportr={"enabled": True}))) == 1
    told = capsys.readouterr().out
    assert "values-schema: " in told
    assert "exportr" in told


@pytest.mark.parametrize(
    ("text", "message"),
    [("[1, 2]", "expected a mapping of values, got list"), ("a: [", "expected values in YAML"), (None, "No such file")],
)
def test_a_file_that_is_no_values_is_one_line_and_status_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, text: str | None, message: str
) -> None:
    path = tmp_path / "values.yaml"
    if text is not None:
        path.write_text(text)
    assert run(monkeypatch, "--values", str(path)) == 2
    told = capsys.readouterr().err
    assert message in told
    assert told.count("\n") == 1


def test_every_file_of_the_folder_ci_is_read_where_none_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    seen: list[dict[str, Any]] = []

    def only_count(values: dict[str, Any], *, promtool: Path | None) -> lint_chart.Linted:
        assert promtool is None
        seen.append(values)
        return lint_chart.Linted(objects=1, findings=())

    monkeypatch.setattr(lint_chart, "lint", only_count)
    assert run(monkeypatch) == 0
    assert seen == list(ci_values().values())
    assert capsys.readouterr().out.startswith(f"{len(seen)} value files, {len(seen)} objects")


def test_a_template_that_fails_is_a_finding(chart: Path) -> None:
    (chart / "templates/broken.yaml").write_text("{{ fail `expected a b c` }}")
    told = lint(ci_values()["minimal"], chart=chart, versions=ONE)
    assert told.objects == 0
    assert "helm-render" in {finding.check for finding in told.findings}
    assert any("expected a b c" in finding.message for finding in told.findings)


def test_every_version_is_asked_and_the_same_finding_of_two_installations_is_told_once(chart: Path) -> None:
    item = "apiVersion: batch/v1beta1\nkind: CronJob\nmetadata:\n  name: old\n  namespace: {{ .Release.Namespace }}\n"
    (chart / "templates/old.yaml").write_text(item)
    told = lint(ci_values()["minimal"], chart=chart, versions=("1.29", "1.37")).findings
    old = [finding for finding in told if finding.check == "kubernetes-schema"]
    assert {finding.object for finding in old} == {"CronJob/old"}
    assert {version for version in ("1.29", "1.37") for finding in old if version in str(finding)} == {"1.29", "1.37"}
    assert len(told) == len(set(told))


def test_names_are_checked_with_the_longest_release_that_helm_takes() -> None:
    release = make_release(ci_values()["minimal"], chart=CHART, name=LONGEST_NAME, namespace="n")
    assert len(LONGEST_NAME) == 53
    assert any(name.startswith("rrrr") for name in (item["metadata"]["name"] for item in release.objects))
    assert release.values["exporter"]["interval"] == 30
