"""What every dashboard has: its variables, links to the others, firing alerts as annotations, and numbered panels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from grafana_foundation_sdk.builders.dashboard import (
    AnnotationQuery,
    Dashboard,
    DashboardLink,
    DatasourceVariable,
    QueryVariable,
    Row,
    TextBoxVariable,
)
from grafana_foundation_sdk.models.dashboard import (
    Dashboard as DashboardModel,
)
from grafana_foundation_sdk.models.dashboard import (
    DashboardLinkType,
    VariableOption,
    VariableRefresh,
    VariableSort,
)

from monitoring.dashboards.panels import DATASOURCE

TAG = "robustcert"
FLEET, MODEL, OPERATIONS = "robustcert-certification-fleet", "robustcert-model-detail", "robustcert-operations"
STORE = "https://store.example.org/robustcert"

Section = tuple[str, Sequence[Any]]  # title of a row, and the panels under it


def framed(uid: str, title: str, sections: Sequence[Section], *, about: str, of_one_model: bool) -> DashboardModel:
    """The dashboard of these rows of panels; with variables model and version, of one or of all."""
    made = (
        Dashboard(title)
        .uid(uid)
        .description(about)
        .tags([TAG])
        .time("now-24h", "now")
        .refresh("1m")
        .timezone("utc")
        .readonly()
        .link(_siblings())
        .with_variable(DatasourceVariable("datasource").label("Data source").type("prometheus"))
        .with_variable(_labels("model", "label_values(robustcert_certificate_info, model)", all_too=not of_one_model))
        .with_variable(
            _labels("version", 'label_values(robustcert_certificate_info{model=~"$model"}, version)', all_too=True)
        )
        .with_variable(_store())
        .annotation(_firing())
    )
    for name, panels in sections:
        made = made.with_row(Row(name))
        for panel in panels:
            made = made.with_panel(panel)
    return _numbered(made.build())


def _labels(name: str, query: str, *, all_too: bool) -> QueryVariable:
    variable = (
        QueryVariable(name)
        .label(name.capitalize())
        .query(query)
        .datasource(DATASOURCE)
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(VariableSort.ALPHABETICAL_ASC)
        .multi(all_too)
        .include_all(all_too)
    )
    if all_too:
        everything = VariableOption(selected=True, text="All", value="$__all")
        variable = variable.all_value(".*").current(everything)
    return variable


def _store() -> TextBoxVariable:
    about = "Address under which people can read the store, for links to drift reports"
    return TextBoxVariable("store").label("Store").description(about).default_value(STORE)


def _siblings() -> DashboardLink:
    return (
        DashboardLink("Robustcert")
        .type(DashboardLinkType.DASHBOARDS)
        .tags([TAG])
        .keep_time(True)
        .include_vars(True)
        .as_dropdown(False)
    )


def _firing() -> AnnotationQuery:
    return (
        AnnotationQuery()
        .name("Firing alerts")
        .datasource(DATASOURCE)
        .enable(True)
        .icon_color("red")
        .expr('ALERTS{alertname=~"Robustcert.*", alertstate="firing", model=~"$model", version=~"$version"}')
    )


def _numbered(dashboard: DashboardModel) -> DashboardModel:
    for number, panel in enumerate(dashboard.panels or (), start=1):
        panel.id_val = number
    return dashboard
