"""The exporter's own metrics: how its scans go, what they could not show, and whether it sees what is deployed."""

from __future__ import annotations

from contextlib import suppress

from prometheus_client import CollectorRegistry, Counter, Gauge, ProcessCollector, disable_created_metrics
from prometheus_client.exposition import generate_latest

from monitoring.exporter.invalid import KINDS, REASONS
from monitoring.exporter.scan import Fleet
from monitoring.exporter.series import PREFIX

NAME = f"{PREFIX}exporter"


class Health:
    """Counters and gauges of one exporter, in a registry of their own."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._duration = self._gauge("scan_duration_seconds", "How long the last scan that succeeded took.")
        self._success = self._gauge("last_success_timestamp_seconds", "When the last scan that succeeded ended.")
        self._objects = self._gauge("objects", "Documents in the store, by kind.", "kind")
        self._connected = self._gauge("watch_connected", "Whether the watch of a kind of object is connected.", "kind")
        self._dropped = self._counter("series_dropped", "Series that a scan did not export: a limit, or a bad label.")
        invalid = "Objects that a scan found and did not show, counted again by each scan."
        self._invalid = self._counter("invalid_objects", invalid, "kind", "reason")
        for kind in KINDS:
            self._objects.labels(kind)
            for reason in REASONS:
                self._invalid.labels(kind, reason)

    def succeeded(self, fleet: Fleet, *, dropped: int, seconds: float, at: float) -> None:
        """A scan ended well."""
        self._duration.set(seconds)
        self._success.set(at)
        self._dropped.inc(dropped)
        for kind, count in fleet.objects.items():
            self._objects.labels(kind).set(count)
        for found, count in fleet.invalid.items():
            self._invalid.labels(found.kind, found.reason).inc(count)

    def watching(self, kind: str, *, state: str) -> None:
        """A watch's state now; a kind that the cluster does not have is not shown."""
        if state == "absent":
            with suppress(KeyError):
                self._connected.remove(kind)
        else:
            self._connected.labels(kind).set(int(state == "connected"))

    def text(self) -> str:
        """All of it in Prometheus' text format."""
        return generate_latest(self.registry).decode()

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(f"{NAME}_{name}", text, labels, registry=self.registry)

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"{NAME}_{name}", text, labels, registry=self.registry)
