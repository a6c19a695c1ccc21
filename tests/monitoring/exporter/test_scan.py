"""A scan shows what is in force: the newest verified certificate of each published model."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from monitoring.exporter.invalid import Invalid
from monitoring.exporter.scan import Scanner
from robustcert.certificate.bundle import certificate_name
from robustcert.certificate.keys import new_key
from robustcert.certificate.published import published
from robustcert.errors import StorageError
from robustcert.provenance.digests import sha256_bytes
from tests.monitoring.exporter.fleet import NOW, Fleet, Unflushed

MODELS = 50


def shown(scanner: Scanner) -> dict[str, str]:
    """Model -> the certificate that is shown for it."""
    found = scanner.scan(now=NOW)
    return {model.certificate.name: model.certificate.certificate_sha256 for model in found.models}


def invalid(scanner: Scanner) -> dict[tuple[str, str], int]:
    return {(found.kind, found.reason): count for found, count in scanner.scan(now=NOW).invalid.items()}


def test_every_published_model_is_shown_with_its_certificate_in_force(fleet: Fleet, scanner: Scanner) -> None:
    for number in range(MODELS):
        fleet.add(number)
    for number in range(0, MODELS, 5):
        fleet.add(number, age=timedelta(hours=1))
    assert shown(scanner) == {item.name: item.certificate_sha256 for item in published(fleet.store)}
    assert len(shown(scanner)) == MODELS
    assert invalid(scanner) == {}


def test_a_volume_that_is_gone_is_no_empty_store(fleet: Fleet, store: Unflushed, scanner: Scanner) -> None:
    fleet.add(0)
    assert len(shown(scanner)) == 1
    store.root.rename(store.root.parent / "elsewhere")
    for _ in range(2):
        with pytest.raises(StorageError, match="expected a store that held 2 documents, got an empty one"):
            scanner.scan(now=NOW)
    (store.root.parent / "elsewhere").rename(store.root)
    assert len(shown(scanner)) == 1


def test_a_retired_model_vanishes_at_the_next_scan(fleet: Fleet, store: Unflushed, scanner: Scanner) -> None:
    for number in range(3):
        fleet.drift(number, fleet.add(number))
    assert len(shown(scanner)) == 3
    for path in (store.root / "published/model-1").rglob("*.json"):
        path.unlink()
    assert set(shown(scanner)) == {"model-0", "model-2"}
    assert invalid(scanner) == {}


def test_a_certificate_that_was_removed_is_missing_even_if_it_was_read_before(
    fleet: Fleet, store: Unflushed, scanner: Scanner
) -> None:
    removed = fleet.add(0)
    assert len(shown(scanner)) == 1
    (store.root / certificate_name(removed)).unlink()
    assert shown(scanner) == {}
    assert invalid(scanner) == {("certificate", "missing"): 1}


def test_a_later_certificate_of_a_foreign_key_does_not_hide_the_one_in_force(fleet: Fleet, scanner: Scanner) -> None:
    sha256 = fleet.add(0)
    fleet.add(0, age=timedelta(hours=1), key=new_key("ed25519"))
    assert shown(scanner) == {"model-0": sha256}


def test_a_certificate_is_of_its_own_time(fleet: Fleet, scanner: Scanner) -> None:
    """What is early becomes valid without being read again."""
    fleet.add(0, age=-timedelta(hours=1))
    assert scanner.scan(now=NOW).invalid == {Invalid("certificate", "early"): 1}
    (model,) = scanner.scan(now=NOW + timedelta(hours=2)).models
    assert model.certificate.certified_at == datetime(2026, 6, 1, 13, tzinfo=UTC).timestamp()
    assert sha256_bytes(fleet.certificate(0, age=-timedelta(hours=1))) == model.certificate.certificate_sha256
