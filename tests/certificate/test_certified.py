"""A certificate is found by digest or published name, and opened only when all that it names is there."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from robustcert.certificate.bundle import record_name
from robustcert.certificate.certified import find_certificate, open_certified
from robustcert.certificate.keys import new_key
from robustcert.certificate.published import publish_document
from robustcert.errors import InputError, StorageError, VerificationError
from robustcert.provenance.digests import sha256_file
from robustcert.storage.store import Store
from tests.certificate.stored import copied_store, expired, issue, rejected, signed
from tests.chain import RUN_ID, Chain

NOW = datetime.now(UTC) + timedelta(days=1)


@pytest.fixture
def store(chain: Chain, tmp_path: Path) -> Store:
    return copied_store(chain, tmp_path)


def digest(chain: Chain) -> str:
    return sha256_file(chain.files.certificate)


def test_a_certificate_is_found_by_digest_prefix_and_published_name(chain: Chain, store: Store) -> None:
    publish_document(store, chain.files.certificate.read_bytes(), now=NOW)
    for wanted in (digest(chain), digest(chain)[:8], "digits"):
        assert find_certificate(store, wanted).run_id == RUN_ID


@pytest.mark.parametrize("wanted", ["", "0" * 64, "0" * 8, "digits", "../runs", "DIGITS"])
def test_what_is_not_there_is_said(store: Store, wanted: str) -> None:
    with pytest.raises(InputError, match="expected one certificate, by digest or published name, got no certificate"):
        find_certificate(store, wanted)


def test_fewer_than_eight_digits_are_no_prefix(chain: Chain, store: Store) -> None:
    with pytest.raises(InputError, match="got no certificate"):
        find_certificate(store, digest(chain)[:7])


def test_a_name_means_what_no_published_certificate_supersedes(chain: Chain, store: Store) -> None:
    publish_document(store, chain.files.certificate.read_bytes(), now=NOW)

    def retrained(predicate: dict[str, object]) -> None:
        predicate["supersedes"] = [digest(chain)]
        predicate["model"]["sha256"] = "ab" * 32  # type: ignore[index]

    publish_of_another_model(store, chain, retrained)
    assert find_certificate(store, "digits").run_id == "second"


def test_a_name_with_two_models_in_force_is_refused(chain: Chain, store: Store) -> None:
    publish_document(store, chain.files.certificate.read_bytes(), now=NOW)
    publish_of_another_model(store, chain, lambda predicate: predicate["model"].update(sha256="ab" * 32))
    with pytest.raises(InputError, match="got 2 of them"):
        find_certificate(store, "digits")


def publish_of_another_model(store: Store, chain: Chain, change: object) -> None:
    certificate = signed(chain, change, subject="ab" * 32)  # type: ignore[arg-type]
    issue(store, certificate, run_id="second")
    publish_document(store, certificate, now=NOW)


def test_a_trusted_key_checks_the_signature_and_without_one_that_is_said(chain: Chain, store: Store) -> None:
    record = find_certificate(store, digest(chain))
    checked = open_certified(store, record, trusted=chain.key)
    assert checked.signature.startswith("signed by the key ")
    assert checked.predicate == chain.predicate
    assert open_certified(store, record, trusted=None).signature == "signature not checked"
    with pytest.raises(VerificationError, match="expected a signature by key"):
        open_certified(store, record, trusted=new_key("ed25519").public_key())


def test_an_expired_certificate_is_opened_and_a_rejection_is_not(chain: Chain, store: Store) -> None:
    old = issue(store, signed(chain, expired), run_id="old")
    assert open_certified(store, find_certificate(store, old), trusted=chain.key).sha256 == old
    bad = issue(store, signed(chain, rejected), run_id="bad")
    with pytest.raises(VerificationError, match="expected an accepted certificate, got the record of a rejection"):
        open_certified(store, find_certificate(store, bad), trusted=chain.key)


def test_a_damaged_file_is_named(chain: Chain, store: Store, tmp_path: Path) -> None:
    model = chain.predicate.model.sha256
    (tmp_path / "store" / "objects" / "sha256" / model[:2] / model).write_bytes(b"other")
    with pytest.raises(StorageError, match=r"expected model\.safetensors of certificate .* got a missing or damaged"):
        open_certified(store, find_certificate(store, digest(chain)), trusted=None)


def test_a_changed_certificate_document_is_damaged(chain: Chain, store: Store) -> None:
    record = find_certificate(store, digest(chain))
    store.write_document(f"certificates/{digest(chain)}.json", signed(chain, expired))
    with pytest.raises(StorageError, match="expected certificate of certificate"):
        open_certified(store, record, trusted=chain.key)


def test_a_record_that_points_elsewhere_is_refused(chain: Chain, store: Store) -> None:
    record = json.loads(store.read_document(record_name(RUN_ID)) or b"")
    record["files"]["dataset.safetensors"] = record["files"]["report.html"]
    store.write_document(record_name(RUN_ID), json.dumps(record).encode())
    with pytest.raises(VerificationError, match=r"expected dataset\.safetensors with SHA-256"):
        open_certified(store, find_certificate(store, digest(chain)), trusted=None)
