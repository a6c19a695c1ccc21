"""What counting costs a serving process: microseconds a prediction, beside prometheus_client's own counters.

    python benchmarks/stream_counters.py --predictions 50000

A prediction is one row of 64 values and 10 logits. Both sides count the same five facts (outcome, class, margin bin,
distance bin, segment); prometheus_client looks its labels up as its documentation does, or is handed the children that
were looked up before. The median of several rounds is printed, each round of the same length; the scrape is of all
metrics of one model.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from bisect import bisect_right
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
from prometheus_client import CollectorRegistry, Counter, generate_latest

from robustcert.drift.reference import Bins, DriftReference, RangePart, decimal
from robustcert.drift.stream.bins import counts_in, equal_mass_edges
from robustcert.drift.stream.counters import PredictionCounters
from robustcert.drift.stream.exposition import expose
from robustcert.drift.stream.observe import Observer, answers_of_logits, observe
from robustcert.drift.stream.payload_log import PayloadLog, PayloadLogSettings

COORDINATES, CLASSES, BATCH = 64, 10, 32
ROUNDS = 7
SEGMENTS = tuple(f"segment {number}" for number in range(4))

Work = Callable[[int], None]


def main() -> None:
    """Prints one line for each way to count."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--predictions", type=int, default=50_000, help="in each round")
    predictions = parser.parse_args().predictions
    reference = _reference()
    settings = PayloadLogSettings(most_waiting=max(predictions * ROUNDS, 10_000))
    with (
        tempfile.TemporaryDirectory() as folder,
        closing(PayloadLog(Path(folder), reference=reference, settings=settings)) as log,
    ):
        for name, work in _ways(reference, log).items():
            microseconds = [_round(work, predictions) for _ in range(ROUNDS)]
            middle, least = statistics.median(microseconds), min(microseconds)
            print(f"{name:58} {middle:7.2f} microseconds a prediction (least {least:.2f})")
    registry = expose(PredictionCounters(reference))
    series = sum(not line.startswith(b"#") for line in generate_latest(registry).splitlines())
    scrape = _round(lambda times: [generate_latest(registry) for _ in range(times)] and None, 20) / 1000
    print(f"scrape of {series} series {scrape:.2f} milliseconds")


def _round(work: Work, times: int) -> float:
    start = time.perf_counter()
    work(times)
    return (time.perf_counter() - start) / times * 1e6


def _ways(reference: DriftReference, log: PayloadLog) -> dict[str, Work]:
    return {
        "robustcert: counters alone": _counters(reference),
        "prometheus_client: 5 x Counter.labels().inc()": _labels(reference),
        "prometheus_client: 5 x inc() of children looked up before": _children(reference),
        "robustcert: observe(), one row of 64 values and 10 logits": _observe(Observer(reference), rows=1),
        f"robustcert: observe(), {BATCH} rows in one request": _observe(Observer(reference), rows=BATCH),
        "robustcert: observe(), one row, every row logged": _observe(Observer(reference, log=log), rows=1),
    }


def _counters(reference: DriftReference) -> Work:
    counters = PredictionCounters(reference)

    def count(times: int) -> None:
        for number in range(times):
            counters.predicted(number % 10, margin=1.7, distance=1.1, segment=SEGMENTS[number & 3])

    return count


def _labels(reference: DriftReference) -> Work:
    outcome, label, margin, distance, segment = _peers()
    who, edges = (reference.name, reference.version), (reference.margin.values(), reference.distance.values())

    def count(times: int) -> None:
        for number in range(times):
            outcome.labels(*who, "predicted").inc()
            label.labels(*who, str(number % 10)).inc()
            margin.labels(*who, str(bisect_right(edges[0], 1.7))).inc()
            distance.labels(*who, str(bisect_right(edges[1], 1.1))).inc()
            segment.labels(*who, SEGMENTS[number & 3], "predicted").inc()

    return count


def _children(reference: DriftReference) -> Work:
    outcome, label, margin, distance, segment = _peers()
    who, edges = (reference.name, reference.version), (reference.margin.values(), reference.distance.values())
    predicted = outcome.labels(*who, "predicted")
    labels = [label.labels(*who, str(number)) for number in range(CLASSES)]
    bins = [[family.labels(*who, str(number)) for number in range(10)] for family in (margin, distance)]
    segments = {name: segment.labels(*who, name, "predicted") for name in SEGMENTS}

    def count(times: int) -> None:
        for number in range(times):
            predicted.inc()
            labels[number % 10].inc()
            bins[0][bisect_right(edges[0], 1.7)].inc()
            bins[1][bisect_right(edges[1], 1.1)].inc()
            segments[SEGMENTS[number & 3]].inc()

    return count


def _observe(observer: Observer, *, rows: int) -> Work:
    rng = np.random.Generator(np.random.Philox(1))
    raw_BR, logits_BK = rng.uniform(0, 16, (rows, COORDINATES)), rng.normal(size=(rows, CLASSES))

    def count(times: int) -> None:
        for number in range(-(-times // rows)):
            observe(observer, raw_BR, answers_of_logits(logits_BK), event_id="event", segment=SEGMENTS[number & 3])

    return count


def _peers() -> tuple[Counter, ...]:
    registry = CollectorRegistry()
    names = (["outcome"], ["class"], ["bin"], ["bin"], ["segment", "outcome"])
    return tuple(
        Counter(f"peer_{number}", "A peer.", ["model", "version", *more], registry=registry)
        for number, more in enumerate(names)
    )


def _reference() -> DriftReference:
    values_N = np.random.Generator(np.random.Philox(0)).gamma(2.0, size=1000)
    edges = equal_mass_edges(values_N)
    bins = Bins(edges=tuple(map(decimal, edges)), counts=counts_in(values_N, edges))
    classes = tuple(map(str, range(CLASSES)))
    return DriftReference(
        schema_version="1", name="digits", certificate_sha256="c" * 64, model_sha256="a" * 64, dataset_sha256="d" * 64,
        split="test", rows=1000, classes=classes, kind="image", shape=(1, 8, 8),
        image=RangePart(lower="0", upper="16", divide_by="16"), columns=(), centre=("0.5",) * COORDINATES,
        scale=("0.3",) * COORDINATES, margin=bins, votes=None, distance=bins,
        predicted=dict.fromkeys(classes, 100), abstained=0, of=0,
    )  # fmt: skip


if __name__ == "__main__":
    main()
