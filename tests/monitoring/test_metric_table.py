"""The table of metrics in docs/monitoring.md: complete, read by something, and what the programs export."""

import re

from prometheus_client.parser import text_string_to_metric_families

from monitoring.dashboards.generate import generated
from monitoring.exporter.health import Health
from monitoring.exporter.series import GAUGES, STATUS
from monitoring.recertification_webhook.metrics import ControllerCollector
from robustcert.drift.reference import read_reference
from robustcert.drift.stream.counters import PredictionCounters
from robustcert.drift.stream.exposition import StreamCollector
from tests.drift.stream.references import as_json, document
from tests.monitoring.metric_table import metrics, names, rules
from tests.monitoring.recertification_webhook.http_server import figures
from tests.monitoring.sample_exposition import exposition

SUFFIX = re.compile(r"_(?:bucket|sum|count)$")
UNITS = {"_ratio": "0 to 1", "_timestamp_seconds": "Unix seconds"}


def exported_by(program: str) -> set[str]:
    return {metric.name for metric in metrics().values() if metric.exported_by == program}


def test_the_exporter_exports_what_the_table_says() -> None:
    own = {family.name for family in text_string_to_metric_families(Health().text())}
    counters = {name for name in own if name.startswith("robustcert_exporter")}
    assert counters
    totals = {name for name in exported_by("exporter") if name.endswith("_total")}
    shown = {f"{name}_total" if f"{name}_total" in totals else name for name in counters}
    gauges = {f"robustcert_{name}" for name in (*GAUGES, STATUS, "deployed")}
    assert shown | gauges == exported_by("exporter")


def test_the_sample_shows_every_metric_of_the_table_with_its_labels_and_nothing_else() -> None:
    found: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(exposition(now=1e9, elapsed=100)):
        for sample in family.samples:
            found.setdefault(SUFFIX.sub("", sample.name), set()).update(sample.labels)
    assert found == {metric.name: set(metric.labels) for metric in metrics().values()}


def test_names_carry_their_units_as_prometheus_wants_them() -> None:
    for metric in metrics().values():
        assert metric.name.endswith("_total") == (metric.type == "counter"), metric.name
        for suffix, unit in UNITS.items():
            assert not metric.name.endswith(suffix) or metric.unit == unit, metric.name
        seconds = metric.name.endswith("_seconds") and not metric.name.endswith("_timestamp_seconds")
        assert seconds == (metric.unit == "seconds"), metric.name


def test_a_metric_of_a_model_carries_its_name_and_its_version_and_no_other_does() -> None:
    of_programs = re.compile(r"robustcert_(?:exporter|recertification)_(?!dead|ineffective)")
    for metric in metrics().values():
        assert ({"model", "version"} <= metric.labels) == (of_programs.match(metric.name) is None), metric.name


def test_every_metric_is_read_by_a_rule_or_a_dashboard() -> None:
    text = " ".join(generated().values()) + " ".join(rule["expr"] for _, rule in rules())
    read = {SUFFIX.sub("", name) for name in names(text.replace('\\"', "'"))} | set(re.findall(r"robustcert_\w+", text))
    read |= {SUFFIX.sub("", name) for name in read}
    assert {metric.name for metric in metrics().values()} - read == set()


def test_a_serving_process_exports_what_the_table_says() -> None:
    counters = PredictionCounters(read_reference(as_json(document())), segments=["phone"])
    counters.predicted(0, margin=0.1, distance=1.0, segment="phone")
    families = StreamCollector(counters).collect()
    labels = {one.name: set().union(*(sample.labels for sample in one.samples)) for one in families}
    table = {name.removesuffix("_total"): set(metric.labels) for name, metric in metrics().items()}
    wanted = {name: table[name] for name in (one.removesuffix("_total") for one in exported_by("serving"))}
    dropped = "robustcert_payloads_dropped"  # has series once something was dropped
    assert {**labels, dropped: wanted[dropped]} == wanted


def test_the_controller_exports_what_the_table_says() -> None:
    who = (("digits", "0123456789ab"),)
    found = figures(
        triggers={("alert", "queued"): 1},
        requests={"queued": 1},
        finished={("succeeded", "input-drift"): 1},
        oldest_request_at=1.0,
        last_reconcile_at=1.0,
        backend_errors={"submit": 1},
        dead=who,
        ineffective=who,
    )
    collected = ControllerCollector(lambda: found, skipped=dict).collect()
    labels = {f.name: set().union(*(sample.labels for sample in f.samples)) for f in collected}
    table = {name.removesuffix("_total"): set(metric.labels) for name, metric in metrics().items()}
    assert labels == {name: table[name] for name in (one.removesuffix("_total") for one in exported_by("controller"))}
