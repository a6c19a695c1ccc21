"""How the certificate stands, through its life; the documents that a test writes into the store are the oracle."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from examples.serving.standing import CertificateWatch, open_trusted
from robustcert.certificate.keys import load_signing_key, new_key
from robustcert.certificate.published import publish_document
from robustcert.certificate.status import StatusChange, write_status
from robustcert.document import rfc3339
from robustcert.errors import VerificationError
from robustcert.provenance.digests import sha256_file
from robustcert.storage.store import Store, open_store
from tests.certificate.stored import copied_store, issue, rejected, signed
from tests.chain import Chain

NOW = datetime.now(UTC)


def watch(chain: Chain, store: Store, *, now: datetime | None = None) -> CertificateWatch:
    certified = open_trusted(store, "digits", keys=[chain.key])
    return CertificateWatch(store, certified, keys=[chain.key], clock=lambda: now or datetime.now(UTC))


def say(chain: Chain, store: Store, status: Any, *, key: Any = None) -> None:
    key = key or load_signing_key(chain.signing_key, passphrase=None)
    change = StatusChange(status=status, reason="incident", cause="a test", decided_by="a test")
    write_status(store, chain.files.certificate.read_bytes(), change, key=key, keys=[chain.key], now=NOW)


def later(predicate: dict[str, Any]) -> None:
    predicate["certifiedAt"] = rfc3339(datetime.fromisoformat(predicate["certifiedAt"]) + timedelta(minutes=5))


def test_a_certificate_that_nobody_spoke_about_is_active(chain: Chain, published_store: Store) -> None:
    found = watch(chain, published_store).standing()
    assert found.certificate_sha256 == sha256_file(chain.files.certificate)
    assert (found.status, rfc3339(found.not_after)) == ("active", chain.predicate.not_after)


def test_suspension_revival_and_revocation_are_followed(chain: Chain, published_store: Store) -> None:
    watched = watch(chain, published_store)
    for status in ("suspended", "active", "revoked"):
        say(chain, published_store, status)
        assert watched.standing().status != status, "nothing is read between two checks"
        watched.check()
        assert watched.standing().status == status


def test_it_expires_by_the_clock_without_a_check(chain: Chain, published_store: Store) -> None:
    end = datetime.fromisoformat(chain.predicate.not_after)
    assert watch(chain, published_store, now=end - timedelta(seconds=1)).standing().status == "active"
    assert watch(chain, published_store, now=end).standing().status == "expired"


def test_a_status_that_no_trusted_key_signed_is_not_trusted(chain: Chain, published_store: Store) -> None:
    watched = watch(chain, published_store)
    say(chain, published_store, "suspended", key=new_key("ed25519"))
    watched.check()
    assert watched.standing().status == "unverified"


def test_a_newer_certificate_of_the_model_takes_over(chain: Chain, published_store: Store) -> None:
    watched = watch(chain, published_store)
    say(chain, published_store, "suspended")
    newer = signed(chain, later)
    sha256 = issue(published_store, newer, run_id="20260102T000000Z-00000002")
    publish_document(published_store, newer, now=datetime.now(UTC))
    watched.check()
    assert (watched.standing().certificate_sha256, watched.standing().status) == (sha256, "active")


def test_a_published_certificate_that_no_trusted_key_signed_changes_nothing(
    chain: Chain, published_store: Store
) -> None:
    from robustcert.certificate.envelope import sign
    from robustcert.provenance.digests import canonical_json
    from tests.certificate.tampering import statement_of

    watched = watch(chain, published_store)
    statement = statement_of(chain)
    later(statement["predicate"])
    forged = sign(canonical_json(statement), new_key("ed25519"))
    issue(published_store, forged, run_id="20260102T000000Z-00000002")
    publish_document(published_store, forged, now=datetime.now(UTC))
    watched.check()
    assert watched.standing().certificate_sha256 == sha256_file(chain.files.certificate)


def test_damaged_pointers_hide_no_suspension(chain: Chain, published_store: Store, tmp_path: Path) -> None:
    watched = watch(chain, published_store)
    next((tmp_path / "store").rglob("published/digits/*/*.json")).write_text("{}")
    say(chain, published_store, "suspended")
    watched.check()
    assert watched.standing().status == "suspended"


@pytest.mark.parametrize("pointer", ["{}", "lie"])
def test_no_pointer_brings_back_the_certificate_before_a_suspended_one(
    chain: Chain, published_store: Store, tmp_path: Path, pointer: str
) -> None:
    watched = watch(chain, published_store)
    first = next((tmp_path / "store").rglob("published/digits/*/*.json"))
    newer = signed(chain, later)
    sha256 = issue(published_store, newer, run_id="20260102T000000Z-00000002")
    publish_document(published_store, newer, now=datetime.now(UTC))
    change = StatusChange(status="suspended", reason="incident", cause="a test", decided_by="a test")
    key = load_signing_key(chain.signing_key, passphrase=None)
    write_status(published_store, newer, change, key=key, keys=[chain.key], now=NOW)
    if pointer == "lie":  # the first one was certified last
        first.write_text(first.read_text().replace(chain.predicate.certified_at, "2099-01-01T00:00:00Z"))
    else:
        first.write_text(pointer)
    watched.check()
    assert (watched.standing().certificate_sha256, watched.standing().status) == (sha256, "suspended")
    (first.parent / f"{sha256}.json").unlink()
    watched.check()
    assert watched.standing().status == "suspended", "what was known is not forgotten"


def test_a_certificate_of_the_future_is_not_used(chain: Chain, published_store: Store) -> None:
    def far(predicate: dict[str, Any]) -> None:
        predicate["certifiedAt"] = rfc3339(NOW + timedelta(days=1))

    watched = watch(chain, published_store)
    newer = signed(chain, far)
    issue(published_store, newer, run_id="20260102T000000Z-00000002")
    publish_document(published_store, newer, now=NOW + timedelta(days=1))
    watched.check()
    assert watched.standing().certificate_sha256 == sha256_file(chain.files.certificate)


def test_statuses_that_cannot_be_read_change_nothing(
    chain: Chain, published_store: Store, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    say(chain, published_store, "suspended")
    watched = watch(chain, published_store)
    document = next((tmp_path / "store").rglob("statuses/*/000001.json"))
    document.unlink()
    document.symlink_to(document)  # the operating system refuses to follow it
    watched.check()
    assert watched.standing().status == "suspended"
    assert "certificate status unchanged" in caplog.text


def test_a_rejection_is_not_served(chain: Chain, tmp_path: Path) -> None:
    store = copied_store(chain, tmp_path)
    sha256 = issue(store, signed(chain, rejected), run_id="20260102T000000Z-00000002")
    with pytest.raises(VerificationError, match="expected an accepted certificate"):
        open_trusted(store, sha256, keys=[chain.key])


def test_a_certificate_is_found_by_its_digest_too(chain: Chain) -> None:
    sha256 = sha256_file(chain.files.certificate)
    assert open_trusted(open_store(str(chain.store)), sha256[:12], keys=[chain.key]).sha256 == sha256
