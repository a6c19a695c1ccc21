"""Kinds of panel, as Grafana's schema has them: read from the JSON that comes out."""

import json
from typing import Any

import pytest
from grafana_foundation_sdk.cog.encoder import JSONEncoder

from monitoring.dashboards.panels import (
    GREEN,
    RED,
    Column,
    Query,
    bars_panel,
    lines_panel,
    runbook_link,
    stacked_panel,
    stat_panel,
    state_panel,
    states_panel,
    table_panel,
)
from tests.monitoring.metric_table import ROOT

ABOUT = "What it shows."


def built(panel: Any) -> dict[str, Any]:
    return json.loads(json.dumps(panel.build(), cls=JSONEncoder))


def test_a_stat_shows_the_newest_value_in_the_colour_of_its_step() -> None:
    panel = built(stat_panel("Expired", "count(x)", about=ABOUT, unit="s", steps=((None, GREEN), (1, RED))))
    assert (panel["type"], panel["title"], panel["description"]) == ("stat", "Expired", ABOUT)
    defaults = panel["fieldConfig"]["defaults"]
    assert defaults["unit"] == "s"
    assert defaults["thresholds"]["steps"] == [{"color": "green", "value": None}, {"color": "red", "value": 1}]
    assert panel["options"]["reduceOptions"]["calcs"] == ["lastNotNull"]
    assert [(one["expr"], one["instant"], one["refId"]) for one in panel["targets"]] == [("count(x)", True, "A")]


def test_a_state_shows_its_text() -> None:
    panel = built(state_panel("Status", "x", about=ABOUT, texts={"1": ("active", GREEN), "2": ("suspended", RED)}))
    (mapping,) = panel["fieldConfig"]["defaults"]["mappings"]
    assert mapping["type"] == "value"
    assert {value: one["text"] for value, one in mapping["options"].items()} == {"1": "active", "2": "suspended"}


@pytest.mark.parametrize(("make", "stacked"), [(lines_panel, "none"), (stacked_panel, "normal")])
def test_lines_have_a_legend_each_and_areas_add_up(make: Any, stacked: str) -> None:
    queries = [Query(expr="a", legend="{{model}}"), Query(expr="b", legend="limit")]
    panel = built(make("PSI", queries, about=ABOUT, unit="short"))
    assert [(one["expr"], one["legendFormat"], one["refId"]) for one in panel["targets"]] == [
        ("a", "{{model}}", "A"),
        ("b", "limit", "B"),
    ]
    assert all(one["range"] for one in panel["targets"])
    custom = panel["fieldConfig"]["defaults"]["custom"]
    assert custom.get("stacking", {}).get("mode", "none") == stacked


def test_a_limit_is_drawn_as_a_dashed_line() -> None:
    panel = built(lines_panel("x", [Query(expr="a")], about=ABOUT, unit="short", steps=((None, GREEN), (1, RED))))
    assert panel["fieldConfig"]["defaults"]["custom"]["thresholdsStyle"]["mode"] == "dashed"
    assert [one["value"] for one in panel["fieldConfig"]["defaults"]["thresholds"]["steps"]] == [None, 1]


def test_bars_begin_at_zero() -> None:
    panel = built(bars_panel("x", [Query(expr="a", legend="{{bin}}")], about=ABOUT, unit="percentunit"))
    assert panel["type"] == "bargauge"
    assert panel["fieldConfig"]["defaults"]["min"] == 0


def test_bands_are_coloured_by_state_over_time() -> None:
    panel = built(states_panel("x", Query(expr="a"), about=ABOUT, texts={"1": ("active", GREEN)}))
    assert panel["type"] == "state-timeline"
    assert panel["targets"][0]["range"]


def test_a_table_joins_its_queries_by_labels_and_names_every_column() -> None:
    columns = {
        "label:model": Column(title="Model", link=("Details", "/d/x?var-model=${__data.fields.Model}")),
        "a": Column(title="Ends in", unit="dtdurations", steps=((None, RED), (1, GREEN))),
        "b": Column(title="Verdict", texts={"1": ("clean", GREEN)}),
    }
    panel = built(table_panel("x", columns, about=ABOUT, hidden=["Value #B"]))
    assert [(one["refId"], one["format"], one["instant"]) for one in panel["targets"]] == [
        ("A", "table", True),
        ("B", "table", True),
    ]
    merge, organize = panel["transformations"]
    assert merge["id"] == "merge"
    assert organize["options"]["renameByName"] == {"model": "Model", "Value #A": "Ends in", "Value #B": "Verdict"}
    assert organize["options"]["excludeByName"] == {"Time": True, "Value #B": True}
    overrides = {
        one["matcher"]["options"]: {p["id"] for p in one["properties"]} for one in panel["fieldConfig"]["overrides"]
    }
    assert overrides == {
        "Model": {"links"},
        "Ends in": {"unit", "custom.cellOptions", "thresholds"},
        "Verdict": {"custom.cellOptions", "mappings"},
    }


def test_the_value_of_a_tables_only_query_has_no_number() -> None:
    panel = built(table_panel("x", {"label:model": Column(title="Model"), "a": Column(title="A")}, about=ABOUT))
    assert panel["transformations"][1]["options"]["renameByName"] == {"model": "Model", "Value": "A"}


def test_a_runbook_link_leads_to_a_page() -> None:
    found = built(runbook_link("RobustcertAccuracyLow"))
    assert found["targetBlank"] is True
    assert (ROOT / "monitoring/runbooks" / found["url"].rsplit("/", 1)[1]).is_file()
