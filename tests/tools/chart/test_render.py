"""The chart as Helm renders it: all objects in the files' order, and Helm's own words where it can't."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml

from robustcert.errors import InputError
from tools.chart.render import CHART, ci_values, render, render_text

CHART_YAML = "apiVersion: v2\nname: trial\nversion: 0.1.0\n"


@pytest.fixture
def trial(tmp_path: Path) -> Path:
    """A chart of a few lines."""
    (tmp_path / "templates").mkdir()
    (tmp_path / "ci").mkdir()
    (tmp_path / "Chart.yaml").write_text(CHART_YAML)
    (tmp_path / "values.yaml").write_text("word: default\n")
    (tmp_path / "templates/a.yaml").write_text(
        "a: {{ .Values.word }}\n---\n# nothing\n---\nb: {{ .Release.Name }}.{{ .Release.Namespace }}\n"
    )
    (tmp_path / "templates/b.yaml").write_text("{{ if .Values.more }}c: 1{{ end }}\n")
    (tmp_path / "templates/NOTES.txt").write_text("note: well\n")
    return tmp_path


def test_objects_come_in_the_order_of_the_files_without_notes_and_empty_documents(trial: Path) -> None:
    assert render(chart=trial) == [{"a": "default"}, {"b": "robustcert.robustcert"}]
    given = {"word": "mine", "more": True}
    assert render(given, chart=trial, name="n", namespace="s") == [{"a": "mine"}, {"b": "n.s"}, {"c": 1}]
    assert render_text(chart=trial)["trial/templates/NOTES.txt"] == "note: well\n"


def test_a_template_that_fails_is_named_in_the_words_of_helm(trial: Path) -> None:
    (trial / "templates/c.yaml").write_text('{{ fail "expected more, got less; add some" }}\n')
    with pytest.raises(InputError, match=r"trial/templates/c\.yaml:1:3.*expected more, got less; add some"):
        render(chart=trial)


def test_a_template_that_renders_to_no_yaml_is_named(trial: Path) -> None:
    (trial / "templates/c.yaml").write_text("a: [1\n")
    with pytest.raises(InputError, match=r"expected YAML, got trial/templates/c\.yaml: .*; mend the template"):
        render(chart=trial)


def test_values_that_the_schema_refuses_are_not_rendered(trial: Path) -> None:
    (trial / "values.schema.json").write_text('{"properties": {"word": {"type": "string"}}}')
    with pytest.raises(InputError, match="at '/word': got number, want string"):
        render({"word": 3}, chart=trial)


def test_a_folder_that_is_no_chart_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"Chart\.yaml"):
        render(chart=tmp_path)


def test_the_values_of_the_installations_that_are_tried_are_found_by_name(trial: Path) -> None:
    (trial / "ci/some-values.yaml").write_text("word: some\n")
    (trial / "ci/empty-values.yaml").write_text("# nothing\n")
    (trial / "ci/other.yaml").write_text("word: other\n")
    assert ci_values(trial) == {"some": {"word": "some"}, "empty": {}}
    assert set(ci_values()) == {path.name.removesuffix("-values.yaml") for path in CHART.glob("ci/*.yaml")}


def test_a_copy_of_the_chart_renders_to_the_same(tmp_path: Path) -> None:
    copy = tmp_path / "elsewhere"
    shutil.copytree(CHART, copy)
    values = yaml.safe_load((CHART / "ci/minimal-values.yaml").read_text())
    assert render(values, chart=copy) == render(values) != []
