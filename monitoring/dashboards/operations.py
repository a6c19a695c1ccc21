"""Drift and recertification operations: what drifts, what the controller does about it, how old what we see is."""

from __future__ import annotations

from grafana_foundation_sdk.models.dashboard import Dashboard

from monitoring.dashboards.certification_fleet import DAY, TO_MODEL
from monitoring.dashboards.frame import OPERATIONS, Section, framed
from monitoring.dashboards.panels import (
    BAD_ABOVE_ZERO,
    GREEN,
    ORANGE,
    RED,
    Column,
    Query,
    lines_panel,
    runbook_link,
    stacked_panel,
    stat_panel,
    table_panel,
)

WHO = 'model=~"$model", version=~"$version"'
OF = f"{{{WHO}}}"
CONTROLLER = "robustcert_recertification"
EXPORTER = "robustcert_exporter"
REPORT = ("Drift records in the store", "${store}/drift/${__data.fields.Model}/")


def dashboard() -> Dashboard:
    """The dashboard."""
    about = "Who drifts, which recertifications are asked for, running, done or given up, and how old what we see is."
    sections = [_glance(), _drift(), _requests(), _people(), _exporter()]
    return framed(
        OPERATIONS, "Robustcert / Drift and recertification operations", sections, about=about, of_one_model=False
    )


def _glance() -> Section:
    old = ((None, GREEN), (60.0, ORANGE), (300.0, RED))
    return "At a glance", [
        stat_panel(
            "Queued", _requests_in("queued"), about="Requests that wait: for a slot, a cool-down or the next attempt."
        ),
        stat_panel(
            "Running", _requests_in("submitting|running"), about="Requests whose run is being submitted or runs."
        ),
        stat_panel(
            "Given up",
            f"count({CONTROLLER}_dead == 1) or vector(0)",
            about="Dead letters: a person decides.",
            steps=BAD_ABOVE_ZERO,
        ).links([runbook_link("RobustcertRecertificationDead")]),
        stat_panel(
            "Ineffective",
            f"count({CONTROLLER}_ineffective == 1) or vector(0)",
            about="Recertified, and the alert that asked for it still fires.",
            steps=BAD_ABOVE_ZERO,
        ).links([runbook_link("RobustcertRecertificationIneffective")]),
        stat_panel(
            "Oldest open request",
            f"(time() - (min({CONTROLLER}_oldest_request_timestamp_seconds) > 0)) or vector(0)",
            about="Age of the oldest request that has not ended; 0 where none is open.",
            unit="dtdurations",
            steps=((None, GREEN), (DAY, ORANGE), (2 * DAY, RED)),
        ).links([runbook_link("RobustcertRecertificationFailing")]),
        stat_panel(
            "Controller's last pass",
            f"time() - max({CONTROLLER}_last_reconcile_timestamp_seconds)",
            about="How long ago the controller's loop last went round.",
            unit="dtdurations",
            steps=old,
        ).links([runbook_link("RobustcertControllerDown")]),
        stat_panel(
            "Exporter's last scan",
            f"time() - max({EXPORTER}_last_success_timestamp_seconds)",
            about="How long ago the exporter last read the whole store.",
            unit="dtdurations",
            steps=((None, GREEN), (300.0, ORANGE), (600.0, RED)),
        ).links([runbook_link("RobustcertExporterStale")]),
        stat_panel(
            "Stale drift reports",
            f"count(time() - max by (model, version) (robustcert_drift_report_timestamp_seconds{OF}) > 2 * 86400)"
            " or vector(0)",
            about="Model versions whose newest drift report is more than two days old.",
            steps=BAD_ABOVE_ZERO,
        ).links([runbook_link("RobustcertDriftReportStale")]),
    ]


def _drift() -> Section:
    by = "by (model, version)"
    limit = ((None, GREEN), (1.0, RED))
    columns = {
        "label:model": Column(title="Model", link=TO_MODEL),
        "label:version": Column(title="Version", link=REPORT),
        f'max {by} (robustcert:signal:psi_over_threshold{{signal="distance", {WHO}}})': Column(
            title="Inputs, traffic", unit="short", steps=limit
        ),
        f'max {by} (robustcert:signal:psi_over_threshold{{signal=~"margin|class", {WHO}}})': Column(
            title="Outputs, traffic", unit="short", steps=limit
        ),
        f"max {by} (robustcert:drift_report:score_over_threshold{OF})": Column(
            title="Worst signal, report", unit="short", steps=limit
        ),
        f"max {by} (robustcert_drift_features_ratio{OF})": Column(title="Features drifted", unit="percentunit"),
        f"min {by} (robustcert_window_quality_ratio{OF})": Column(
            title="Rows without defect", unit="percentunit", steps=((None, RED), (0.9, GREEN))
        ),
        f"max {by} (robustcert_label_coverage_ratio{OF})": Column(title="Labelled", unit="percentunit"),
        f"max {by} (robustcert_drift_report_rows{OF})": Column(title="Rows", unit="short"),
        f"time() - max {by} (robustcert_drift_report_timestamp_seconds{OF})": Column(
            title="Report's age", unit="dtdurations"
        ),
        f"time() - max {by} (robustcert_window_end_timestamp_seconds{OF})": Column(
            title="Data's age", unit="dtdurations"
        ),
    }
    about = "Scores over their thresholds: above 1 a signal drifted. A click on a version opens its drift records."
    return "Drift", [
        table_panel("Drift of each model version", columns, about=about, height=9).links(
            [runbook_link("RobustcertInputsDrifted")]
        ),
        lines_panel(
            "Traffic: PSI times its threshold",
            [
                Query(
                    expr=f"topk(10, robustcert:signal:psi_over_threshold{OF})",
                    legend="{{model}} {{version}} {{signal}}",
                )
            ],
            about="The ten worst. Of the last hour, unless the last five minutes are clean.",
            unit="short",
            steps=limit,
        ).links([runbook_link("RobustcertInputsDrifted"), runbook_link("RobustcertOutputsDrifted")]),
        lines_panel(
            "Abstention: burn rate of the last hour",
            [Query(expr=f"topk(10, robustcert:abstention:burn_rate1h{OF})", legend="{{model}} {{version}}")],
            about="The ten worst; at 1 the objective is just kept, at 14.4 the alert fires.",
            unit="short",
            steps=((None, GREEN), (14.4, RED)),
        ).links([runbook_link("RobustcertAbstentionBurning")]),
    ]


