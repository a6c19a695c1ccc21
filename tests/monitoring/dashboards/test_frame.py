"""What every dashboard has around its panels."""

import json
from typing import Any

import pytest

from monitoring.dashboards.frame import framed
from monitoring.dashboards.generate import to_json
from monitoring.dashboards.panels import stat_panel

SECTIONS = [
    ("First", [stat_panel(f"{number}", "robustcert_deployed", about="x.", width=12) for number in range(3)]),
    ("Second", [stat_panel("last", "robustcert_deployed", about="x.", width=24)]),
]


def made(*, of_one_model: bool) -> dict[str, Any]:
    return json.loads(to_json(framed("uid", "Title", SECTIONS, about="About.", of_one_model=of_one_model)))


def test_panels_follow_each_other_and_a_row_begins_a_new_line() -> None:
    places = [(one["title"], one["gridPos"]["x"], one["gridPos"]["y"]) for one in made(of_one_model=True)["panels"]]
    assert places == [("First", 0, 0), ("0", 0, 1), ("1", 12, 1), ("2", 0, 5), ("Second", 0, 9), ("last", 0, 10)]
    assert [one["id"] for one in made(of_one_model=True)["panels"]] == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize("of_one_model", [True, False])
def test_a_dashboard_of_one_model_offers_one_and_the_others_all(of_one_model: bool) -> None:
    source, model, version, store = made(of_one_model=of_one_model)["templating"]["list"]
    assert (source["type"], model["type"], version["type"], store["type"]) == (
        "datasource",
        "query",
        "query",
        "textbox",
    )
    assert model["includeAll"] is model["multi"] is not of_one_model
    assert version["allValue"] == ".*"


def test_firing_alerts_of_what_is_shown_are_drawn_into_every_panel() -> None:
    (alerts,) = made(of_one_model=True)["annotations"]["list"]
    assert 'alertstate="firing", model=~"$model"' in alerts["expr"]
    assert alerts["enable"] is True


def test_dashboards_lead_to_each_other_in_the_same_time_range() -> None:
    (link,) = made(of_one_model=True)["links"]
    assert (link["type"], link["tags"], link["keepTime"], link["includeVars"]) == (
        "dashboards",
        ["robustcert"],
        True,
        True,
    )
