"""The chain of a certificate's statuses: what is signed, what counts, and what shows when somebody meddles."""

from __future__ import annotations

import base64
import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from robustcert.certificate.bundle import certificate_name
from robustcert.certificate.envelope import pae, sign
from robustcert.certificate.keys import SigningKey, load_signing_key, new_key
from robustcert.certificate.status import (
    StatusChange,
    parse_status,
    read_statuses,
    status_in_force,
    status_name,
    write_status,
)
from robustcert.errors import InputError, StorageError, VerificationError
from robustcert.provenance.digests import canonical_json, sha256_bytes
from robustcert.storage.store import Store, open_store
from tests.certificate.stored import copied_store
from tests.chain import Chain

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
SUSPENDED = StatusChange(
    status="suspended",
    reason="input-drift",
    cause="inputs drifted",
    decided_by="controller",
    evidence=("drift/x.json",),
)
ACTIVE = replace(SUSPENDED, status="active", reason="repaired", cause="the camera was replaced")
REVOKED = replace(SUSPENDED, status="revoked", reason="key-compromise", cause="the key was stolen")


@pytest.fixture
def store(chain: Chain, tmp_path: Path) -> Store:
    return copied_store(chain, tmp_path)


@pytest.fixture
def key(chain: Chain) -> SigningKey:
    return load_signing_key(chain.signing_key, passphrase=None)


@pytest.fixture
def certificate(chain: Chain) -> bytes:
    return chain.files.certificate.read_bytes()


def say(store: Store, certificate: bytes, *changes: StatusChange, key: SigningKey) -> None:
    for change in changes:
        write_status(store, certificate, change, key=key, keys=[key.public_key()], now=NOW)


def chain_read(store: Store, certificate: bytes, key: SigningKey) -> list[str]:
    return [part.status for part in read_statuses(store, sha256_bytes(certificate), keys=[key.public_key()])]


def document(store: Store, certificate: bytes, sequence: int) -> bytes:
    return store.read_document(status_name(sha256_bytes(certificate), sequence)) or b""


def test_a_status_is_an_in_toto_statement_about_the_certificate_s_file(
    chain: Chain, store: Store, certificate: bytes, key: SigningKey
) -> None:
    say(store, certificate, SUSPENDED, key=key)
    envelope = json.loads(document(store, certificate, 1))
    payload = base64.b64decode(envelope["payload"])
    key.public_key().verify(base64.b64decode(envelope["signatures"][0]["sig"]), pae(payload))  # type: ignore[call-arg]
    statement = json.loads(payload)
    digest = hashlib.sha256(certificate).hexdigest()
    assert statement["predicateType"] == "urn:robustcert:certificate-status:v1"
    assert statement["subject"] == [{"name": f"certificates/{digest}.json", "digest": {"sha256": digest}}]
    assert statement["predicate"] == {
        "schemaVersion": "1",
        "name": "digits",
        "certificateSha256": digest,
        "modelSha256": chain.predicate.model.sha256,
        "sequence": 1,
        "status": "suspended",
        "reason": "input-drift",
        "cause": "inputs drifted",
        "evidence": ["drift/x.json"],
        "requestId": "",
        "previousSha256": None,
        "decidedBy": "controller",
        "decidedAt": "2026-01-02T03:04:05Z",
    }


def test_the_last_status_counts_and_names_the_digest_of_the_one_before(
    store: Store, certificate: bytes, key: SigningKey
) -> None:
    assert status_in_force([]) == "active"
    say(store, certificate, SUSPENDED, ACTIVE, SUSPENDED, key=key)
    chain = read_statuses(store, sha256_bytes(certificate), keys=[key.public_key()])
    assert [part.status for part in chain] == ["suspended", "active", "suspended"]
    assert status_in_force(chain) == "suspended"
    written = [hashlib.sha256(document(store, certificate, number)).hexdigest() for number in (1, 2)]
    assert [part.previous_sha256 for part in chain] == [None, *written]


def test_saying_the_same_for_the_same_request_writes_nothing(store: Store, certificate: bytes, key: SigningKey) -> None:
    say(store, certificate, SUSPENDED, replace(SUSPENDED, cause="once more"), key=key)
    assert chain_read(store, certificate, key) == ["suspended"]
    say(store, certificate, replace(SUSPENDED, request_id="request-2"), key=key)
    assert chain_read(store, certificate, key) == ["suspended", "suspended"]


