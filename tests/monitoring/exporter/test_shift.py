"""Results that moved between two certificates of one model."""

from __future__ import annotations

from datetime import timedelta

from monitoring.exporter.scan import Scanner
from tests.monitoring.exporter.fleet import NOW, Document, Fleet


def lower_results(predicate: Document) -> None:
    predicate["results"]["cleanAccuracy"] |= {"estimate": "0.5", "lower": "0.4", "upper": "0.6"}


def test_results_that_moved_beyond_their_intervals_are_told(fleet: Fleet, scanner: Scanner) -> None:
    first = fleet.add(0, age=timedelta(days=9))
    same = fleet.add(1, age=timedelta(days=9))

    def supersede(predicate: Document) -> None:
        lower_results(predicate)
        predicate["supersedes"] = [first]

    fleet.add(0, change=supersede)
    fleet.add(1, change=lambda predicate: predicate.update(supersedes=[same]))
    fleet.add(2, age=timedelta(days=9))
    fleet.add(2, change=lower_results)  # names no certificate that it supersedes
    moved = {model.certificate.name: dict(model.shifted) for model in scanner.scan(now=NOW).models}
    metrics = ("clean_accuracy", "accuracy_under_attack", "certified_accuracy", "smoothed_accuracy", "abstention_rate")
    assert moved == {
        "model-0": {metric: metric == "clean_accuracy" for metric in metrics},
        "model-1": dict.fromkeys(metrics, False),
        "model-2": {},
    }
