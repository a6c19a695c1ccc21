"""What /metrics shows, on a port of its own: the controller's figures at the moment of the scrape.

Labels come from closed lists or from patterns; no run ids, no texts. Counters begin at 0 when the process starts where
the controller does not keep them; series named *_created are not made.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from itertools import accumulate
from wsgiref.simple_server import WSGIServer

from prometheus_client import CollectorRegistry, ProcessCollector, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from monitoring.recertification_webhook.requests import DURATION_BUCKETS, STATES, Durations, Figures

PREFIX = "robustcert_recertification_"


class ControllerCollector(Collector):
    """Turns figures into metrics; `skipped` are triggers that the HTTP side did not pass on, by source and result."""

    def __init__(self, figures: Callable[[], Figures], *, skipped: Callable[[], Mapping[tuple[str, str], int]]) -> None:
        self._figures = figures
        self._skipped = skipped

    def collect(self) -> Iterator[Metric]:
        """Every metric."""
        figures = self._figures()
        yield from _counters(figures, _sum(figures.triggers, self._skipped()))
        yield from _gauges(figures)
        yield _histogram(figures.durations)

    def describe(self) -> list[Metric]:
        """Nothing: the registry does not ask for figures before the controller has started."""
        return []


def serve_metrics(collector: ControllerCollector, *, host: str, port: int) -> tuple[WSGIServer, threading.Thread]:
    """Serves /metrics in a thread; stop it by `shutdown` of the server. OSError where the port is taken."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(collector)
    ProcessCollector(registry=registry)
    return start_http_server(port, addr=host, registry=registry)


def _counters(figures: Figures, triggers: Mapping[tuple[str, str], int]) -> Iterator[Metric]:
    family = CounterMetricFamily(
        PREFIX + "triggers", "Triggers by source and what was done with them.", labels=("source", "result")
    )
    for labels, value in sorted(triggers.items()):
        family.add_metric(labels, value)
    yield family
    family = CounterMetricFamily(
        PREFIX + "requests_finished", "Requests that ended, and why they had been made.", labels=("outcome", "reason")
    )
    for labels, value in sorted(figures.finished.items()):
        family.add_metric(labels, value)
    yield family
    family = CounterMetricFamily(PREFIX + "backend_errors", "Failed calls of the backend.", labels=("operation",))
    for operation, value in sorted(figures.backend_errors.items()):
        family.add_metric((operation,), value)
    yield family


def _gauges(figures: Figures) -> Iterator[Metric]:
    family = GaugeMetricFamily(PREFIX + "requests", "Requests by state.", labels=("state",))
    for state in STATES:
        family.add_metric((state,), figures.requests.get(state, 0))
    yield family
    for name, text, value in (
        ("oldest_request_timestamp_seconds", "When the oldest open request was made.", figures.oldest_request_at),
        ("last_reconcile_timestamp_seconds", "When the loop last went round.", figures.last_reconcile_at),
    ):
        if value is not None:
            yield GaugeMetricFamily(PREFIX + name, text, value=value)
    for name, text, which in (
        ("dead", "1 while a failed request of this model version waits for a person.", figures.dead),
        ("ineffective", "1 while an alert of a request that succeeded still fires.", figures.ineffective),
    ):
        family = GaugeMetricFamily(PREFIX + name, text, labels=("model", "version"))
        for labels in sorted(set(which)):
            family.add_metric(labels, 1)
        yield family


def _histogram(durations: Durations) -> Metric:
    bounds = [*(str(bound) for bound in DURATION_BUCKETS), "+Inf"]
    counts = durations.counts or (0,) * len(bounds)
    return HistogramMetricFamily(
        PREFIX + "duration_seconds",
        "From the making of a request to its success.",
        buckets=list(zip(bounds, accumulate(counts), strict=True)),
        sum_value=durations.total_seconds,
    )


def _sum(*counts: Mapping[tuple[str, str], int]) -> dict[tuple[str, str], int]:
    keys = {key for part in counts for key in part}
    return {key: sum(part.get(key, 0) for part in counts) for key in keys}
