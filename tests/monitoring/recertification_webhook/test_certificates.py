"""What the store says: which certificates are in force, which are due, which are no longer to be trusted."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from monitoring.recertification_webhook.certificates import CertificateScan, statement_of, status_of, verified
from robustcert.certificate.bundle import certificate_name
from robustcert.certificate.envelope import sign
from robustcert.certificate.status import status_name
from robustcert.errors import StorageError, VerificationError
from robustcert.provenance.digests import canonical_json
from tests.monitoring.recertification_webhook.office import START, Office
from tests.monitoring.recertification_webhook.small_store import SmallStore, model_sha256, version_of

DAY = timedelta(days=1)


def test_the_newest_certificate_of_each_version_is_in_force(tmp_path: Path) -> None:
    small = SmallStore(tmp_path)
    old = small.issue("digits", run_id="a", certified_at=START)
    new = small.issue("digits", run_id="b", certified_at=START + DAY, supersedes=(old,))
    anew = small.issue(
        "digits", model=model_sha256("anew"), run_id="c", certified_at=START + 2 * DAY, supersedes=(new,)
    )
    fleet = CertificateScan(small.store).fleet()
    found = {key: (one.certificate_sha256, one.superseded) for key, one in fleet.by_version.items()}
    assert found == {("digits", version_of("digits")): (new, True), ("digits", version_of("anew")): (anew, False)}
    assert fleet.newest["digits"].certificate_sha256 == anew
    assert fleet.in_force("digits", version_of("digits")) == fleet.by_version[("digits", version_of("digits"))]
    assert fleet.in_force("digits", "0" * 12) is None


def test_each_document_is_read_once_and_one_that_is_gone_is_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = SmallStore(tmp_path)
    for name in ("digits", "wine"):
        small.issue(name, certified_at=START)
    scan = CertificateScan(small.store)
    assert len(scan.fleet().by_version) == 2
    read: list[str] = []
    plain = small.store.read_document
    monkeypatch.setattr(small.store, "read_document", lambda name: read.append(name) or plain(name))
    small.issue("iris", certified_at=START)
    read.clear()
    assert len(scan.fleet().by_version) == 3
    assert {name.split("/")[1] for name in read} == {"iris"}
    for file in (tmp_path / "store/published/wine").rglob("*.json"):
        file.unlink()
    assert {model for model, _ in scan.fleet().by_version} == {"digits", "iris"}


def test_a_damaged_document_is_left_out_and_counted(tmp_path: Path) -> None:
    small = SmallStore(tmp_path)
    small.issue("digits", certified_at=START)
    small.store.write_document("published/wine/ab/cd.json", b"{}")
    scan = CertificateScan(small.store)
    assert {model for model, _ in scan.fleet().by_version} == {"digits"}
    assert scan.damaged == 1


def test_a_store_that_is_down_is_not_an_empty_one(tmp_path: Path) -> None:
    small = SmallStore(tmp_path)
    (tmp_path / "store").write_text("no folder")
    with pytest.raises(StorageError, match="expected a readable store"):
        CertificateScan(small.store).fleet()


def test_only_what_a_trusted_key_signed_is_a_certificate(tmp_path: Path) -> None:
    small = SmallStore(tmp_path)
    sha256 = small.issue("digits", certified_at=START)
    keys = (small.key.public_key(),)
    assert verified(small.store, sha256, keys=keys).name == "digits"
    stranger = SmallStore(tmp_path / "other")
    with pytest.raises(VerificationError, match="a signature by one of 1 trusted keys"):
        verified(small.store, sha256, keys=(stranger.key.public_key(),))
    with pytest.raises(VerificationError, match="got none in the store"):
        verified(small.store, "0" * 64, keys=keys)
    small.store.write_document(certificate_name("0" * 64), b"other")
    with pytest.raises(VerificationError, match="got other bytes"):
        verified(small.store, "0" * 64, keys=keys)
    with pytest.raises(VerificationError, match="got another type"):
        statement_of(sign(canonical_json({"predicateType": "other"}), small.key), keys=keys)


def test_a_status_chain_that_was_tampered_with_counts_as_suspended(tmp_path: Path) -> None:
    small = SmallStore(tmp_path)
    sha256, keys = small.issue("digits", certified_at=START), (small.key.public_key(),)
    assert status_of(small.store, sha256, keys=keys) == "active"
    small.store.write_document(status_name(sha256, 1), b"{}\n")
    assert status_of(small.store, sha256, keys=keys) == "suspended"


def test_the_loop_itself_recertifies_what_ends_soon_once(office: Office) -> None:
    office.passes(later=timedelta(days=75) - timedelta(seconds=1))
    assert office.controller.requests() == []
    office.passes(3, later=timedelta(seconds=1))
    (view,) = office.controller.requests()
    assert (view.state, view.reasons) == ("running", ("expiring",))
    office.certify(view.id)
    office.backend.end("id-0", "succeeded")
    office.passes(3)
    assert [one.state for one in office.controller.requests()] == ["succeeded"]


def test_a_recertification_that_was_missed_is_made_up_for_when_the_controller_is_back(office: Office) -> None:
    office.close()
    office.later(timedelta(days=100))
    office.controller = office.opened()
    (view,) = office.controller.requests()
    assert (view.reasons, view.state) == (("expired",), "running")


def test_a_superseded_or_revoked_certificate_is_left_to_end(office: Office) -> None:
    office.revoke()
    office.passes(later=timedelta(days=100))
    assert office.controller.requests() == []


def test_a_certificate_that_the_store_lost_goes_to_people(office: Office) -> None:
    sha256 = office.certificates["digits"]
    (office.folder / "store" / certificate_name(sha256)).unlink()
    office.restart()
    office.passes(2)
    (view,) = office.controller.requests()
    assert (view.state, view.outcome, view.reasons) == ("dead", "certificate-refused", ("missing",))
