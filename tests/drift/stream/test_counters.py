"""Oracles: numpy's histogram of the same values, and sums that must hold."""

from __future__ import annotations

from threading import Thread

import numpy as np
import pytest

from robustcert.drift.reference import DriftReference, read_reference
from robustcert.drift.stream.counters import SECONDS, PredictionCounters
from robustcert.errors import InputError
from tests.drift.stream.references import as_json, document


def test_each_value_is_counted_in_the_bin_where_numpy_puts_it(image_reference: DriftReference) -> None:
    counters = PredictionCounters(image_reference)
    rng = np.random.Generator(np.random.Philox(1))
    margins, distances = rng.uniform(0, 3, 500), rng.uniform(0.5, 2, 500)
    for number, (margin, distance) in enumerate(zip(margins, distances, strict=True)):
        counters.predicted(number % 3, margin=margin, distance=distance)
    counts = counters.counts()
    assert counts.margin == tuple(np.histogram(margins, [-np.inf, 0.5, 1, 2, np.inf])[0])
    assert counts.distance == tuple(np.histogram(distances, [-np.inf, 1, 1.5, np.inf])[0])
    assert counts.classes == {"a": 167, "b": 167, "c": 166}
    assert counts.outcomes == {"predicted": 500, "abstained": 0, "invalid": 0, "failed": 0}


def test_what_is_invalid_or_failed_falls_into_no_bin(image_reference: DriftReference) -> None:
    counters = PredictionCounters(image_reference)
    counters.unanswered("invalid", rows=3, segment="s")
    counters.unanswered("failed")
    counts = counters.counts()
    assert counts.outcomes == {"predicted": 0, "abstained": 0, "invalid": 3, "failed": 1}
    assert sum(counts.margin) == sum(counts.distance) == sum(counts.classes.values()) == 0
    assert counts.segments == {("s", "invalid"): 3}


def test_an_abstention_is_binned_but_of_no_class(image_reference: DriftReference) -> None:
    counters = PredictionCounters(image_reference, margin="votes")
    counters.abstained(margin=0.5, distance=9.0, segment="s")
    counters.predicted(2, margin=0.9, distance=0.1, segment="s")
    counts = counters.counts()
    assert (counts.margin, counts.distance) == ((1, 1), (1, 0, 1))
    assert counts.classes == {"a": 0, "b": 0, "c": 1}
    assert counts.segments == {("s", "abstained"): 1, ("s", "predicted"): 1}


def test_a_margin_that_is_not_known_falls_into_no_bin(image_reference: DriftReference) -> None:
    counters = PredictionCounters(image_reference)
    counters.predicted(0, margin=None, distance=1.0)
    assert sum(counters.counts().margin) == 0
    assert sum(counters.counts().distance) == 1


def test_vote_shares_need_a_reference_that_has_them() -> None:
    without = read_reference(as_json(document(votes=None)))
    with pytest.raises(InputError, match="expected a reference with vote shares"):
        PredictionCounters(without, margin="votes")


def test_segments_beyond_the_cap_are_counted_together(image_reference: DriftReference) -> None:
    counters = PredictionCounters(image_reference)
    for number in range(50):
        counters.predicted(0, margin=1.0, distance=1.0, segment=f"s{number}")
    segments = counters.counts().segments
    assert len(segments) == 21
    assert segments["other", "predicted"] == 30


def test_durations_fall_into_the_bucket_that_reaches_up_to_them(image_reference: DriftReference) -> None:
    counters = PredictionCounters(image_reference)
    for seconds in (0.001, 0.0011, 11.0):
        counters.took(seconds)
    counts = counters.counts()
    assert counts.seconds[0] == counts.seconds[1] == counts.seconds[len(SECONDS)] == 1
    assert counts.seconds_sum == pytest.approx(11.0021)


def test_many_threads_lose_no_count(image_reference: DriftReference) -> None:
    counters = PredictionCounters(image_reference)

    def count() -> None:
        for number in range(3000):
            counters.predicted(number % 3, margin=number / 1000, distance=number / 1000, segment=f"s{number % 4}")

    threads = [Thread(target=count) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    counts = counters.counts()
    assert counts.outcomes["predicted"] == sum(counts.margin) == sum(counts.distance) == 24_000
    assert sum(counts.classes.values()) == sum(counts.segments.values()) == 24_000
    assert counts.margin == (8 * 500, 8 * 500, 8 * 1000, 8 * 1000)
