"""The exporter keeps what it showed while the store is down, then drops it; the clock of a scrape tells what ended."""

from __future__ import annotations

import gzip
import threading
from dataclasses import dataclass
from datetime import timedelta

import pytest

from monitoring.exporter.deployed import Deployed
from monitoring.exporter.loop import LONGEST_TURN, Exporter
from monitoring.exporter.newest_drift import MOST_FRESH
from monitoring.exporter.scan import Scanner
from monitoring.exporter.series import Limits
from tests.monitoring.exporter.fleet import NOW, Fleet, model_sha256
from tests.monitoring.exporter.test_series import Sample, parsed

STALENESS = 60.0


@dataclass
class Clock:
    """Time of day and time that passed, both moved by hand."""

    wall: float = NOW.timestamp()
    steady: float = 1000.0

    def wait(self, seconds: float) -> None:
        self.wall += seconds
        self.steady += seconds


class Known:
    """A source of deployed models that a test changes."""

    kind, state = "deployments", "connected"

    def __init__(self) -> None:
        self.items: list[Deployed] = []

    def found(self) -> list[Deployed]:
        return self.items


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def source() -> Known:
    return Known()


@pytest.fixture
def exporter(scanner: Scanner, clock: Clock, source: Known) -> Exporter:
    return Exporter(
        scanner,
        limits=Limits(),
        staleness=STALENESS,
        sources=(source,),
        wall=lambda: clock.wall,
        steady=lambda: clock.steady,
    )


def scraped(exporter: Exporter) -> dict[Sample, float]:
    return parsed(exporter.metrics(compressed=False).decode())


def names(exporter: Exporter) -> set[str]:
    return {name.removeprefix("robustcert_") for name, _ in scraped(exporter) if "exporter" not in name}


def own(exporter: Exporter, name: str, **labels: str) -> float:
    return scraped(exporter)[f"robustcert_exporter_{name}", frozenset(labels.items())]


def test_before_the_first_scan_there_are_zeros_and_no_models(exporter: Exporter) -> None:
    assert own(exporter, "last_success_timestamp_seconds") == 0
    assert own(exporter, "invalid_objects_total", kind="certificate", reason="foreign") == 0
    assert "certificate_status" not in names(exporter)
    assert (exporter.ready, exporter.alive) == (False, True)


def test_a_scan_is_told_with_its_time(exporter: Exporter, fleet: Fleet, clock: Clock) -> None:
    fleet.drift(0, fleet.add(0))
    assert exporter.scan()
    assert own(exporter, "last_success_timestamp_seconds") == clock.wall
    assert own(exporter, "objects", kind="published") == own(exporter, "objects", kind="drift") == 1
    assert exporter.ready


def test_the_compressed_answer_is_the_plain_one(exporter: Exporter, fleet: Fleet) -> None:
    for number in range(5):
        fleet.add(number)
    exporter.scan()
    plain, packed = (exporter.metrics(compressed=compressed) for compressed in (False, True))
    own_part = plain.index(b"# HELP process")
    assert gzip.decompress(packed)[:own_part] == plain[:own_part]
    assert len(packed) < len(plain) / 3


def test_a_certificate_ends_between_two_scans(exporter: Exporter, fleet: Fleet, clock: Clock) -> None:
    fleet.add(0, age=timedelta(days=90) - timedelta(seconds=10))
    exporter.scan()

    def status() -> set[str]:
        return {dict(labels)["status"] for (name, labels), on in scraped(exporter).items() if "_status" in name and on}

    assert status() == {"active"}
    clock.wait(10)
    assert status() == {"expired"}


def test_while_the_store_is_down_the_last_values_stay_for_a_while(
    exporter: Exporter, fleet: Fleet, clock: Clock
) -> None:
    fleet.add(0)
    exporter.scan()
    succeeded = clock.wall
    fleet.store.down = lambda name: True
    clock.wait(STALENESS)
    assert not exporter.scan()
    assert "certificate_status" in names(exporter)
    assert exporter.ready
    clock.wait(1)
    assert "certificate_status" not in names(exporter)
    assert not exporter.ready
    assert own(exporter, "last_success_timestamp_seconds") == succeeded
    fleet.store.down = lambda name: False
    assert exporter.scan()
    assert "certificate_status" in names(exporter)


def test_a_clock_that_jumps_makes_nothing_stale(exporter: Exporter, fleet: Fleet, clock: Clock) -> None:
    fleet.add(0)
    exporter.scan()
    clock.wall += 10 * STALENESS
    assert "certificate_status" in names(exporter)


def test_an_invalid_object_is_counted_again_by_each_scan_so_that_its_rate_tells_whether_it_is_there(
    exporter: Exporter, fleet: Fleet
) -> None:
    fleet.store.write_document("published/stray.json", b"{}")
    exporter.scan()
    exporter.scan()
    assert own(exporter, "invalid_objects_total", kind="published", reason="form") == 2
    (fleet.store.root / "published/stray.json").unlink()
    exporter.scan()
    assert own(exporter, "invalid_objects_total", kind="published", reason="form") == 2


def test_a_mistake_of_the_program_is_logged_and_the_loop_goes_on(
    exporter: Exporter, fleet: Fleet, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(name: str) -> bool:
        raise ZeroDivisionError

    fleet.store.down = fail
    assert not exporter.scan()
    assert "ZeroDivisionError" in caplog.text


def test_a_loop_that_hangs_is_not_alive(exporter: Exporter, clock: Clock) -> None:
    exporter.scan()
    clock.wait(LONGEST_TURN)
    assert not exporter.alive


def test_what_one_scan_left_unread_is_read_at_once(
    exporter: Exporter, fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a wait of an hour between scans, five records at two a scan are shown all the same."""
    assert MOST_FRESH >= 1000
    monkeypatch.setattr("monitoring.exporter.newest_drift.MOST_FRESH", 2)
    for number in range(5):
        fleet.drift(number, fleet.add(number))
    stop = threading.Event()
    thread = threading.Thread(target=exporter.run, args=(stop,), kwargs={"interval": 3600.0})
    scans: list[int] = []
    scan = exporter.scan

    def counted() -> bool:
        done = scan()
        scans.append(sum(name == "robustcert_drift_report_rows" for name, _ in scraped(exporter)))
        if len(scans) == 3:
            stop.set()
        return done

    monkeypatch.setattr(exporter, "scan", counted)
    thread.start()
    thread.join(30)
    assert scans == [2, 4, 5]


def test_deployed_models_take_their_certificates_name(exporter: Exporter, fleet: Fleet, source: Known) -> None:
    fleet.add(0)
    exporter.scan()
    version = model_sha256(0)[:12]
    source.items = [
        Deployed(namespace="vision", workload="a", model="", version=version),
        Deployed(namespace="vision", workload="b", model="other", version="unknown"),
        Deployed(namespace="vision", workload="c", model="", version="0123456789ab"),
    ]
    found = [dict(labels) for name, labels in scraped(exporter) if name == "robustcert_deployed"]
    assert sorted((item["workload"], item["model"], item["version"]) for item in found) == [
        ("a", "model-0", version),
        ("b", "other", "unknown"),
        ("c", "c", "0123456789ab"),
    ]
    assert own(exporter, "watch_connected", kind="deployments") == 1
    source.state = "disconnected"
    assert own(exporter, "watch_connected", kind="deployments") == 0
    source.state = "absent"
    assert not any("watch_connected" in name for name, _ in scraped(exporter))
