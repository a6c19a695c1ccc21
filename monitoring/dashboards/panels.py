"""What the dashboards are built of: one function for each kind of panel, in the words of Grafana 11's schema.

Every panel has a title, a sentence that says what is read from it, a unit and at least one query. A panel is `width` of
24 columns wide and `height` rows of 30 pixels high.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from grafana_foundation_sdk.builders import bargauge, common, prometheus, stat, statetimeline, table, timeseries
from grafana_foundation_sdk.builders.dashboard import DashboardLink, FieldColor, ThresholdsConfig
from grafana_foundation_sdk.models import common as common_models
from grafana_foundation_sdk.models.dashboard import (
    DashboardLinkType,
    DataSourceRef,
    DataTransformerConfig,
    DynamicConfigValue,
    FieldColorModeId,
    Threshold,
    ThresholdsMode,
    ValueMap,
    ValueMappingResult,
)
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

DATASOURCE = DataSourceRef(type_val="prometheus", uid="${datasource}")
RUNBOOKS = "https://github.com/robustcert/robustcert/blob/main/monitoring/runbooks"

GREEN, YELLOW, ORANGE, RED, BLUE, GREY = "green", "yellow", "orange", "red", "blue", "text"

Steps = Sequence[tuple[float | None, str]]  # from which value on which colour; the first value is None
NO_STEPS: Steps = ((None, GREY),)
BAD_ABOVE_ZERO: Steps = ((None, GREEN), (1, RED))


@dataclass(frozen=True, kw_only=True)
class Query:
    """A PromQL expression and the legend of its series."""

    expr: str
    legend: str = ""


@dataclass(frozen=True, kw_only=True)
class Column:
    """A column of a table: its title and how its values are shown."""

    title: str
    unit: str = ""
    steps: Steps = ()
    texts: Mapping[str, tuple[str, str]] | None = None  # value -> text and colour
    link: tuple[str, str] | None = None  # title and address


def stat_panel(
    title: str, expr: str, *, about: str, unit: str = "short", steps: Steps = NO_STEPS, width: int = 3, height: int = 4
) -> stat.Panel:
    """One number, coloured by its steps."""
    return (
        stat.Panel()
        .title(title)
        .description(about)
        .datasource(DATASOURCE)
        .unit(unit)
        .span(width)
        .height(height)
        .thresholds(_thresholds(steps))
        .color_mode(common_models.BigValueColorMode.BACKGROUND)
        .graph_mode(common_models.BigValueGraphMode.NONE)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        .with_target(_query(Query(expr=expr), "A").instant())
    )


def state_panel(
    title: str, expr: str, *, about: str, texts: Mapping[str, tuple[str, str]], width: int = 3, height: int = 4
) -> stat.Panel:
    """One state, as its text and colour."""
    return stat_panel(title, expr, about=about, width=width, height=height).mappings([_texts(texts)])


def lines_panel(
    title: str, queries: Sequence[Query], *, about: str, unit: str, width: int = 12, height: int = 8, steps: Steps = ()
) -> timeseries.Panel:
    """Lines over time; `steps` draw limits."""
    panel = (
        timeseries.Panel()
        .title(title)
        .description(about)
        .datasource(DATASOURCE)
        .unit(unit)
        .span(width)
        .height(height)
        .line_width(1)
        .fill_opacity(5)
        .show_points(common_models.VisibilityMode.NEVER)
        .legend(_legend())
        .tooltip(common.VizTooltipOptions().mode(common_models.TooltipDisplayMode.MULTI))
        .targets([_query(query, chr(ord("A") + number)).range() for number, query in enumerate(queries)])
    )
    if steps:
        dashed = common.GraphThresholdsStyleConfig().mode(common_models.GraphThresholdsStyleMode.DASHED)
        panel = panel.thresholds(_thresholds(steps)).thresholds_style(dashed)
    return panel


def stacked_panel(
    title: str, queries: Sequence[Query], *, about: str, unit: str, width: int = 12, height: int = 8
) -> timeseries.Panel:
    """Areas on top of each other, which add up to a whole."""
    stacking = common.StackingConfig().mode(common_models.StackingMode.NORMAL).group("A")
    return lines_panel(title, queries, about=about, unit=unit, width=width, height=height).stacking(stacking)


def bars_panel(
    title: str,
    queries: Sequence[Query],
    *,
    about: str,
    unit: str,
    width: int = 12,
    height: int = 8,
    steps: Steps = NO_STEPS,
) -> bargauge.Panel:
    """A bar for each series, as it is now."""
    return (
        bargauge.Panel()
        .title(title)
        .description(about)
        .datasource(DATASOURCE)
        .unit(unit)
        .min(0)
        .span(width)
        .height(height)
        .thresholds(_thresholds(steps))
        .orientation(common_models.VizOrientation.HORIZONTAL)
        .display_mode(common_models.BarGaugeDisplayMode.BASIC)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        .targets([_query(query, chr(ord("A") + number)).instant() for number, query in enumerate(queries)])
    )


def states_panel(
    title: str, query: Query, *, about: str, texts: Mapping[str, tuple[str, str]], width: int = 24, height: int = 8
) -> statetimeline.Panel:
    """A band for each series, coloured by its state over time."""
    return (
        statetimeline.Panel()
        .title(title)
        .description(about)
        .datasource(DATASOURCE)
        .span(width)
        .height(height)
        .color_scheme(FieldColor().mode(FieldColorModeId.FIXED).fixed_color(GREY))
        .mappings([_texts(texts)])
        .merge_values(True)
        .row_height(0.8)
        .show_value(common_models.VisibilityMode.NEVER)
        .with_target(_query(query, "A").range())
    )


def table_panel(
    title: str,
    columns: Mapping[str, Column],
    *,
    about: str,
    width: int = 24,
    height: int = 10,
    hidden: Sequence[str] = (),
) -> table.Panel:
    """A row for each set of labels; `columns` maps an expression to its values' column, or "label:x" to a label's.

    Labels named in `hidden` are left out.
    """
    queries = [expr for expr in columns if not expr.startswith("label:")]
    refs = {expr: chr(ord("A") + number) for number, expr in enumerate(queries)}
    panel = (
        table.Panel()
        .title(title)
        .description(about)
        .datasource(DATASOURCE)
        .span(width)
        .height(height)
        .filterable(True)
        .targets([_query(Query(expr=expr), ref).instant().format(PromQueryFormat.TABLE) for expr, ref in refs.items()])
        .transformations(_one_table(columns, refs, hidden))
    )
    for column in columns.values():
        panel = panel.override_by_name(column.title, _properties(column))
    return panel


def runbook_link(alert: str) -> DashboardLink:
    """From a panel to the page about the alert that it explains."""
    return link(f"Runbook: {alert}", f"{RUNBOOKS}/{alert}.md")


def link(title: str, url: str) -> DashboardLink:
    """A link that opens in a new tab."""
    return DashboardLink(title).type(DashboardLinkType.LINK).url(url).target_blank(True)


def _query(query: Query, ref_id: str) -> prometheus.Dataquery:
    return prometheus.Dataquery().expr(query.expr).legend_format(query.legend).ref_id(ref_id).datasource(DATASOURCE)


def _thresholds(steps: Steps) -> ThresholdsConfig:
    found = [Threshold(value=value, color=colour) for value, colour in steps]
    return ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(found)


def _texts(texts: Mapping[str, tuple[str, str]]) -> ValueMap:
    options = {
        value: ValueMappingResult(text=text, color=colour, index=number)
        for number, (value, (text, colour)) in enumerate(texts.items())
    }
    return ValueMap(options=options)


def _legend() -> common.VizLegendOptions:
    return (
        common.VizLegendOptions()
        .display_mode(common_models.LegendDisplayMode.LIST)
        .placement(common_models.LegendPlacement.BOTTOM)
        .show_legend(True)
    )


def _one_table(
    columns: Mapping[str, Column], refs: Mapping[str, str], hidden: Sequence[str]
) -> list[DataTransformerConfig]:
    """Joins the queries by their labels and names the columns in their order."""
    value = "Value" if len(refs) == 1 else "Value #{}"
    names = {
        expr: expr.removeprefix("label:") if expr.startswith("label:") else value.format(refs[expr]) for expr in columns
    }
    organised = {
        "excludeByName": dict.fromkeys(["Time", *hidden], True),
        "indexByName": {name: number for number, name in enumerate(names.values())},
        "renameByName": {names[expr]: column.title for expr, column in columns.items()},
    }
    return [
        DataTransformerConfig(id_val="merge", options={}),
        DataTransformerConfig(id_val="organize", options=organised),
    ]


def _properties(column: Column) -> list[DynamicConfigValue]:
    found: list[tuple[str, Any]] = []
    if column.unit:
        found.append(("unit", column.unit))
    if column.steps or column.texts:
        found.append(("custom.cellOptions", {"type": "color-text"}))
    if column.steps:
        found.append(("thresholds", _thresholds(column.steps).build()))
    if column.texts:
        found.append(("mappings", [_texts(column.texts)]))
    if column.link:
        title, url = column.link
        found.append(("links", [{"title": title, "url": url, "targetBlank": True}]))
    return [DynamicConfigValue(id_val=name, value=value) for name, value in found]
