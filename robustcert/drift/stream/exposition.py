"""The counters as Prometheus metrics: a collector for prometheus_client, which is imported only when it is made.

Every metric carries `model` (the certificate's name) and `version` (first 12 digits of the model's SHA-256). Nothing is
computed until a scrape. At most 50 classes, 10 bins of each kind, and 21 segments by 4 outcomes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from robustcert.drift.reference import DriftReference
from robustcert.drift.stream.bins import shares
from robustcert.drift.stream.counters import SECONDS, Counts, PredictionCounters
from robustcert.drift.stream.labels import class_labels
from robustcert.drift.stream.payload_log import PayloadFigures, PayloadLog

PREFIX = "robustcert_"
WHO = ("model", "version")

Samples = Iterable[tuple[tuple[str, ...], float]]
Metric = Any  # prometheus_client.core.Metric, which the library may import in functions only
Registry = Any  # prometheus_client.CollectorRegistry


class StreamCollector:
    """Gives the metrics of one model at each scrape; `expose` registers it."""

    def __init__(self, counters: PredictionCounters, *, log: PayloadLog | None = None) -> None:
        self._counters, self._log = counters, log
        self._who = (counters.reference.name, counters.reference.version)

    def describe(self) -> Iterable[Metric]:
        """Nothing: a registry then does not ask for the values when it is told of this collector."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Every metric as it is now."""
        counts, reference = self._counters.counts(), self._counters.reference
        yield from self._outcomes(counts)
        yield from self._bins(counts)
        yield from self._payloads(counts)
        yield self._seconds(counts)
        yield from self._reference(reference)

    def _reference(self, reference: DriftReference) -> Iterator[Metric]:
        text = "Share of a class among the model's answers on the certified test split."
        yield self._gauge("reference_class_ratio", text, ("class",), _class_shares(reference))
        rows = [found for found in (reference.rows, sum(self._counters.margin_bins.counts), reference.of) if found]
        text = "Rows behind the reference's shares: of those that differ, the fewest."
        yield self._gauge("reference_rows", text, (), [((), min(rows))])
        if reference.of:
            text = "Share of the certified rows without an answer."
            yield self._gauge("reference_abstention_ratio", text, (), [((), reference.abstained / reference.of)])

    def _outcomes(self, counts: Counts) -> Iterator[Metric]:
        outcomes = [((outcome,), count) for outcome, count in counts.outcomes.items()]
        text = "Rows by what became of them: predicted, abstained, invalid (against the contract) or failed."
        yield self._counter("predictions", text, ("outcome",), outcomes)
        classes = [((label,), count) for label, count in counts.classes.items()]
        yield self._counter("predicted_class", "Answers by class.", ("class",), classes)
        text = "Rows by segment and outcome; beyond 20 segments they are 'other'."
        yield self._counter("segment_predictions", text, ("segment", "outcome"), counts.segments.items())

    def _bins(self, counts: Counts) -> Iterator[Metric]:
        of = "logit margin" if self._counters.margin == "logits" else "top class's share of the noisy votes"
        found = (
            ("margin", of, counts.margin, self._counters.margin_bins.counts),
            ("distance", "distance to the certified data", counts.distance, self._counters.reference.distance.counts),
        )
        for name, what, counted, certified in found:
            text = f"Rows by bin of the {what}; the edges are the certificate's."
            yield self._counter(f"prediction_{name}_bin", text, ("bin",), _numbered(counted))
            text = f"Share of each bin of the {what} on the certified test split."
            yield self._gauge(f"reference_{name}_bin_ratio", text, ("bin",), _numbered(shares(certified)))

    def _payloads(self, counts: Counts) -> Iterator[Metric]:
        """What the log did, and requests that could not be looked into, which are received and dropped."""
        found = self._log.figures() if self._log is not None else NO_LOG
        unobserved = counts.unobserved
        dropped = [((reason,), count) for reason, count in {**found.dropped, **unobserved}.items()]
        received = [((), found.received + sum(unobserved.values()))]
        yield self._counter("payloads_received", "Payloads that were sampled for the log.", (), received)
        yield self._counter("payloads_logged", "Payloads that stand in a file of the log.", (), [((), found.logged)])
        yield self._counter("payloads_dropped", "Payloads that were lost, by reason.", ("reason",), dropped)

    def _seconds(self, counts: Counts) -> Metric:
        from prometheus_client.core import HistogramMetricFamily

        name, text = f"{PREFIX}prediction_duration_seconds", "Time to answer one request."
        family = HistogramMetricFamily(name, text, labels=WHO)
        total, buckets = 0, []
        for end, count in zip((*map(str, SECONDS), "+Inf"), counts.seconds, strict=True):
            total += count
            buckets.append((end, float(total)))
        family.add_metric(self._who, buckets, sum_value=counts.seconds_sum)
        return family

    def _counter(self, name: str, text: str, labels: Sequence[str], samples: Samples) -> Metric:
        from prometheus_client.core import CounterMetricFamily

        return self._filled(CounterMetricFamily(PREFIX + name, text, labels=(*WHO, *labels)), samples)

    def _gauge(self, name: str, text: str, labels: Sequence[str], samples: Samples) -> Metric:
        from prometheus_client.core import GaugeMetricFamily

        return self._filled(GaugeMetricFamily(PREFIX + name, text, labels=(*WHO, *labels)), samples)

    def _filled(self, family: Any, samples: Samples) -> Metric:
        for values, value in samples:
            family.add_metric((*self._who, *values), value)
        return family


NO_LOG = PayloadFigures(received=0, logged=0, dropped={}, waiting=0)


def expose(
    counters: PredictionCounters, *, log: PayloadLog | None = None, registry: Registry | None = None
) -> Registry:
    """Registers the metrics, in a registry of their own where none is given, and returns it.

    InputError where prometheus_client is not installed.
    """
    from robustcert.extras import require_modules

    require_modules("prometheus_client")
    from prometheus_client import CollectorRegistry

    found = registry or CollectorRegistry()
    found.register(StreamCollector(counters, log=log))
    return found


def _numbered(values: Sequence[float]) -> Samples:
    return [((str(number),), value) for number, value in enumerate(values)]


def _class_shares(reference: DriftReference) -> Samples:
    """Share of each label value; classes that share one are added up."""
    found: dict[tuple[str, ...], float] = {}
    for label, name in zip(class_labels(reference.classes), reference.classes, strict=True):
        found[label,] = found.get((label,), 0.0) + reference.predicted[name] / reference.rows
    return found.items()
