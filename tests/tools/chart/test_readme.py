"""The chart's README: every path of values.yaml is a row of its tables, with the default that Helm reads."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from tools.chart.entry import all_entries
from tools.chart.readme import PATH, readme
from tools.chart.render import CHART
from tools.chart.values import Values

ROW = re.compile(r"^\| `(?P<path>[^`]+)` \| (?P<default>.*?) \| (?P<words>[^|]+) \|$", re.MULTILINE)
ROWS = {row["path"]: row for row in ROW.finditer(readme())}


def paths(values: dict[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """Every path of values.yaml down to plain values, lists and free maps."""
    for name, value in values.items():
        path = f"{above}.{name}" if above else name
        if isinstance(value, dict) and f"{path}.{next(iter(value), '')}" in ROWS:
            yield from paths(value, path)
        else:
            yield path, value


def test_the_committed_file_is_current_and_says_that_it_is_made() -> None:
    assert PATH.read_text() == readme()
    assert "`make generate`" in readme()[:400]


def test_every_path_of_values_yaml_is_a_row_with_its_default() -> None:
    found = dict(paths(yaml.safe_load((CHART / "values.yaml").read_text())))
    assert len(found) > 200
    for path, value in found.items():
        assert yaml.safe_load(ROWS[path]["default"].strip("`")) == value


def test_every_row_is_a_value_once_and_is_described() -> None:
    assert len(ROW.findall(readme())) == len(ROWS) == len(re.findall(r"^\| `", readme(), re.MULTILINE))
    known = {entry.path for entry in all_entries(Values)}
    below = {entry.path.rpartition("[].")[0].rpartition(".")[2] + "[]." + entry.name for entry in all_entries(Values)}
    assert set(ROWS) <= known | below


@pytest.mark.parametrize(
    "path",
    [
        "drift.jobs[].schedule",
        "externalSecrets.secrets.*.*.key",
        "extraEnv[].name",
        "recertification.schedules[].model",
    ],
)
def test_what_an_item_needs_is_required(path: str) -> None:
    assert ROWS[path]["default"] == "required"


def test_links_lead_to_files() -> None:
    links = re.findall(r"\]\(([^)#]+)", readme())
    assert links
    assert [link for link in links if not (CHART / link).exists()] == []
