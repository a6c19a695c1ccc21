"""The exporter's own metrics, read back with prometheus_client's parser."""

from __future__ import annotations

from monitoring.exporter.health import Health
from monitoring.exporter.invalid import KINDS, REASONS, Invalid
from monitoring.exporter.scan import Fleet
from tests.monitoring.exporter.test_series import Sample, parsed


def own(health: Health) -> dict[Sample, float]:
    return {key: value for key, value in parsed(health.text()).items() if key[0].startswith("robustcert_exporter_")}


def test_every_counter_starts_at_zero_so_that_its_first_increase_shows() -> None:
    found = own(Health())
    invalid = [labels for name, labels in found if name == "robustcert_exporter_invalid_objects_total"]
    assert len(invalid) == len(KINDS) * len(REASONS)
    assert set(found.values()) == {0.0}


def test_a_scan_sets_gauges_and_adds_to_counters() -> None:
    health = Health()
    fleet = Fleet(objects={"drift": 7}, invalid={Invalid("drift", "foreign"): 2})
    for _ in range(2):
        health.succeeded(fleet, dropped=3, seconds=1.5, at=1234.0)
    found = own(health)
    changed = {name.removeprefix("robustcert_exporter_"): value for (name, _), value in found.items() if value}
    assert changed == {
        "scan_duration_seconds": 1.5,
        "last_success_timestamp_seconds": 1234.0,
        "objects": 7.0,
        "invalid_objects_total": 4.0,
        "series_dropped_total": 6.0,
    }


def test_nothing_is_exported_about_when_a_counter_was_created() -> None:
    assert "_created" not in Health().text()
    assert "process_resident_memory_bytes" in Health().text()


def test_a_kind_that_the_cluster_lacks_is_not_shown_even_if_it_never_was() -> None:
    health = Health()
    health.watching("inferenceservices", state="absent")
    health.watching("deployments", state="connected")
    health.watching("inferenceservices", state="disconnected")
    shown = {dict(labels)["kind"]: value for (name, labels), value in own(health).items() if "watch" in name}
    assert shown == {"deployments": 1.0, "inferenceservices": 0.0}
