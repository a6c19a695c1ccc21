"""Dashboards as ConfigMaps for Grafana's sidecar: the committed ones, small enough, and found by their label."""

import json
from typing import Any

import pytest
import yaml

from monitoring.dashboards.generate import FOLDER
from tools.chart.render import ci_values, render

BASE: dict[str, Any] = ci_values()["minimal"]
MOST_BYTES = 1 << 20  # of a ConfigMap, in etcd
FILES = {path.name: path.read_text() for path in sorted(FOLDER.glob("*.json"))}


def config_maps(**chosen: Any) -> list[dict[str, Any]]:
    objects = render({**BASE, "monitoring": {"dashboards": chosen}})
    return [
        one
        for one in objects
        if one["kind"] == "ConfigMap" and one["metadata"]["labels"]["app.kubernetes.io/component"] == "dashboards"
    ]


def dashboards() -> list[dict[str, Any]]:
    return [json.loads(text) for one in config_maps() for text in one["data"].values()]


def sources(node: Any) -> list[Any]:
    """Every data source that is named anywhere in a dashboard."""
    if isinstance(node, dict):
        own = [node["datasource"]] if "datasource" in node else []
        return own + [found for value in node.values() for found in sources(value)]
    return [found for value in node for found in sources(value)] if isinstance(node, list) else []


def test_each_committed_dashboard_is_in_a_config_map_of_its_own() -> None:
    found = [one["data"] for one in config_maps()]
    assert [len(data) for data in found] == [1] * len(FILES)
    assert {name: text.strip() for data in found for name, text in data.items()} == {
        name: text.strip() for name, text in FILES.items()
    }
    assert len({one["metadata"]["name"] for one in config_maps()}) == len(FILES) == 3


def test_grafana_can_tell_them_apart() -> None:
    assert len({one["uid"] for one in dashboards()}) == len({one["title"] for one in dashboards()}) == len(FILES)
    assert all(one.get("id") is None for one in dashboards())


def test_each_reads_the_prometheus_that_people_choose() -> None:
    """A fixed uid would be of our own Grafana; annotations that Grafana itself makes are no source of data."""
    for dashboard in dashboards():
        variables = {one["name"]: one for one in dashboard["templating"]["list"]}
        assert (variables["datasource"]["type"], variables["datasource"]["query"]) == ("datasource", "prometheus")
        named = sources(dashboard)
        assert len(named) > 10
        assert {(one["type"], one["uid"]) for one in named} == {("prometheus", "${datasource}")}


def test_none_is_too_large_for_a_config_map() -> None:
    sizes = [len(yaml.safe_dump(one).encode()) for one in config_maps()]
    assert max(sizes) < MOST_BYTES
    assert min(sizes) > 10_000


def test_the_sidecar_finds_them_by_its_label_and_folder_where_grafana_is() -> None:
    for one in config_maps():
        assert one["metadata"]["namespace"] == "robustcert"
        assert one["metadata"]["labels"]["grafana_dashboard"] == "1"
        assert one["metadata"]["annotations"]["grafana_folder"] == "Robustcert"
    chosen = config_maps(namespace="monitoring", labels={"dashboards": "yes"}, annotations={"folder": "Models"})
    assert {one["metadata"]["namespace"] for one in chosen} == {"monitoring"}
    assert {one["metadata"]["labels"]["dashboards"] for one in chosen} == {"yes"}
    assert {one["metadata"]["annotations"]["folder"] for one in chosen} == {"Models"}


@pytest.mark.parametrize("chosen", [{"enabled": False}])
def test_they_are_optional(chosen: dict[str, Any]) -> None:
    assert config_maps(**chosen) == []
    assert config_maps() != []
