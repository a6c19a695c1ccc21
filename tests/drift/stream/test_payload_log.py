"""Oracles: pyarrow reads the files back; received = logged + dropped + waiting; hashlib for the sampling."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event, Thread
from time import monotonic
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from robustcert.drift.reference import DriftReference
from robustcert.drift.stream import payload_log
from robustcert.drift.stream.payload_log import PayloadFigures, PayloadLog, PayloadLogSettings, microseconds, sampled
from robustcert.drift.stream.payload_table import Payload
from robustcert.errors import InputError

SECONDS = 20.0
ROOT = Path(__file__).parents[3]


def payload(number: int = 0) -> Payload:
    return Payload(
        id=f"e-{number}",
        time=microseconds(),
        prediction=1,
        outcome="predicted",
        margin=1.0,
        distance=1.0,
        segment="",
        raw_R=np.full(4, 1.0),
    )


def ids(folder: Path) -> list[str]:
    return [name for path in folder.glob("*.parquet") for name in pq.read_table(path)["id"].to_pylist()]


def until(holds: Callable[[], bool]) -> None:
    end, pause = monotonic() + SECONDS, Event()
    while not holds():
        assert monotonic() < end, "it did not come about"
        pause.wait(0.005)


def in_balance(found: PayloadFigures) -> bool:
    return found.received == found.logged + sum(found.dropped.values()) + found.waiting


@pytest.fixture
def opened(tmp_path: Path, image_reference: DriftReference) -> Iterator[Callable[..., PayloadLog]]:
    logs: list[PayloadLog] = []

    def make(folder: Path = tmp_path / "log", **settings: Any) -> PayloadLog:
        logs.append(PayloadLog(folder, reference=image_reference, settings=PayloadLogSettings(**settings)))
        return logs[-1]

    yield make
    for log in logs:
        log.close()


def test_every_row_stands_in_a_file_once_the_log_is_closed(opened: Callable[..., PayloadLog], tmp_path: Path) -> None:
    log = opened(rows_per_file=40)
    for number in range(100):
        log.offer([payload(number)])
    log.close()
    assert sorted(ids(tmp_path / "log")) == sorted(f"e-{number}" for number in range(100))
    assert log.figures() == PayloadFigures(
        received=100, logged=100, dropped={"queue-full": 0, "disk": 0, "closed": 0}, waiting=0
    )
    assert {path.name[:20] for path in (tmp_path / "log").iterdir()} == {"digits-0123456789ab-"}


def test_a_file_is_written_when_it_is_full_or_its_first_row_is_old(
    opened: Callable[..., PayloadLog], tmp_path: Path
) -> None:
    log = opened(rows_per_file=3, seconds_per_file=3600.0)
    log.offer([payload(number) for number in range(3)])
    until(lambda: len(ids(tmp_path / "log")) == 3)
    hasty = opened(tmp_path / "hasty", rows_per_file=1000, seconds_per_file=0.02)
    hasty.offer([payload()])
    until(lambda: ids(tmp_path / "hasty") == ["e-0"])


def test_a_queue_that_is_full_drops_and_counts(opened: Callable[..., PayloadLog]) -> None:
    log = opened(rows_per_file=10, most_waiting=10, seconds_per_file=3600.0)
    with log._changed:  # the writer can't take anything meanwhile
        log.offer([payload(number) for number in range(25)])
        found = log.figures()
    assert (found.received, found.waiting, found.dropped["queue-full"]) == (25, 10, 15)
    assert in_balance(found)


def test_a_row_waits_for_room_as_long_as_it_may(opened: Callable[..., PayloadLog], tmp_path: Path) -> None:
    log = opened(rows_per_file=10, most_waiting=10, block_seconds=SECONDS)
    threads = [Thread(target=lambda: [log.offer([payload(n)]) for n in range(100)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    log.close()
    assert log.figures().dropped == {"queue-full": 0, "disk": 0, "closed": 0}
    assert len(ids(tmp_path / "log")) == 400


def test_a_wait_that_is_too_long_ends_in_a_drop(opened: Callable[..., PayloadLog], tmp_path: Path) -> None:
    log = opened(rows_per_file=1, most_waiting=1, block_seconds=0.01)
    release = Event()
    log._write = lambda batch: release.wait(SECONDS)  # type: ignore[method-assign]  # a disk that hangs
    log.offer([payload(number) for number in range(5)])
    assert log.figures().dropped["queue-full"] >= 3
    assert in_balance(log.figures())
    release.set()


def test_a_disk_that_refuses_costs_rows_but_no_error_and_the_log_recovers(
    opened: Callable[..., PayloadLog], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "log"
    folder.write_text("a file in the way")
    log = opened(folder, rows_per_file=2)
    log.offer([payload(0), payload(1)])
    until(lambda: log.figures().dropped["disk"] == 2)
    folder.unlink()
    log.offer([payload(2), payload(3)])
    log.close()
    assert sorted(ids(folder)) == ["e-2", "e-3"]
    assert in_balance(log.figures())
    assert "2 payloads dropped: expected to write them" in caplog.text


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_writer_that_dies_loses_only_its_rows_and_is_replaced(
    opened: Callable[..., PayloadLog], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = opened(rows_per_file=2)
    with monkeypatch.context() as patch:
        patch.setattr(payload_log, "parquet_bytes", lambda *_: (_ for _ in ()).throw(MemoryError))
        log.offer([payload(0), payload(1)])
        until(lambda: log.figures().dropped["disk"] == 2)
        until(lambda: log._writer is not None and not log._writer.is_alive())
    log.offer([payload(2), payload(3)])
    log.close()
    assert sorted(ids(tmp_path / "log")) == ["e-2", "e-3"]
    assert in_balance(log.figures())


def test_a_full_disk_leaves_no_half_file(tmp_path: Path) -> None:
    """A limit on the size of files stands for the full disk, in a process of its own."""
    program = f"""
