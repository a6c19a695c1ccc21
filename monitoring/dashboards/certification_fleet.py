"""Certification fleet: which models are certified, ending, withdrawn, missing or drifting, in one glance."""

from __future__ import annotations

from grafana_foundation_sdk.builders.stat import Panel as StatPanel
from grafana_foundation_sdk.models.dashboard import Dashboard

from monitoring.dashboards.frame import FLEET, MODEL, Section, framed
from monitoring.dashboards.panels import (
    BAD_ABOVE_ZERO,
    BLUE,
    GREEN,
    ORANGE,
    RED,
    RUNBOOKS,
    YELLOW,
    Column,
    Query,
    Steps,
    bars_panel,
    runbook_link,
    stat_panel,
    states_panel,
    table_panel,
)

WHO = 'model=~"$model", version=~"$version"'
OF = f"{{{WHO}}}"
STATUSES = {
    "1": ("active", GREEN),
    "2": ("suspended", ORANGE),
    "3": ("expired", RED),
    "4": ("revoked", "purple"),
}
STATUS_NAMES = {name: (name, colour) for name, colour in STATUSES.values()}
VERDICTS = {
    "clean": ("clean", GREEN),
    "drifted": ("drifted", ORANGE),
    "gross": ("gross", RED),
    "undecided": ("undecided", YELLOW),
}
DAY = 86_400
TO_MODEL = ("Model detail", f"/d/{MODEL}?var-model=${{__data.fields.Model}}&var-version=${{__data.fields.Version}}")


def dashboard() -> Dashboard:
    """The dashboard."""
    about = (
        "All certified and deployed model versions: what is claimed of them, for how long, and what speaks against it."
    )
    sections = [_glance(), _models(), _over_time(), _alerts()]
    return framed(FLEET, "Robustcert / Certification fleet", sections, about=about, of_one_model=False)


def _glance() -> Section:
    return "At a glance", [
        _count("Active", _status("active"), "Model versions whose certificate is in force.", steps=((None, GREEN),)),
        _count(
            "Ending soon",
            f"(robustcert:certificate:seconds_left{OF}"
            f" < clamp_max(robustcert:certificate:validity_seconds{OF} / 3, 14 * 86400)) > 0",
            "Certificates that end within 14 days, or in the last third of their validity where that is shorter.",
            steps=((None, GREEN), (1, ORANGE)),
            runbook="RobustcertCertificateExpiring",
        ),
        _count("Expired", _status("expired"), "Certificates that have ended.", runbook="RobustcertCertificateExpired"),
        _count(
            "Suspended",
            _status("suspended"),
            "Certificates that are suspended.",
            runbook="RobustcertCertificateSuspended",
        ),
        _count(
            "Revoked", _status("revoked"), "Certificates withdrawn for good.", runbook="RobustcertCertificateRevoked"
        ),
        _count(
            "Without a certificate",
            f"max by (model, version) (robustcert_deployed{OF}) unless on (model, version) robustcert_certificate_info",
            "Deployed model versions that nothing in the store certifies.",
            runbook="RobustcertCertificateMissing",
        ),
        _count(
            "Drifting",
            f'max by (model, version) (robustcert_drift_verdict{{verdict=~"drifted|gross", {WHO}}} == 1)'
            f" or max by (model, version) (robustcert:signal:psi_over_threshold{OF} > 1)",
            "Model versions whose newest drift report, or whose last hour of traffic, drifted.",
            steps=((None, GREEN), (1, ORANGE)),
            runbook="RobustcertInputsDrifted",
        ),
        _count(
            "Asking for action",
            f'ALERTS{{alertstate="firing", action=~"recertify|suspend", {WHO}}}',
            "Firing alerts that the recertification controller acts on.",
            steps=((None, GREEN), (1, ORANGE)),
        ),
    ]


