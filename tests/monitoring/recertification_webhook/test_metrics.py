"""/metrics as prometheus_client's own parser and promtool's rules read it."""

from __future__ import annotations

from collections.abc import Mapping

import httpx
import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from monitoring.recertification_webhook.metrics import ControllerCollector, serve_metrics
from monitoring.recertification_webhook.requests import DURATION_BUCKETS, STATES, Durations, Figures
from tests.monitoring.recertification_webhook.http_server import figures

PREFIX = "robustcert_recertification_"
COUNTS = (2, 0, 1, *(0,) * (len(DURATION_BUCKETS) - 3), 4)
BUSY = figures(
    triggers={("alert", "queued"): 3, ("alert", "refused"): 1},
    requests={"queued": 2, "dead": 1},
    finished={("recertified", "input-drift"): 5},
    durations=Durations(counts=COUNTS, total_seconds=12.5),
    oldest_request_at=1_700_000_000.25,
    last_reconcile_at=1_700_000_100.0,
    backend_errors={"submit": 2},
    dead=(("digits", "0123456789ab"),),
    ineffective=(("digits", "0123456789ab"), ("digits", "0123456789ab")),
)

Samples = Mapping[tuple[str, tuple[tuple[str, str], ...]], float]


def samples(text: str) -> Samples:
    return {
        (one.name.removeprefix(PREFIX), tuple(sorted(one.labels.items()))): one.value
        for family in text_string_to_metric_families(text)
        for one in family.samples
    }


def scraped(found: Figures, skipped: Mapping[tuple[str, str], int] | None = None) -> Samples:
    registry = CollectorRegistry()
    registry.register(ControllerCollector(lambda: found, skipped=lambda: skipped or {}))
    return samples(generate_latest(registry).decode())


def test_the_counts_of_both_sides_are_added() -> None:
    found = scraped(BUSY, {("alert", "refused"): 2, ("grafana", "ignored"): 7})
    triggers = {labels: value for (name, labels), value in found.items() if name == "triggers_total"}
    assert triggers == {
        (("result", "queued"), ("source", "alert")): 3,
        (("result", "refused"), ("source", "alert")): 3,
        (("result", "ignored"), ("source", "grafana")): 7,
    }


def test_every_state_has_a_value() -> None:
    found = scraped(BUSY)
    assert {state: found["requests", (("state", state),)] for state in STATES} == {
        **dict.fromkeys(STATES, 0),
        "queued": 2,
        "dead": 1,
    }


def test_the_histogram_is_cumulative_and_its_last_bucket_counts_all() -> None:
    found = scraped(BUSY)
    buckets = [found["duration_seconds_bucket", (("le", str(bound)),)] for bound in (*DURATION_BUCKETS, "+Inf")]
    assert buckets == [sum(COUNTS[: place + 1]) for place in range(len(COUNTS))]
    assert (found["duration_seconds_count", ()], found["duration_seconds_sum", ()]) == (7, 12.5)


@pytest.mark.parametrize(
    ("name", "labels", "value"),
    [
        ("requests_finished_total", (("outcome", "recertified"), ("reason", "input-drift")), 5),
        ("backend_errors_total", (("operation", "submit"),), 2),
        ("oldest_request_timestamp_seconds", (), 1_700_000_000.25),
        ("last_reconcile_timestamp_seconds", (), 1_700_000_100.0),
        ("dead", (("model", "digits"), ("version", "0123456789ab")), 1),
        ("ineffective", (("model", "digits"), ("version", "0123456789ab")), 1),
    ],
)
def test_a_figure_is_shown(name: str, labels: tuple[tuple[str, str], ...], value: float) -> None:
    assert scraped(BUSY)[name, labels] == value


def test_what_is_not_known_has_no_sample() -> None:
    names = {name for name, _ in scraped(figures())}
    assert names == {"requests", "duration_seconds_bucket", "duration_seconds_count", "duration_seconds_sum"}


def test_it_is_served_on_a_port_of_its_own_with_the_process_and_without_created_series() -> None:
    collector = ControllerCollector(lambda: BUSY, skipped=dict)
    server, thread = serve_metrics(collector, host="127.0.0.1", port=0)
    try:
        text = httpx.get(f"http://127.0.0.1:{server.server_port}/metrics", trust_env=False).text
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
    names = {name for name, _ in samples(text)}
    assert {"process_resident_memory_bytes", "triggers_total", "duration_seconds_count"} <= names
    assert [name for name in names if name.endswith("_created")] == []
