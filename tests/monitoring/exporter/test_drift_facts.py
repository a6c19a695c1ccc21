"""The drift record that is shown: the newest that verifies, of the model that its name says."""

from __future__ import annotations

from monitoring.exporter.scan import Scanner
from robustcert.certificate.keys import new_key
from robustcert.drift.record import newest_record
from tests.monitoring.exporter.fleet import NOW, Fleet, Unflushed, model_sha256


def invalid(scanner: Scanner) -> dict[tuple[str, str], int]:
    return {(found.kind, found.reason): count for found, count in scanner.scan(now=NOW).invalid.items()}


def test_the_newest_valid_drift_record_is_shown(fleet: Fleet, store: Unflushed, scanner: Scanner) -> None:
    certificate = fleet.add(0)
    for day in range(1, 6):
        end = f"2026-05-0{day}T00:00:00Z"
        window = {"source": "w", "sha256": "", "rows": day, "firstAt": None, "lastAt": end, "labelled": 0}
        key = new_key("ed25519") if day == 5 else None
        fleet.drift(0, certificate, window=window, evaluatedAt=f"2026-05-0{day}T01:00:00Z", key=key)
    store.reads.clear()
    (model,) = scanner.scan(now=NOW).models
    newest = newest_record(store, "model-0", model_sha256(0), keys=fleet.keys)
    assert newest is not None
    assert newest.window.rows == 4
    assert model.drift is not None
    assert ("drift_report_rows", "4") in model.drift.values
    assert [name.split("/")[-1][:8] for name in store.reads if name.startswith("drift/")] == ["20260505", "20260504"]
    assert invalid(scanner) == {("drift", "foreign"): 1}


def test_a_drift_record_under_anothers_name_is_not_shown(fleet: Fleet, store: Unflushed, scanner: Scanner) -> None:
    name = fleet.drift(0, fleet.add(0))
    other = name.replace("model-0", "model-1").replace(model_sha256(0), model_sha256(1))
    fleet.add(1)
    store.write_document(other, store.read_document(name) or b"")
    assert [model.drift is not None for model in scanner.scan(now=NOW).models] == [True, False]
    assert invalid(scanner) == {("drift", "mismatch"): 1}