import resource, sys
from pathlib import Path
from robustcert.drift.reference import read_reference
from robustcert.drift.stream.payload_log import PayloadLog
from tests.drift.stream.references import as_json, document
from tests.drift.stream.test_payload_log import payload
resource.setrlimit(resource.RLIMIT_FSIZE, (256, 256))
log = PayloadLog(Path({str(tmp_path / "log")!r}), reference=read_reference(as_json(document())))
log.offer([payload(n) for n in range(500)])
log.close()
sys.stdout.write(str(log.figures().dropped["disk"]))
"""
    run = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True, cwd=ROOT)
    assert run.stdout == "500"
    assert "500 payloads dropped" in run.stderr
    assert list((tmp_path / "log").iterdir()) == []


def test_whatever_comes_after_the_end_is_dropped(opened: Callable[..., PayloadLog], tmp_path: Path) -> None:
    log = opened()
    log.close()
    log.offer([payload()])
    assert log.figures().dropped["closed"] == 1
    assert in_balance(log.figures())
    assert not (tmp_path / "log").exists()


def test_the_sampling_is_a_function_of_the_id_alone(opened: Callable[..., PayloadLog]) -> None:
    names = [f"event-{number}" for number in range(4000)]
    chosen = {name for name in names if sampled(name, ratio=0.25)}
    wanted = {name for name in names if hashlib.sha256(name.encode()).hexdigest()[:16] < f"{2**62:016x}"}
    assert chosen == wanted
    assert 850 < len(chosen) < 1150
    assert chosen <= {name for name in names if sampled(name, ratio=0.5)}, "a larger share holds the smaller one"
    log = opened(sample_ratio=0.25)
    assert {name for name in names if log.wants(name)} == chosen


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"sample_ratio": 1.1}, "expected a sample ratio from 0 to 1"),
        ({"rows_per_file": 0}, "expected at least one row a file"),
        ({"rows_per_file": 11, "most_waiting": 10}, "and room for a file"),
        ({"seconds_per_file": 0.0}, "expected seconds above 0"),
        ({"block_seconds": -1.0}, "expected seconds above 0"),
    ],
)
def test_settings_that_mean_nothing_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        PayloadLogSettings(**settings)
