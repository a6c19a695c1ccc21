"""A newer record that is not read yet hides no older one, and reading is dealt out over scans."""

from __future__ import annotations

import pytest

from monitoring.exporter.invalid import Invalid
from monitoring.exporter.scan import Scanner
from tests.monitoring.exporter.fleet import NOW, Fleet


def window(day: int) -> dict[str, object]:
    end = f"2026-05-{day:02d}T00:00:00Z"
    return {"source": "w", "sha256": "", "rows": day, "firstAt": None, "lastAt": end, "labelled": 0}


def rows(scanner: Scanner) -> tuple[list[str | None], int]:
    """Rows of each model's shown record, and how many models have an unread one."""
    fleet = scanner.scan(now=NOW)
    models = sorted(fleet.models, key=lambda model: model.certificate.name)
    return [dict(model.drift.values)["drift_report_rows"] if model.drift else None for model in models], fleet.unread


def test_until_a_newer_record_is_read_the_older_one_stays(
    fleet: Fleet, scanner: Scanner, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificates = [fleet.add(number) for number in range(3)]
    for number, certificate in enumerate(certificates):
        fleet.drift(number, certificate, window=window(1))
    assert rows(scanner) == (["1", "1", "1"], 0)
    monkeypatch.setattr("monitoring.exporter.newest_drift.MOST_FRESH", 2)
    for number, certificate in enumerate(certificates):
        fleet.drift(number, certificate, window=window(2))
    shown, unread = rows(scanner)
    assert (sorted(map(str, shown)), unread) == (["1", "2", "2"], 1)
    assert rows(scanner) == (["2", "2", "2"], 0)


def test_of_one_window_the_newest_evaluation_is_shown(fleet: Fleet, scanner: Scanner) -> None:
    certificate = fleet.add(0)
    for hour in (3, 9, 5):
        part = window(1) | {"rows": hour}
        fleet.drift(0, certificate, window=part, evaluatedAt=f"2026-05-01T{hour:02d}:00:00Z")
    assert rows(scanner) == (["9"], 0)


def test_no_number_of_invalid_names_hides_a_record(fleet: Fleet, scanner: Scanner) -> None:
    certificate = fleet.add(0)
    document = fleet.drift(0, certificate, window=window(1))
    folder = document.rpartition("/")[0]
    for number in range(35):
        fleet.store.write_document_once(f"{folder}/20990101T0000{number:02d}Z-{number:012x}.json", b"{}")
    found = [rows(scanner) for _ in range(6)]
    assert found[-1] == (["1"], 0)
    assert all(unread for shown, unread in found if shown == [None]), "the next scan follows at once"
    assert sum(scanner.scan(now=NOW).invalid.values()) == 35


def test_a_record_of_the_future_hides_no_record_of_today(fleet: Fleet, scanner: Scanner) -> None:
    certificate = fleet.add(0)
    fleet.drift(0, certificate, window=window(1))
    late = window(2) | {"lastAt": "2099-01-01T00:00:00Z"}
    fleet.drift(0, certificate, window=late, evaluatedAt="2099-01-01T00:00:00Z")
    assert rows(scanner) == (["1"], 0)
    assert scanner.scan(now=NOW).invalid == {Invalid("drift", "early"): 1}


def test_a_record_of_a_model_that_nobody_published_is_not_read(fleet: Fleet, scanner: Scanner) -> None:
    fleet.drift(7, "ab" * 32)
    fleet.store.reads.clear()
    assert rows(scanner) == ([], 0)
    assert not fleet.store.reads
