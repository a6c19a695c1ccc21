"""Model detail, continued: the rows of panels about the answers of one model, their drift, and its segments."""

from __future__ import annotations

from grafana_foundation_sdk.builders.bargauge import Panel as BarGaugePanel

from monitoring.dashboards.certification_fleet import OF, WHO
from monitoring.dashboards.frame import Section
from monitoring.dashboards.panels import (
    BLUE,
    GREEN,
    ORANGE,
    RED,
    Query,
    bars_panel,
    lines_panel,
    link,
    runbook_link,
    stacked_panel,
)

# Where the drift records and their reports of a model lie in the store.
REPORTS = link("Drift records in the store", "${store}/drift/${model}/")
SECONDS = f"rate(robustcert_prediction_duration_seconds_bucket{OF}[$__rate_interval])"


def answers() -> Section:
    return "Answers", [
        stacked_panel(
            "Predictions by outcome",
            [
                Query(
                    expr=f"sum by (outcome) (rate(robustcert_predictions_total{OF}[$__rate_interval]))",
                    legend="{{outcome}}",
                )
            ],
            about="Rows a second: predicted, abstained, invalid against the contract, failed.",
            unit="reqps",
            width=8,
        ),
        lines_panel(
            "Abstention",
            [
                *(
                    Query(expr=f"max(robustcert:abstention:ratio_rate{window}{OF})", legend=window)
                    for window in ("5m", "1h", "6h")
                ),
                Query(expr=f"max(robustcert_reference_abstention_ratio{OF})", legend="reference"),
            ],
            about="Share of answers that were abstentions, over three windows, against the certified rows.",
            unit="percentunit",
            width=8,
        ).links([runbook_link("RobustcertAbstentionBurning")]),
        lines_panel(
            "Time to answer",
            [
                Query(
                    expr=f"histogram_quantile({quantile}, sum by (le) ({SECONDS}))",
                    legend=name,
                )
                for quantile, name in ((0.5, "median"), (0.95, "95 %"), (0.99, "99 %"))
            ],
            about="Quantiles of the time to answer one request.",
            unit="s",
            width=8,
        ),
    ]


def drift() -> Section:
    signals = f"robustcert:signal:psi1h{{{WHO}}}"
    return "Drift", [
        lines_panel(
            "PSI of the last hour",
            [
                Query(expr=signals, legend="{{signal}}"),
                Query(expr=f"robustcert:signal:psi_threshold1h{OF}", legend="limit of {{signal}}"),
            ],
            about="Production against the certificate's reference; limits are drawn from 200 predictions an hour on.",
            unit="short",
            width=8,
        ).links([runbook_link("RobustcertInputsDrifted"), runbook_link("RobustcertOutputsDrifted")]),
        lines_panel(
            "Scores of drift reports, times their thresholds",
            [Query(expr=f"robustcert:drift_report:score_over_threshold{OF}", legend="{{signal}}")],
            about="Above 1 a signal drifted. Two reports in a row make an alert.",
            unit="short",
            width=8,
            steps=((None, GREEN), (1, RED)),
        ).links([REPORTS]),
        lines_panel(
            "Payload log",
            [
                Query(expr=f"sum(rate(robustcert_payloads_logged_total{OF}[$__rate_interval]))", legend="logged"),
                Query(
                    expr=f"sum by (reason) (rate(robustcert_payloads_dropped_total{OF}[$__rate_interval]))",
                    legend="dropped: {{reason}}",
                ),
                Query(expr=f"sum(rate(robustcert_payloads_received_total{OF}[$__rate_interval]))", legend="received"),
            ],
            about="Payloads a second that were sampled for the log. What is dropped is missing in drift reports.",
            unit="reqps",
            width=8,
        ).links([runbook_link("RobustcertPayloadsDropped")]),
        *(
            _bins(title, signal)
            for title, signal in (
                ("Margin", "margin"),
                ("Distance to the certified data", "distance"),
                ("Predicted class", "class"),
            )
        ),
    ]


def _bins(title: str, signal: str) -> BarGaugePanel:
    of = f'{{signal="{signal}", {WHO}}}'
    return bars_panel(
        f"{title}: share above the reference",
        [
            Query(
                expr=f"max by (bin) (robustcert:bin:ratio1h{of}) / max by (bin) (robustcert:bin:reference_ratio{of})",
                legend="{{bin}}",
            )
        ],
        about="Each bin's share of the last hour over its share of the reference: 1 where nothing changed.",
        unit="short",
        width=8,
        steps=((None, BLUE), (0.8, GREEN), (1.25, ORANGE)),
    )


def segments() -> Section:
    return "Segments", [
        lines_panel(
            "Abstention by segment",
            [Query(expr=f"robustcert:segment_abstention:ratio_rate1h{OF}", legend="{{segment}}")],
            about="Of the last hour; at most 20 segments, then `other`.",
            unit="percentunit",
            width=8,
        ),
        lines_panel(
            "Invalid or failed by segment",
            [Query(expr=f"robustcert:segment_invalid:ratio_rate1h{OF}", legend="{{segment}}")],
            about="Share of the last hour's rows that broke the contract or failed.",
            unit="percentunit",
            width=8,
        ),
        lines_panel(
            "Predictions by segment",
            [Query(expr=f"robustcert:segment_predictions:rate1h{OF}", legend="{{segment}}")],
            about="Rows a second over the last hour.",
            unit="reqps",
            width=8,
        ),
    ]