def _models() -> Section:
    by = "by (model, version)"
    columns = {
        "label:model": Column(title="Model", link=TO_MODEL),
        "label:version": Column(title="Version"),
        "label:status": Column(title="Status", texts=STATUS_NAMES),
        f"max {by} (robustcert_certificate_expiry_timestamp_seconds{OF}) - time()": Column(
            title="Ends in", unit="dtdurations", steps=((None, RED), (3 * DAY, ORANGE), (14 * DAY, GREEN))
        ),
        f"max by (model, version, status) (robustcert_certificate_status{OF} == 1)": Column(title="In force"),
        f'max {by} (robustcert_empirical_accuracy_ratio{{attack="none", {WHO}}})': Column(
            title="Clean accuracy", unit="percentunit"
        ),
        f"min {by} (robustcert_certified_accuracy_lower_bound_ratio{OF})": Column(
            title="Certified at the largest radius, at least", unit="percentunit"
        ),
        "label:verdict": Column(title="Drift", texts=VERDICTS),
        f"max by (model, version, verdict) (robustcert_drift_verdict{OF} == 1)": Column(title="Reported"),
        f"time() - max {by} (robustcert_drift_report_timestamp_seconds{OF})": Column(
            title="Drift report's age", unit="dtdurations", steps=((None, GREEN), (2 * DAY, ORANGE))
        ),
        f"count {by} (robustcert_deployed{OF})": Column(title="Workloads", unit="short"),
    }
    about = "One row a model version. A click on a model opens its details."
    hidden = ["Value #B", "Value #E"]
    return "Models", [table_panel("Model versions", columns, about=about, height=11, hidden=hidden)]


def _over_time() -> Section:
    left = f"bottomk(20, max by (model, version) (robustcert_certificate_expiry_timestamp_seconds{OF}) - time() > 0)"
    return "Over time", [
        states_panel(
            "Status of each certificate in force",
            Query(expr=_encoded_status(), legend="{{model}} {{version}}"),
            about="Green: active; orange: suspended; red: expired; purple: revoked.",
            texts=STATUSES,
            width=16,
            height=10,
        ),
        bars_panel(
            "Certificates that end next",
            [Query(expr=left, legend="{{model}} {{version}}")],
            about="The twenty that end first, and in what time.",
            unit="dtdurations",
            width=8,
            height=10,
            steps=((None, RED), (3 * DAY, ORANGE), (14 * DAY, BLUE)),
        ).links([runbook_link("RobustcertCertificateExpiring")]),
    ]


def _alerts() -> Section:
    expr = (
        "max by (alertname, severity, action, reason, model, version) "
        '(ALERTS{alertname=~"Robustcert.*", alertstate="firing", model=~"$model|", version=~"$version|"})'
    )
    columns = {
        "label:severity": Column(
            title="Severity",
            texts={"critical": ("critical", RED), "warning": ("warning", ORANGE), "info": ("info", BLUE)},
        ),
        "label:alertname": Column(title="Alert", link=("Runbook", f"{RUNBOOKS}/${{__value.text}}.md")),
        "label:model": Column(title="Model", link=TO_MODEL),
        "label:version": Column(title="Version"),
        "label:action": Column(title="Action"),
        "label:reason": Column(title="Reason"),
        expr: Column(title="Firing"),
    }
    about = (
        "What fires now, of these models and of the programs that watch them. A click on an alert opens its runbook."
    )
    return "Alerts", [table_panel("Firing alerts", columns, about=about, height=9, hidden=["Value"])]


def _count(title: str, expr: str, about: str, *, steps: Steps = BAD_ABOVE_ZERO, runbook: str = "") -> StatPanel:
    panel = stat_panel(title, f"count({expr}) or vector(0)", about=about, steps=steps)
    return panel.links([runbook_link(runbook)]) if runbook else panel


def _status(name: str) -> str:
    return f'max by (model, version) (robustcert_certificate_status{{status="{name}", {WHO}}}) == 1'


def _encoded_status() -> str:
    """Number of the status in STATUSES, one series a model version."""
    parts = [
        f'{number} * max by (model, version) (robustcert_certificate_status{{status="{name}", {WHO}}})'
        for number, (name, _) in STATUSES.items()
    ]
    return " + ".join(parts)
