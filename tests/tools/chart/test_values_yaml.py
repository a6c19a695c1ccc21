"""values.yaml: Helm and any reader of YAML find the defaults of tools/chart in it, each with its description."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import helm_python
import pytest
import yaml

from tools.chart.entry import all_entries
from tools.chart.render import CHART, ci_values, render
from tools.chart.values import Values
from tools.chart.values_yaml import PATH, inline, values_yaml

DEFAULTS = Values().model_dump(by_alias=True, mode="json")


def test_the_committed_file_is_current() -> None:
    assert PATH.read_text() == values_yaml()


def test_parsed_it_is_the_defaults_in_the_order_of_the_class() -> None:
    found = yaml.safe_load(values_yaml())
    assert found == DEFAULTS
    assert list(found) == list(DEFAULTS)


def test_helm_reads_the_same(tmp_path: Path) -> None:
    with helm_python.Chart.load(str(CHART)) as chart:
        assert chart.merge_values({}) == DEFAULTS


def test_every_value_has_its_description_beside_or_above_it() -> None:
    text = " ".join(values_yaml().replace("#", " ").split())
    described = [entry for entry in all_entries(Values) if entry.part is None and "[]." not in entry.path]
    assert len(described) > 200
    assert [entry.path for entry in described if " ".join(entry.description.split()) not in text] == []


def test_it_is_120_columns_wide_without_tabs_and_loose_ends() -> None:
    lines = values_yaml().splitlines()
    assert [line for line in lines if len(line) > 120 or "\t" in line or line != line.rstrip()] == []


def test_what_the_examples_of_lists_say_is_accepted() -> None:
    """The examples as a user gets them who takes the comment signs away."""
    found = re.findall(r"For example:\n((?: *# +[^\n]*\n)+)", values_yaml())
    secrets, jobs, schedules = (yaml.safe_load(re.sub(r"^ *#  ", "", text, flags=re.MULTILINE)) for text in found)
    chosen = {
        **ci_values()["minimal"],
        "externalSecrets": {"secrets": secrets},
        "drift": {"jobs": jobs},
        "recertification": {"schedules": schedules},
    }
    kinds = [item["kind"] for item in render(chosen)]
    assert kinds.count("CronJob") == 2
    assert jobs[0]["resources"] is None


@pytest.mark.parametrize(
    "value", ["", "1", "on", "15 * * * *", "a: b", "null", "2026-01-01", 3, 0.5, True, None, [], {}]
)
def test_a_value_on_one_line_is_read_as_it_was(value: Any) -> None:
    assert yaml.safe_load(f"key: {inline(value)}  # comment") == {"key": value}
    assert yaml.safe_load(inline({"a": [value], "b": {"c": value}})) == {"a": [value], "b": {"c": value}}
