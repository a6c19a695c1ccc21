"""Model detail: everything that is claimed of one model, and what production says about it."""

from __future__ import annotations

from grafana_foundation_sdk.models.dashboard import Dashboard

from monitoring.dashboards.certification_fleet import DAY, OF, STATUSES, VERDICTS, WHO
from monitoring.dashboards.frame import MODEL, Section, framed
from monitoring.dashboards.model_traffic import REPORTS, answers, drift, segments
from monitoring.dashboards.panels import (
    GREEN,
    ORANGE,
    RED,
    Column,
    Query,
    bars_panel,
    lines_panel,
    runbook_link,
    stat_panel,
    state_panel,
    table_panel,
)


def dashboard() -> Dashboard:
    """The dashboard."""
    about = (
        "One model: its certificate in force, its accuracy, its answers, and how far they are from the certified data."
    )
    sections = [_certificate(), _claims(), _accuracy(), answers(), drift(), segments()]
    return framed(MODEL, "Robustcert / Model detail", sections, about=about, of_one_model=True)


def _certificate() -> Section:
    verdict = " + ".join(
        f'{number} * max(robustcert_drift_verdict{{verdict="{name}", {WHO}}})'
        for number, name in enumerate(VERDICTS, start=1)
    )
    status = " + ".join(
        f'{number} * max(robustcert_certificate_status{{status="{name}", {WHO}}})'
        for number, (name, _) in STATUSES.items()
    )
    lower = ((None, RED), (0.5, ORANGE), (0.8, GREEN))
    return "Certificate in force", [
        state_panel("Status", status, about="Status of the certificate in force.", texts=STATUSES),
        stat_panel(
            "Ends in",
            f"max(robustcert_certificate_expiry_timestamp_seconds{OF}) - time()",
            about="Until the certificate in force ends.",
            unit="dtdurations",
            steps=((None, RED), (3 * DAY, ORANGE), (14 * DAY, GREEN)),
        ).links([runbook_link("RobustcertCertificateExpiring")]),
        stat_panel(
            "Clean accuracy",
            f'max(robustcert_empirical_accuracy_ratio{{attack="none", {WHO}}})',
            about="On the certified test data.",
            unit="percentunit",
        ),
        stat_panel(
            "Certified at radius 0, at least",
            f"max(robustcert:clean_accuracy:lower_bound_ratio{OF})",
            about="What the certificate vouches for without an attack; realised accuracy is held against it.",
            unit="percentunit",
        ),
        state_panel(
            "Drift verdict",
            verdict,
            about="Verdict of the newest drift report about the certificate in force.",
            texts={str(number): shown for number, shown in enumerate(VERDICTS.values(), start=1)},
        ).links([REPORTS, runbook_link("RobustcertInputsDrifted")]),
        stat_panel(
            "Realised accuracy",
            f"max(robustcert_realised_accuracy_ratio{OF})",
            about="On the labelled rows of the newest window.",
            unit="percentunit",
            steps=lower,
        ).links([runbook_link("RobustcertAccuracyLow")]),
        stat_panel(
            "Abstention, last hour",
            f"max(robustcert:abstention:ratio_rate1h{OF})",
            about="Share of answers that were abstentions.",
            unit="percentunit",
        ).links([runbook_link("RobustcertAbstentionBurning")]),
        stat_panel(
            "Predictions",
            f"sum(rate(robustcert_predictions_total{OF}[$__rate_interval]))",
            about="A second, whatever became of them.",
            unit="reqps",
        ),
    ]


def _claims() -> Section:
    columns = {
        "label:certificate_id": Column(title="Certificate"),
        "label:method": Column(title="Method"),
        "label:run_id": Column(title="Run"),
        f"max by (certificate_id, method, run_id) (robustcert_certificate_info{OF})": Column(title="In force"),
    }
    return "What is claimed", [
        bars_panel(
            "Certified accuracy, at least, by radius",
            [
                Query(
                    expr=f"max by (norm, radius) (robustcert_certified_accuracy_lower_bound_ratio{OF})",
                    legend="{{norm}} {{radius}}",
                )
            ],
            about="Lower ends of the intervals: proved for the smoothed model, on the certified test data.",
            unit="percentunit",
            width=6,
        ),
        bars_panel(
            "Accuracy under attack, at most, by threat",
            [Query(expr=f"max by (attack) (robustcert_empirical_accuracy_ratio{OF})", legend="{{attack}}")],
            about="No stronger attack was found; one may exist. `none` is the clean accuracy.",
            unit="percentunit",
            width=6,
        ),
        lines_panel(
            "Certified accuracy from certificate to certificate",
            [
                Query(
                    expr=f"max by (norm, radius) (robustcert_certified_accuracy_ratio{OF})",
                    legend="{{norm}} {{radius}}",
                )
            ],
            about="Estimates. A step is a new certificate; beyond its interval it raises an alert.",
            unit="percentunit",
            width=6,
        ).links([runbook_link("RobustcertResultShifted")]),
        table_panel(
            "Certificate",
            columns,
            about="Which document it is, and which run made it.",
            width=6,
            height=8,
            hidden=["Value"],
        ),
    ]


def _accuracy() -> Section:
    return "Accuracy in production", [
        lines_panel(
            "Accuracy",
            [
                Query(expr=f"max(robustcert_realised_accuracy_ratio{OF})", legend="realised"),
                Query(expr=f"max(robustcert_realised_accuracy_lower_bound_ratio{OF})", legend="realised, lower bound"),
                Query(expr=f"max(robustcert_realised_accuracy_upper_bound_ratio{OF})", legend="realised, upper bound"),
                Query(expr=f"max(robustcert:clean_accuracy:lower_bound_ratio{OF})", legend="vouched for"),
                Query(
                    expr=f"max(robustcert_estimated_accuracy_ratio{OF} and robustcert_estimated_accuracy_valid == 1)",
                    legend="estimated without labels",
                ),
            ],
            about="An alert fires where the upper bound falls below what the certificate vouches for. An estimate shows"
            " only while it may count, and it is blind to a changed meaning of the labels.",
            unit="percentunit",
        ).links([runbook_link("RobustcertAccuracyLow"), REPORTS]),
        lines_panel(
            "Label coverage",
            [Query(expr=f"max(robustcert_label_coverage_ratio{OF})", legend="coverage")],
            about="Share of the newest window's rows whose label came. Below 5 % accuracy is not judged.",
            unit="percentunit",
            width=6,
            steps=((None, RED), (0.05, GREEN)),
        ).links([runbook_link("RobustcertLabelCoverageLow")]),
        lines_panel(
            "Label delay",
            [Query(expr=f"max(robustcert_label_delay_seconds{OF})", legend="median")],
            about="Median time between an answer and its label.",
            unit="s",
            width=6,
        ),
    ]