def test_revocation_is_final(store: Store, certificate: bytes, key: SigningKey) -> None:
    say(store, certificate, REVOKED, key=key)
    for change in (ACTIVE, SUSPENDED):
        with pytest.raises(InputError, match="revocation is final"):
            say(store, certificate, change, key=key)
    assert chain_read(store, certificate, key) == ["revoked"]


def test_writers_at_the_same_moment_all_get_a_place(store: Store, certificate: bytes, key: SigningKey) -> None:
    def suspend(number: int) -> int:
        change = replace(SUSPENDED, request_id=f"request-{number}")
        said = write_status(store, certificate, change, key=key, keys=[key.public_key()], now=NOW)
        return said.sequence

    with ThreadPoolExecutor(8) as threads:
        places = sorted(threads.map(suspend, range(8)))
    assert places == list(range(1, 9))
    assert len(chain_read(store, certificate, key)) == 8


def test_a_certificate_that_the_store_does_not_hold_gets_no_status(
    certificate: bytes, key: SigningKey, tmp_path: Path
) -> None:
    with pytest.raises(StorageError, match="in the store, got none there"):
        say(open_store(str(tmp_path / "other")), certificate, SUSPENDED, key=key)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (replace(SUSPENDED, reason="Because of Drift"), "a valid reason"),
        (replace(SUSPENDED, cause=" "), "a valid cause"),
        (replace(SUSPENDED, cause="x" * 4001), "a valid cause"),
    ],
)
def test_a_reason_is_a_code_and_a_cause_a_sentence(
    store: Store, certificate: bytes, key: SigningKey, change: StatusChange, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        say(store, certificate, change, key=key)
    assert chain_read(store, certificate, key) == []


def resigned(data: bytes, key: SigningKey, **predicate: Any) -> bytes:
    statement = json.loads(base64.b64decode(json.loads(data)["payload"]))
    statement["predicate"] |= predicate
    return sign(canonical_json(statement), key)


def test_an_edited_a_dropped_and_a_swapped_statement_show(store: Store, certificate: bytes, key: SigningKey) -> None:
    say(store, certificate, SUSPENDED, ACTIVE, SUSPENDED, key=key)
    sha256 = sha256_bytes(certificate)
    folder = Path(store.uri.removeprefix("file://")) / "statuses" / sha256
    files = sorted(folder.iterdir())
    original = {path: path.read_bytes() for path in files}

    def broken(message: str) -> None:
        with pytest.raises(VerificationError, match=message):
            chain_read(store, certificate, key)
        for path, data in original.items():
            path.write_bytes(data)

    files[0].write_bytes(original[files[0]].replace(b"A", b"B", 1))
    broken("signature")
    files[0].write_bytes(resigned(original[files[0]], key, cause="another"))
    broken("status number 2 as it was signed")
    files[1].unlink()
    broken("the status list as it was signed, got names other than 2 in a row")
    files[1].write_bytes(original[files[2]])
    files[2].write_bytes(original[files[1]])
    broken("status number 2")
    files[2].write_bytes(resigned(original[files[2]], key, certificateSha256="0" * 64))
    broken("whose subject is another certificate")
    files[2].write_bytes(resigned(original[files[2]], key, status="asleep"))
    broken("the status statement as it was signed")
    files[1].write_bytes(resigned(original[files[1]], key, status="revoked"))
    files[2].write_bytes(resigned(original[files[2]], key, previousSha256=sha256_bytes(files[1].read_bytes())))
    broken("a status after a revocation")
    assert chain_read(store, certificate, key) == ["suspended", "active", "suspended"]


def test_a_statement_by_a_stranger_is_refused(store: Store, certificate: bytes, key: SigningKey) -> None:
    stranger = new_key("ed25519")
    say(store, certificate, SUSPENDED, key=stranger)
    with pytest.raises(VerificationError, match="one of 1 trusted keys"):
        chain_read(store, certificate, key)
    with pytest.raises(VerificationError, match="one of 1 trusted keys"):
        parse_status(document(store, certificate, 1), keys=[key.public_key()])
    assert store.read_document(certificate_name(sha256_bytes(certificate))) == certificate
