"""Oracle: prometheus_client's own writer and parser."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as openmetrics
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families

from robustcert.drift.reference import DriftReference, read_reference
from robustcert.drift.stream.counters import PredictionCounters
from robustcert.drift.stream.exposition import expose
from robustcert.drift.stream.observe import Observer, answers_of_logits, observe
from robustcert.drift.stream.payload_log import PayloadLog
from tests.drift.stream.references import as_json, document

WHO = {"model": "digits", "version": "0123456789ab"}

# The names that rules, dashboards and docs/serving.md use.
NAMES = {
    "robustcert_predictions_total",
    "robustcert_predicted_class_total",
    "robustcert_reference_class_ratio",
    "robustcert_prediction_margin_bin_total",
    "robustcert_reference_margin_bin_ratio",
    "robustcert_prediction_distance_bin_total",
    "robustcert_reference_distance_bin_ratio",
    "robustcert_reference_abstention_ratio",
    "robustcert_reference_rows",
    "robustcert_segment_predictions_total",
    "robustcert_payloads_received_total",
    "robustcert_payloads_logged_total",
    "robustcert_payloads_dropped_total",
    "robustcert_prediction_duration_seconds_bucket",
    "robustcert_prediction_duration_seconds_count",
    "robustcert_prediction_duration_seconds_sum",
}
Values = dict[tuple[str, frozenset[tuple[str, str]]], float]


def scraped(registry: CollectorRegistry) -> Values:
    """Every sample, by name and labels."""
    families = text_string_to_metric_families(generate_latest(registry).decode())
    return {(s.name, frozenset(s.labels.items())): s.value for family in families for s in family.samples}


def value(found: Values, name: str, **labels: str) -> float:
    return found[f"robustcert_{name}", frozenset({**WHO, **labels}.items())]


def test_the_metrics_are_those_that_were_agreed(image_reference: DriftReference, tmp_path: Path) -> None:
    log = PayloadLog(tmp_path, reference=image_reference)
    observer = Observer(image_reference, log=log)
    observe(observer, np.zeros((3, 4)), answers_of_logits([[0.0, 3, 0]] * 3), segment="s")
    log.close()
    observer.counters.took(0.02)
    found = scraped(expose(observer.counters, log=log))
    assert {name for name, _ in found} == NAMES
    assert all(set(WHO.items()) <= labels for _, labels in found)
    assert value(found, "predictions_total", outcome="predicted") == 3
    assert value(found, "predictions_total", outcome="invalid") == 0
    assert value(found, "predicted_class_total", **{"class": "b"}) == 3
    assert value(found, "reference_class_ratio", **{"class": "b"}) == 15 / 40
    assert [value(found, "prediction_margin_bin_total", bin=str(n)) for n in range(4)] == [0, 0, 0, 3]
    assert [value(found, "reference_margin_bin_ratio", bin=str(n)) for n in range(4)] == [0.25] * 4
    assert [value(found, "prediction_distance_bin_total", bin=str(n)) for n in range(3)] == [0, 3, 0]
    assert [value(found, "reference_distance_bin_ratio", bin=str(n)) for n in range(3)] == [0.5, 0.25, 0.25]
    assert value(found, "reference_abstention_ratio") == 2 / 16
    assert value(found, "reference_rows") == 16, "40 rows are in the bins, 16 were certified"
    assert value(found, "segment_predictions_total", segment="s", outcome="predicted") == 3
    assert value(found, "payloads_received_total") == value(found, "payloads_logged_total") == 3
    assert value(found, "payloads_dropped_total", reason="disk") == 0
    assert value(found, "prediction_duration_seconds_bucket", le="0.025") == 1
    assert value(found, "prediction_duration_seconds_bucket", le="0.01") == 0
    assert value(found, "prediction_duration_seconds_sum") == 0.02


def test_openmetrics_accepts_them_too(image_reference: DriftReference) -> None:
    counters = PredictionCounters(image_reference)
    counters.predicted(0, margin=1.0, distance=1.0, segment="s")
    counters.took(3.0)
    families = {family.name: family for family in parse_openmetrics(openmetrics(expose(counters)).decode())}
    assert families["robustcert_predictions"].type == "counter"
    assert families["robustcert_prediction_duration_seconds"].type == "histogram"
    assert all(family.documentation for family in families.values())


def test_bins_of_votes_are_compared_with_the_votes_of_the_certificate(image_reference: DriftReference) -> None:
    counters = PredictionCounters(image_reference, margin="votes")
    found = scraped(expose(counters))
    assert [value(found, "reference_margin_bin_ratio", bin=str(n)) for n in range(2)] == [0.25, 0.75]


def test_requests_that_could_not_be_looked_into_are_received_and_dropped(image_reference: DriftReference) -> None:
    counters = PredictionCounters(image_reference)
    counters.unobserved("too-large")
    found = scraped(expose(counters))
    assert value(found, "payloads_received_total") == value(found, "payloads_dropped_total", reason="too-large") == 1


def test_many_classes_and_segments_stay_few_series() -> None:
    names = [f"class {number}" for number in range(1000)]
    wide = read_reference(as_json(document(classes=names, predicted=dict.fromkeys(names, 1), rows=1000)))
    counters = PredictionCounters(wide)
    for number in range(500):
        counters.predicted(number, margin=1.0, distance=1.0, segment=f"s{number}")
    found = scraped(expose(counters))
    assert len(found) < 200
    assert value(found, "predicted_class_total", **{"class": "other"}) == 450
    assert value(found, "reference_class_ratio", **{"class": "other"}) == pytest.approx(0.95)


def test_a_class_name_cannot_break_the_format() -> None:
    odd = read_reference(as_json(document(classes=['a"}\n', "b", "c"], predicted={'a"}\n': 1, "b": 1, "c": 38})))
    found = scraped(expose(PredictionCounters(odd)))
    assert value(found, "predicted_class_total", **{"class": "0"}) == 0


def test_a_certificate_without_certified_rows_has_no_abstention_ratio() -> None:
    without = read_reference(as_json(document(votes=None, abstained=0, of=0)))
    found = scraped(expose(PredictionCounters(without)))
    assert {name for name, _ in found} & {"robustcert_reference_abstention_ratio"} == set()
    assert value(found, "reference_rows") == 40


def test_two_models_share_a_registry(image_reference: DriftReference) -> None:
    other = read_reference(as_json(document(name="other")))
    registry = expose(PredictionCounters(image_reference))
    assert expose(PredictionCounters(other), registry=registry) is registry
    text = generate_latest(registry).decode()
    assert 'model="digits"' in text
    assert 'model="other"' in text


def test_without_prometheus_client_the_error_says_what_to_install() -> None:
    program = """
import sys
sys.modules["prometheus_client"] = None
import importlib.util
find = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: None if name == "prometheus_client" else find(name, *rest)
from robustcert.drift.reference import read_reference
from robustcert.drift.stream.counters import PredictionCounters
from robustcert.drift.stream.exposition import expose
from robustcert.errors import InputError
from tests.drift.stream.references import as_json, document
try:
    expose(PredictionCounters(read_reference(as_json(document()))))
except InputError as error:
    sys.stdout.write(str(error))
"""
    root = Path(__file__).parents[3]
    run = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True, cwd=root)
    assert run.stdout.startswith("expected the package 'prometheus_client', got none; install it with: pip install")
