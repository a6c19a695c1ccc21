"""The status of a certificate: what is signed counts, and whatever is wrong weakens the claim."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from monitoring.exporter.scan import Scanner
from robustcert.certificate.keys import new_key
from robustcert.certificate.status import status_name
from tests.monitoring.exporter.fleet import NOW, Fleet, Unflushed


def invalid(scanner: Scanner) -> dict[tuple[str, str], int]:
    return {(found.kind, found.reason): count for found, count in scanner.scan(now=NOW).invalid.items()}


@pytest.mark.parametrize("status", ["suspended", "revoked"])
def test_a_status_is_shown_from_the_next_scan_on(fleet: Fleet, scanner: Scanner, status: str) -> None:
    certificate = fleet.certificate(0)
    fleet.publish(certificate)
    fleet.add(1)
    assert [model.status for model in scanner.scan(now=NOW).models] == ["active", "active"]
    fleet.say(certificate, status)  # type: ignore[arg-type]
    found = {model.certificate.name: model.status for model in scanner.scan(now=NOW).models}
    assert found == {"model-0": status, "model-1": "active"}


def test_a_suspension_that_was_lifted_is_shown_as_active(fleet: Fleet, scanner: Scanner) -> None:
    certificate = fleet.certificate(0)
    fleet.publish(certificate)
    fleet.say(certificate, "suspended")
    assert [model.status for model in scanner.scan(now=NOW).models] == ["suspended"]
    fleet.say(certificate, "active")
    assert [model.status for model in scanner.scan(now=NOW).models] == ["active"]


def cut_the_first(store: Unflushed, certificate: str) -> None:
    (store.root / status_name(certificate, 1)).unlink()


def spoil_the_last(store: Unflushed, certificate: str) -> None:
    store.write_document(status_name(certificate, 2), b"{}\n")


def repeat_the_first(store: Unflushed, certificate: str) -> None:
    store.write_document(status_name(certificate, 3), store.read_document(status_name(certificate, 1)) or b"")


@pytest.mark.parametrize(
    ("harm", "reason"), [(cut_the_first, "chain"), (spoil_the_last, "unsigned"), (repeat_the_first, "chain")]
)
def test_a_broken_chain_suspends_whatever_its_last_link_says(
    fleet: Fleet, store: Unflushed, scanner: Scanner, harm: Callable[[Unflushed, str], None], reason: str
) -> None:
    certificate = fleet.certificate(0)
    sha256 = fleet.publish(certificate)
    fleet.say(certificate, "suspended")
    fleet.say(certificate, "active")
    harm(store, sha256)
    assert [model.status for model in scanner.scan(now=NOW).models] == ["suspended"]
    assert invalid(scanner) == {("status", reason): 1}


def test_a_broken_chain_never_undoes_a_signed_revocation(fleet: Fleet, store: Unflushed, scanner: Scanner) -> None:
    certificate = fleet.certificate(0)
    sha256 = fleet.publish(certificate)
    fleet.say(certificate, "suspended")
    fleet.say(certificate, "revoked")
    cut_the_first(store, sha256)
    assert [model.status for model in scanner.scan(now=NOW).models] == ["revoked"]


def test_a_status_of_a_foreign_key_can_suspend_but_lifts_nothing(fleet: Fleet, scanner: Scanner) -> None:
    certificate = fleet.certificate(0)
    fleet.publish(certificate)
    fleet.say(certificate, "revoked", key=new_key("ed25519"))
    assert [model.status for model in scanner.scan(now=NOW).models] == ["suspended"]
    assert invalid(scanner) == {("status", "foreign"): 1}
