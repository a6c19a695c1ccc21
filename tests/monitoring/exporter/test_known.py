"""Documents are read once, bad ones now and then, and a store that is down is told from a document that is bad."""

from __future__ import annotations

import pytest

from monitoring.exporter.known import MOST_FAILURES, RECHECKS
from monitoring.exporter.scan import Scanner
from robustcert.certificate.bundle import certificate_name
from robustcert.errors import StorageError
from tests.monitoring.exporter.fleet import NOW, Fleet, Unflushed, model_sha256

MODELS = 50


def shown(scanner: Scanner) -> dict[str, str]:
    """Model -> the certificate that is shown for it."""
    found = scanner.scan(now=NOW)
    return {model.certificate.name: model.certificate.certificate_sha256 for model in found.models}


def invalid(scanner: Scanner) -> dict[tuple[str, str], int]:
    return {(found.kind, found.reason): count for found, count in scanner.scan(now=NOW).invalid.items()}


def test_a_document_is_read_once_and_a_new_one_at_the_next_scan(
    fleet: Fleet, store: Unflushed, scanner: Scanner
) -> None:
    for number in range(5):
        fleet.drift(number, fleet.add(number))
    store.reads.clear()
    scanner.scan(now=NOW)
    assert len(store.reads) == 10
    scanner.scan(now=NOW)
    assert set(store.reads.values()) == {1}
    fleet.add(5)
    assert "model-5" in shown(scanner)
    assert set(store.reads.values()) == {1}
    assert len(store.reads) == 11


def test_a_restored_document_is_shown_again(fleet: Fleet, store: Unflushed, scanner: Scanner) -> None:
    certificate = fleet.certificate(0)
    sha256 = fleet.publish(certificate)
    store.write_document(certificate_name(sha256), b"{}\n")
    assert shown(scanner) == {}
    store.write_document(certificate_name(sha256), certificate)
    assert shown(scanner) == {"model-0": sha256}


def test_many_invalid_documents_do_not_slow_every_scan_and_all_have_their_turn(
    fleet: Fleet, store: Unflushed, scanner: Scanner
) -> None:
    names = [f"published/bad/{model_sha256(n)}/{model_sha256(n)}.json" for n in range(RECHECKS + 20)]
    for name in names:
        store.write_document(name, b"{}")
    assert invalid(scanner) == {("certificate", "missing"): len(names)}
    store.reads.clear()
    scanner.scan(now=NOW)
    assert sum(store.reads.values()) == RECHECKS
    scanner.scan(now=NOW)
    assert set(store.reads) == {f"certificates/{name.split('/')[-1]}" for name in names}


def test_a_store_that_is_down_fails_the_scan_and_what_was_read_is_kept(
    fleet: Fleet, store: Unflushed, scanner: Scanner
) -> None:
    for number in range(MODELS):
        fleet.add(number)
    shown(scanner)
    store.reads.clear()
    store.down = lambda name: True
    with pytest.raises(StorageError, match="got no answer"):
        scanner.scan(now=NOW)
    store.down = lambda name: False
    assert len(shown(scanner)) == MODELS
    assert sum(store.reads.values()) == 0


def test_a_store_that_goes_down_between_listing_and_reading_fails_the_scan(
    fleet: Fleet, store: Unflushed, scanner: Scanner
) -> None:
    for number in range(MODELS):
        fleet.add(number)
    store.reads.clear()
    store.down = lambda name: name.endswith(".json")
    with pytest.raises(StorageError, match="got no answer"):
        scanner.scan(now=NOW)
    assert sum(store.reads.values()) == MOST_FAILURES


def test_one_document_that_can_not_be_read_stops_nothing(fleet: Fleet, store: Unflushed, scanner: Scanner) -> None:
    unreadable = [fleet.add(number) for number in range(5)][3]
    store.down = lambda name: name == certificate_name(unreadable)
    assert len(shown(scanner)) == 4
    assert invalid(scanner) == {("certificate", "unreadable"): 1}
    store.down = lambda name: False
    assert len(shown(scanner)) == 5