def _requests() -> Section:
    quantiles = [
        Query(
            expr=f"histogram_quantile({quantile}, sum by (le) (increase({CONTROLLER}_duration_seconds_bucket[1d])))",
            legend=name,
        )
        for quantile, name in ((0.5, "median"), (0.9, "90 %"))
    ]
    return "Recertification", [
        stacked_panel(
            "Triggers by what became of them",
            [
                Query(
                    expr=f"sum by (source, result) (increase({CONTROLLER}_triggers_total[$__rate_interval]))",
                    legend="{{source}}: {{result}}",
                )
            ],
            about="Queued: a new request; merged: into an open one; duplicate: known; ignored: not for us.",
            unit="short",
            width=8,
        ),
        stacked_panel(
            "Requests by state",
            [Query(expr=f"sum by (state) ({CONTROLLER}_requests)", legend="{{state}}")],
            about="All requests that the controller knows.",
            unit="short",
            width=8,
        ),
        stacked_panel(
            "Requests that ended, a day",
            [
                Query(
                    expr=f"sum by (outcome, reason) (increase({CONTROLLER}_requests_finished_total[1d]))",
                    legend="{{outcome}}: {{reason}}",
                )
            ],
            about="How they ended, and why they had been made.",
            unit="short",
            width=8,
        ),
        lines_panel(
            "Duration of a request", quantiles, about="From its making to its success, over a day.", unit="s", width=8
        ),
        lines_panel(
            "Failed calls of the backend",
            [
                Query(
                    expr=f"sum by (operation) (increase({CONTROLLER}_backend_errors_total[15m]))",
                    legend="{{operation}}",
                )
            ],
            about="Within 15 minutes; more than 2 make an alert.",
            unit="short",
            width=8,
            steps=((None, GREEN), (2, RED)),
        ).links([runbook_link("RobustcertRecertificationFailing")]),
        lines_panel(
            "Age of the controller's last pass",
            [Query(expr=f"time() - {CONTROLLER}_last_reconcile_timestamp_seconds", legend="{{instance}}")],
            about="A loop that hangs grows here.",
            unit="s",
            width=8,
            steps=((None, GREEN), (300, RED)),
        ).links([runbook_link("RobustcertControllerDown")]),
    ]


def _people() -> Section:
    columns = {
        "label:model": Column(title="Model", link=TO_MODEL),
        "label:version": Column(title="Version", link=REPORT),
        f"max by (model, version) ({CONTROLLER}_dead{OF})": Column(title="Given up", texts={"1": ("given up", RED)}),
        f"max by (model, version) ({CONTROLLER}_ineffective{OF})": Column(
            title="Ineffective", texts={"1": ("still firing", RED)}
        ),
        f"max by (model, version) (robustcert_result_shifted{OF} == 1)": Column(
            title="Results", texts={"1": ("shifted", ORANGE)}
        ),
    }
    about = "Model versions that wait for a person: `robustcert requests list`, then the runbook."
    return "For a person", [
        table_panel("Waiting for a person", columns, about=about, height=7).links(
            [
                runbook_link("RobustcertRecertificationDead"),
                runbook_link("RobustcertRecertificationIneffective"),
                runbook_link("RobustcertResultShifted"),
            ]
        )
    ]


def _exporter() -> Section:
    return "Exporter", [
        lines_panel(
            "Documents in the store",
            [Query(expr=f"max by (kind) ({EXPORTER}_objects)", legend="{{kind}}")],
            about="What a scan found, by kind.",
            unit="short",
            width=6,
        ),
        lines_panel(
            "Refused objects",
            [
                Query(
                    expr=f"sum by (kind, reason) (increase({EXPORTER}_invalid_objects_total[15m])) > 0 or vector(0)",
                    legend="{{kind}}: {{reason}}",
                )
            ],
            about="Not signed by a trusted key, damaged, or of a wrong form; counted again by each scan.",
            unit="short",
            width=6,
        ).links([runbook_link("RobustcertInvalidObjects")]),
        lines_panel(
            "Duration of a scan",
            [Query(expr=f"{EXPORTER}_scan_duration_seconds", legend="{{instance}}")],
            about="Of the last scan that succeeded.",
            unit="s",
            width=6,
        ),
        lines_panel(
            "Watches and dropped series",
            [
                Query(expr=f"{EXPORTER}_watch_connected", legend="watch of {{kind}}"),
                Query(expr=f"sum(increase({EXPORTER}_series_dropped_total[15m]))", legend="series dropped"),
            ],
            about="1 while what is deployed is known; series that a limit or a bad label kept out.",
            unit="short",
            width=6,
        ).links([runbook_link("RobustcertExporterStale")]),
    ]


def _requests_in(states: str) -> str:
    return f'sum({CONTROLLER}_requests{{state=~"{states}"}})'
