"""null, which is Helm's word for "without the default": empty where empty means something, else refused by name."""

from __future__ import annotations

import functools
import re
from typing import Any

import pytest
from pydantic import ValidationError

from robustcert.errors import InputError
from tests.charts.releases import release
from tools.chart.check import merged
from tools.chart.entry import ANY, EACH, all_entries
from tools.chart.render import CHART, ci_values, render
from tools.chart.values import Values

LINE = re.compile(r"^(\.|[a-zA-Z.]+): ([a-zA-Z ]+)$", re.MULTILINE)
EMPTY: tuple[Any, ...] = (None, "", {}, [])


def below(path: str, value: Any) -> dict[str, Any]:
    """Values that say one thing."""
    found = value
    for name in reversed(path.split(".")):
        found = {name: found}
    return dict(found)


def without(path: str) -> dict[str, Any]:
    """The least values with null in that place, which none of them names."""
    return {**ci_values()["minimal"], **below(path, None)}


def fits(path: str, value: Any) -> bool:
    try:
        Values.model_validate(merged(Values().model_dump(by_alias=True, mode="json"), below(path, value)), strict=True)
    except ValidationError:
        return False
    return True


@functools.cache
def needed() -> frozenset[str]:
    """Paths of what may not be empty by its type: parts, numbers, switches, words. None in lists."""
    own = [entry for entry in all_entries(Values) if EACH not in entry.path and ANY not in entry.path]
    return frozenset(entry.path for entry in own if entry.part or not any(fits(entry.path, one) for one in EMPTY))


def test_the_chart_names_each_value_that_may_not_be_empty_and_no_other() -> None:
    text = (CHART / "templates/_needed.tpl").read_text()
    listed = {f"{part}.{name}".lstrip(".") for part, names in LINE.findall(text) for name in names.split()}
    assert len(listed) > 100
    assert listed == needed()


@pytest.mark.parametrize(
    "path",
    ["exporter", "exporter.interval", "exporter.service.port", "networkPolicy.enabled", "kubeflow.token.audience",
     "images", "podSecurity", "controller.tls", "controller.persistence.size", "networkPolicy.kubernetes"],
)  # fmt: skip
def test_null_is_refused_with_the_path_where_something_is_needed(path: str) -> None:
    with pytest.raises(InputError, match=f"expected a value as {re.escape(path)}, got null; leave it out"):
        render(without(path))


@pytest.mark.parametrize(
    "path",
    ["commonLabels", "commonAnnotations", "exporter.podLabels", "exporter.extraEnv", "exporter.extraVolumes",
     "exporter.deployed.namespaces", "controller.service.annotations", "controller.podAnnotations",
     "kubeflow.runs.parameters", "networkPolicy.clientNamespaces", "pipelines.upload.annotations"],
)  # fmt: skip
def test_null_is_empty_where_the_default_is_empty(path: str) -> None:
    assert render(without(path)) == render(ci_values()["minimal"])


def test_a_part_without_what_it_had_by_default_has_none_of_it() -> None:
    values = without("monitoring.monitors.labels")
    found = [item for item in render(values) if item["kind"] == "ServiceMonitor"]
    assert len(found) == 2
    assert all("release" not in item["metadata"]["labels"] for item in found)
    assert any("release" in item["metadata"]["labels"] for item in release() if item["kind"] == "ServiceMonitor")
