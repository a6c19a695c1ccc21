"""The text of the series: read back with prometheus_client's parser, capped, and free of what no label may hold."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from monitoring.exporter.scan import Scanner
from monitoring.exporter.series import GAUGES, Limits, Series, series_of
from tests.monitoring.exporter.fleet import NOW, Document, Fleet, model_sha256

Sample = tuple[str, frozenset[tuple[str, str]]]


def parsed(text: str) -> dict[Sample, float]:
    """Name and labels -> value; fails on a series that appears twice."""
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    found = {(sample.name, frozenset(sample.labels.items())): sample.value for sample in samples}
    assert len(found) == len(samples)
    return found


def series(scanner: Scanner, **limits: int) -> Series:
    return series_of(scanner.scan(now=NOW).models, limits=Limits(**limits))


def of_model(number: int, **more: str) -> frozenset[tuple[str, str]]:
    labels = {"model": f"model-{number}", "version": model_sha256(number)[:12], **more}
    return frozenset(labels.items())


def test_every_number_of_certificate_and_record_is_there(fleet: Fleet, scanner: Scanner) -> None:
    certificate = fleet.add(0)
    fleet.drift(0, certificate)
    found = parsed(series(scanner).text)
    issued = (NOW - timedelta(days=1)).timestamp()
    wanted: dict[tuple[str, frozenset[tuple[str, str]]], float] = {
        ("certificate_issued_timestamp_seconds", of_model(0)): issued,
        ("certificate_expiry_timestamp_seconds", of_model(0)): issued + 90 * 86_400,
        ("certified_accuracy_ratio", of_model(0, norm="l2", radius="0.25")): 0.6875,
        ("certified_accuracy_lower_bound_ratio", of_model(0, norm="l2", radius="0.25")): 0.352357,
        ("empirical_accuracy_ratio", of_model(0, attack="none")): 1.0,
        ("empirical_accuracy_ratio", of_model(0, attack="l2-0.5-0.25")): 0.916667,
        ("drift_score", of_model(0, signal="features", method="ks")): 0.41,
        ("drift_threshold", of_model(0, signal="features", method="ks")): 0.05,
        ("drift_verdict", of_model(0, verdict="drifted")): 1.0,
        ("drift_verdict", of_model(0, verdict="gross")): 0.0,
        ("drift_features_ratio", of_model(0)): 16 / 64,
        ("drift_report_timestamp_seconds", of_model(0)): 1780189200.0,  # date -d 2026-05-31T01:00:00Z +%s
        ("window_end_timestamp_seconds", of_model(0)): 1780185600.0,
        ("drift_report_rows", of_model(0)): 1000.0,
        ("window_quality_ratio", of_model(0)): 0.995,
        ("realised_accuracy_ratio", of_model(0)): 600 / 800,
        ("realised_accuracy_lower_bound_ratio", of_model(0)): 0.71,
        ("realised_accuracy_upper_bound_ratio", of_model(0)): 0.78,
        ("label_coverage_ratio", of_model(0)): 0.8,
        ("label_delay_seconds", of_model(0)): 3600.0,
        ("estimated_accuracy_ratio", of_model(0)): 0.9,
        ("estimated_accuracy_valid", of_model(0)): 0.0,
    }
    about = {"certificate_id": certificate, "method": "randomized-smoothing-fixed-n", "run_id": "run-0"}
    wanted["certificate_info", of_model(0, **about)] = 1.0
    assert {(f"robustcert_{name}", labels): value for (name, labels), value in wanted.items()}.items() <= found.items()
    radii, attacks, signals, verdicts, alone = 2 * 3, 5, 2 * 3, 4, 15
    assert len(found) == radii + attacks + signals + verdicts + alone


def test_every_gauge_has_its_family_once_and_its_help(fleet: Fleet, scanner: Scanner) -> None:
    first = fleet.add(0, age=timedelta(days=2))
    fleet.drift(0, fleet.add(0, change=lambda predicate: predicate.update(supersedes=[first])))
    fleet.add(1)
    families = [
        (family.name, family.documentation, family.type)
        for family in text_string_to_metric_families(series(scanner).text)
    ]
    assert sorted(families) == sorted((f"robustcert_{name}", text, "gauge") for name, text in GAUGES.items())


@pytest.mark.parametrize(
    ("status", "before", "after"),
    [
        ("active", "active", "expired"),
        ("suspended", "suspended", "expired"),
        ("revoked", "revoked", "revoked"),
    ],
)
def test_one_status_is_on_and_the_clock_of_the_scrape_tells_the_end(
    fleet: Fleet, scanner: Scanner, status: Any, before: str, after: str
) -> None:
    certificate = fleet.certificate(0)
    fleet.publish(certificate)
    if status != "active":
        fleet.say(certificate, status)
    made, end = series(scanner), (NOW + timedelta(days=89)).timestamp()
    for moment, wanted in ((end - 1, before), (end, after)):
        found = parsed(made.status_text(now=moment))
        assert {dict(labels)["status"]: value for (_, labels), value in found.items()} == {
            each: float(each == wanted) for each in ("active", "suspended", "revoked", "expired")
        }


def many_radii(predicate: Document) -> None:
    part = predicate["results"]["certifiedAccuracy"][0]
    predicate["results"]["certifiedAccuracy"] = [part | {"radius": f"0.{number:02d}"} for number in range(20)]


def test_eight_radii_at_most_from_the_smallest_to_the_largest(fleet: Fleet, scanner: Scanner) -> None:
    fleet.add(0, change=many_radii)
    made = series(scanner)
    radii = Counter(dict(labels)["radius"] for (_, labels) in parsed(made.text) if "radius" in dict(labels))
    assert set(radii.values()) == {2}
    assert len(radii) == 8
    assert {"0.00", "0.19"} <= set(radii)
    assert made.dropped == 2 * 12


def test_a_model_with_too_many_series_keeps_the_most_important(fleet: Fleet, scanner: Scanner) -> None:
    fleet.add(0)
    whole = parsed(series(scanner).text)
    made = series(scanner, series_per_model=10)
    found = parsed(made.text)
    assert len(found) == 10 - 4
    assert len(made.statuses) == 1
    assert made.dropped == len(whole) - len(found)
    kept = {name.removeprefix("robustcert_") for name, _ in found}
    assert {"certificate_expiry_timestamp_seconds", "certificate_issued_timestamp_seconds"} <= kept


def test_too_many_models_leave_those_certified_last_whole(fleet: Fleet, scanner: Scanner) -> None:
    for number in range(6):
        fleet.add(number, age=timedelta(days=10 - number))
    whole = len(parsed(series(scanner).text)) // 6 + 4
    for limits in ({"models": 2}, {"series": 2 * whole + whole // 2}):
        made = series(scanner, **limits)
        assert {dict(labels)["model"] for _, labels in parsed(made.text)} == {"model-4", "model-5"}
        assert made.dropped == 4 * whole


def hostile_names(predicate: Document) -> None:
    """Quotes and newlines would end a label, and let an issuer write any series."""
    predicate["run"]["id"] = 'run"} 1\nrobustcert_certificate_status{status="active"} 1\n#'
    for part in predicate["results"]["accuracyUnderAttack"]:
        part["threatModel"] = 'x"} 1\nup{job="y'


def test_a_text_that_no_label_may_hold_is_dropped(fleet: Fleet, scanner: Scanner) -> None:
    fleet.add(0, change=hostile_names)
    made = series(scanner)
    found = parsed(made.text)
    assert {name for name, _ in found} <= {f"robustcert_{name}" for name in GAUGES}
    assert [dict(labels)["attack"] for name, labels in found if name.endswith("empirical_accuracy_ratio")] == ["none"]
    assert [dict(labels)["run_id"] for name, labels in found if name.endswith("_info")] == [""]
    assert made.dropped == 4


def test_a_report_about_an_earlier_certificate_says_only_that_there_was_one(fleet: Fleet, scanner: Scanner) -> None:
    fleet.drift(0, fleet.add(0, age=timedelta(days=2)))
    before = {name for name, _ in parsed(series(scanner).text)}
    assert "robustcert_drift_verdict" in before
    fleet.add(0, age=timedelta(hours=1))
    found = {name for name, _ in parsed(series(scanner).text)}
    assert before - found == {
        f"robustcert_{name}" for name in GAUGES if name.startswith(("drift_", "window_", "real", "label_", "estimated"))
    } - {"robustcert_drift_report_timestamp_seconds"}


def test_two_models_of_equal_labels_are_shown_once(fleet: Fleet, scanner: Scanner) -> None:
    """The first twelve digits of two models may agree; a series that appears twice would fail the whole scrape."""
    near = model_sha256(0)[:12] + "0" * 52

    def collide(predicate: Document) -> None:
        predicate["model"]["sha256"], predicate["name"] = near, "model-0"

    fleet.add(0)
    fleet.publish(fleet.certificate(1, change=collide, subject=near))
    made = series(scanner)
    assert len(made.statuses) == 1
    assert {dict(labels)["model"] for _, labels in parsed(made.text)} == {"model-0"}
    assert made.dropped > 0
