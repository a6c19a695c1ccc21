"""The committed dashboards: up to date, and such as Grafana 11 takes; there is no Grafana to ask."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from grafana_foundation_sdk.models.dashboard import Dashboard

from monitoring.dashboards import generate
from monitoring.dashboards.generate import FOLDER, generated, main, stale, to_json
from tests.monitoring.metric_table import ROOT, names, unknown

FILES = sorted(FOLDER.glob("*.json"))
DASHBOARDS = [json.loads(path.read_text()) for path in FILES]
COLUMNS = 24
UNITS = {"short", "percentunit", "s", "dtdurations", "reqps"}
RUNBOOK = re.compile(r"https://github\.com/robustcert/robustcert/blob/main/(monitoring/runbooks/(\w+)\.md)")
every_dashboard = pytest.mark.parametrize("dashboard", DASHBOARDS, ids=lambda one: one["uid"])


def panels(dashboard: dict[str, Any]) -> list[dict[str, Any]]:
    return [panel for panel in dashboard["panels"] if panel["type"] != "row"]


def expressions(panel: dict[str, Any]) -> list[str]:
    return [target["expr"] for target in panel["targets"]]


def plain(expression: str) -> str:
    """As Grafana sends it when every model is chosen."""
    return re.sub(r"\$(?:model|version)\b", ".*", expression.replace("$__rate_interval", "5m"))


def overlaps(found: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """Titles of panels that cover the same cell of the grid."""
    owner: dict[tuple[int, int], str] = {}
    clashes = []
    for panel in found:
        at = panel["gridPos"]
        for x in range(at["x"], at["x"] + at["w"]):
            for y in range(at["y"], at["y"] + at["h"]):
                if (x, y) in owner:
                    clashes.append((owner[x, y], panel["title"]))
                owner[x, y] = panel["title"]
    return sorted(set(clashes))


def urls(node: Any) -> list[str]:
    if isinstance(node, dict):
        own = [node["url"]] if isinstance(node.get("url"), str) else []
        return own + [url for value in node.values() for url in urls(value)]
    return [url for value in node for url in urls(value)] if isinstance(node, list) else []


def test_the_committed_files_are_what_the_code_makes() -> None:
    assert stale() == []
    assert len(FILES) == 3
    assert main(["--check"]) == 0


def test_a_changed_a_missing_and_a_foreign_file_are_out_of_date(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(generate, "FOLDER", tmp_path)
    assert main([]) == 0
    assert main(["--check"]) == 0
    changed, missing, _ = sorted(generated())
    changed.write_text(changed.read_text().replace("Active", "active"))
    missing.unlink()
    (tmp_path / "old.json").write_text("{}")
    capsys.readouterr()
    assert main(["--check"]) == 1
    assert capsys.readouterr().out.count("out of date; run `make generate`") == 3
    assert main([]) == 0
    assert sorted(tmp_path.iterdir()) == sorted(generated())


@every_dashboard
def test_the_sdk_reads_it_back_as_it_was(dashboard: dict[str, Any]) -> None:
    assert json.loads(to_json(Dashboard.from_json(dashboard))) == dashboard


@every_dashboard
def test_it_can_be_imported_and_provisioned(dashboard: dict[str, Any]) -> None:
    assert re.fullmatch(r"[a-z0-9-]{1,40}", dashboard["uid"])
    assert dashboard["schemaVersion"] >= 39
    assert "id" not in dashboard
    assert dashboard["tags"] == ["robustcert"]
    assert dashboard["title"].startswith("Robustcert / ")
    assert dashboard["description"].endswith(".")


def test_no_two_dashboards_share_an_address() -> None:
    assert len({one["uid"] for one in DASHBOARDS}) == len({one["title"] for one in DASHBOARDS}) == 3
    assert [path.stem for path in FILES] == [one["uid"] for one in DASHBOARDS]


@every_dashboard
def test_panels_are_numbered_and_lie_side_by_side(dashboard: dict[str, Any]) -> None:
    numbers = [panel["id"] for panel in dashboard["panels"]]
    assert numbers == list(range(1, len(numbers) + 1))
    assert all(panel["gridPos"]["x"] + panel["gridPos"]["w"] <= COLUMNS for panel in dashboard["panels"])
    assert overlaps(dashboard["panels"]) == []


def test_the_reader_of_the_grid_finds_two_panels_on_one_place() -> None:
    first = {"title": "a", "gridPos": {"x": 0, "y": 0, "w": 12, "h": 8}}
    second = {"title": "b", "gridPos": {"x": 11, "y": 7, "w": 12, "h": 8}}
    assert overlaps([first, second]) == [("a", "b")]
    assert overlaps([first, {**second, "gridPos": {"x": 12, "y": 0, "w": 12, "h": 8}}]) == []


@every_dashboard
def test_every_panel_says_what_it_shows_and_asks_the_chosen_data_source(dashboard: dict[str, Any]) -> None:
    source = {"type": "prometheus", "uid": "${datasource}"}
    titles = [panel["title"] for panel in panels(dashboard)]
    assert len(titles) == len(set(titles)) > 5
    for panel in panels(dashboard):
        assert panel["description"].endswith((".", "decides.")), panel["title"]
        assert panel["datasource"] == source
        assert panel["targets"]
        refs = [target["refId"] for target in panel["targets"]]
        assert len(refs) == len(set(refs))
        assert all(target["datasource"] == source for target in panel["targets"])
        table = panel["type"] in {"table", "state-timeline"}
        assert table or panel["fieldConfig"]["defaults"]["unit"] in UNITS, panel["title"]


@every_dashboard
def test_a_ratio_is_shown_in_percent_and_a_time_as_a_duration(dashboard: dict[str, Any]) -> None:
    for panel in panels(dashboard):
        unit = panel["fieldConfig"]["defaults"].get("unit")
        for expr in expressions(panel):
            if unit and re.search(r"_ratio(?:_rate\w+)?\{[^}]*\}\)?$", expr) and " / " not in expr:
                assert unit == "percentunit", (panel["title"], expr)
            if unit and "time() -" in expr and "count(" not in expr:
                assert unit in {"s", "dtdurations"}, (panel["title"], expr)


@every_dashboard
def test_variables_are_the_data_source_then_what_is_shown(dashboard: dict[str, Any]) -> None:
    variables = dashboard["templating"]["list"]
    assert [one["name"] for one in variables] == ["datasource", "model", "version", "store"]
    assert variables[0]["type"] == "datasource"
    assert variables[0]["query"] == "prometheus"
    for one in variables[1:3]:
        assert one["datasource"]["uid"] == "${datasource}"
        assert unknown(plain(one["query"])) == []
    used = set(re.findall(r"\$\{?(\w+)", json.dumps(dashboard)))
    assert used <= {"datasource", "model", "version", "store", "__rate_interval", "__data", "__value", "__all"}


@every_dashboard
def test_every_expression_reads_only_what_something_exports(dashboard: dict[str, Any]) -> None:
    for panel in panels(dashboard):
        for expr in expressions(panel):
            assert names(expr), (panel["title"], expr)
            assert unknown(plain(expr)) == [], panel["title"]


@every_dashboard
def test_links_lead_to_runbooks_dashboards_and_drift_records_that_exist(dashboard: dict[str, Any]) -> None:
    uids = {one["uid"] for one in DASHBOARDS}
    found = [url for url in urls(dashboard) if url]
    assert found
    for url in found:
        runbook, other = RUNBOOK.fullmatch(url), re.match(r"/d/([\w-]+)\?", url)
        known = url.startswith("${store}/drift/") or url.endswith("/monitoring/runbooks/${__value.text}.md")
        assert known or (other and other[1] in uids) or (runbook and (ROOT / runbook[1]).is_file()), url


def test_every_alert_is_explained_by_a_panel_that_links_to_its_runbook() -> None:
    linked = {match[2] for one in DASHBOARDS for url in urls(one) if (match := RUNBOOK.fullmatch(url))}
    written = {path.stem for path in (ROOT / "monitoring/runbooks").glob("*.md")}
    # The fleet's table of firing alerts links to all of them; these have a panel of their own.
    assert linked <= written
    assert len(linked) >= 15
    assert any("${__value.text}" in url for one in DASHBOARDS for url in urls(one))
