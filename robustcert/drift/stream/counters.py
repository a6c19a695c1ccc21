"""Counters of a serving process: outcomes, and bins that are the certificate's own (`robustcert.drift.reference`).

Any number of threads may count; a count costs about a microsecond (benchmarks/stream_counters.py). Nothing is kept of
a prediction but its counts.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Literal

from robustcert.drift.reference import Bins, DriftReference
from robustcert.drift.stream.labels import Segments, class_labels
from robustcert.errors import InputError, expected

Outcome = Literal["predicted", "abstained", "invalid", "failed"]
Margin = Literal["logits", "votes"]

OUTCOMES: tuple[Outcome, ...] = ("predicted", "abstained", "invalid", "failed")
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)  # upper ends of the histogram


@dataclass(frozen=True, kw_only=True)
class Counts:
    """What was counted up to one moment; bins in the reference's order, `seconds` per bin of SECONDS and one more."""

    outcomes: dict[Outcome, int]
    classes: dict[str, int]
    margin: tuple[int, ...]
    distance: tuple[int, ...]
    segments: dict[tuple[str, Outcome], int]
    unobserved: dict[str, int]
    seconds: tuple[int, ...]
    seconds_sum: float


class PredictionCounters:
    """Counts predictions of one model; `margin` says which quantity the margin's bins are of.

    `segments` fixes which segments keep their names; without them the first 20 that are seen do. InputError where the
    reference holds no votes and they are asked for.
    """

    def __init__(self, reference: DriftReference, *, margin: Margin = "logits", segments: Sequence[str] = ()) -> None:
        self.reference, self.margin = reference, margin
        self.margin_bins = _margin_bins(reference, margin)
        self._lock = Lock()
        self._margin_edges, self._distance_edges = self.margin_bins.values(), reference.distance.values()
        self._class_labels, self._segments = class_labels(reference.classes), Segments(segments)
        self._outcomes: Counter[Outcome] = Counter(dict.fromkeys(OUTCOMES, 0))
        self._classes = [0] * len(reference.classes)
        self._margin = [0] * (len(self._margin_edges) + 1)
        self._distance = [0] * (len(self._distance_edges) + 1)
        self._by_segment: Counter[tuple[str, Outcome]] = Counter()
        self._unobserved: Counter[str] = Counter()
        self._seconds, self._seconds_sum = [0] * (len(SECONDS) + 1), 0.0

    def predicted(self, label: int, *, margin: float | None, distance: float, segment: str = "") -> None:
        """Counts an answer: the index of its class, and its bins; a margin of None falls into no bin."""
        with self._lock:
            self._outcomes["predicted"] += 1
            self._classes[label] += 1
            self._bin(margin, distance)
            if segment:
                self._by_segment[self._segments.label(segment), "predicted"] += 1

    def abstained(self, *, margin: float | None, distance: float, segment: str = "") -> None:
        """Counts an input that got no answer because the smoothed classifier abstained."""
        with self._lock:
            self._outcomes["abstained"] += 1
            self._bin(margin, distance)
            if segment:
                self._by_segment[self._segments.label(segment), "abstained"] += 1

    def unanswered(self, outcome: Literal["invalid", "failed"], *, rows: int = 1, segment: str = "") -> None:
        """Counts inputs that no bin is for: those that break the contract, and those on which the model failed."""
        with self._lock:
            self._outcomes[outcome] += rows
            if segment:
                self._by_segment[self._segments.label(segment), outcome] += rows

    def unobserved(self, reason: str) -> None:
        """Counts a request that was answered but could not be looked into; `reason` is a short fixed code."""
        with self._lock:
            self._unobserved[reason] += 1

    def took(self, seconds: float) -> None:
        """Counts how long one request took."""
        with self._lock:
            self._seconds[bisect_left(SECONDS, seconds)] += 1
            self._seconds_sum += seconds

    def counts(self) -> Counts:
        """Everything counted so far, as of one moment."""
        with self._lock:
            classes: Counter[str] = Counter(dict.fromkeys(self._class_labels, 0))
            for label, count in zip(self._class_labels, self._classes, strict=True):
                classes[label] += count
            return Counts(
                outcomes=dict(self._outcomes),
                classes=dict(classes),
                margin=tuple(self._margin),
                distance=tuple(self._distance),
                segments=dict(self._by_segment),
                unobserved=dict(self._unobserved),
                seconds=tuple(self._seconds),
                seconds_sum=self._seconds_sum,
            )

    def _bin(self, margin: float | None, distance: float) -> None:
        if margin is not None:
            self._margin[bisect_right(self._margin_edges, margin)] += 1
        self._distance[bisect_right(self._distance_edges, distance)] += 1


def _margin_bins(reference: DriftReference, margin: Margin) -> Bins:
    if margin == "logits":
        return reference.margin
    if reference.votes is None:
        remedy = "count the margin of logits"
        raise InputError(expected("a reference with vote shares", got="one without", remedy=remedy))
    return reference.votes
