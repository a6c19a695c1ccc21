"""The drift record is signed, found by its model's name, and refused where anything about it is another's."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from robustcert.certificate.envelope import sign
from robustcert.certificate.keys import new_key
from robustcert.drift.record import DriftRecord, newest_record, parse_record, read_record, write_record
from robustcert.errors import StorageError, VerificationError
from robustcert.provenance.digests import canonical_json
from robustcert.storage.store import Store, open_store
from tests.drift.records import MODEL, OTHER, drift_record

KEY, STRANGER = new_key("ed25519"), new_key("ecdsa-p256")
KEYS = (KEY.public_key(),)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(str(tmp_path / "store"))


def statement_of(data: bytes) -> dict[str, Any]:
    statement: dict[str, Any] = json.loads(base64.b64decode(json.loads(data)["payload"]))
    return statement


def window(**changes: Any) -> dict[str, Any]:
    return drift_record().window.model_dump(by_alias=True) | changes


def test_a_record_comes_back_as_it_was_written_whichever_trusted_key_signed_it(store: Store) -> None:
    name = write_record(store, drift_record(), key=STRANGER)
    data = store.read_document(name) or b""
    assert parse_record(data, keys=(*KEYS, STRANGER.public_key())) == drift_record()


def test_the_envelope_is_dsse_around_an_in_toto_statement_about_the_model(store: Store) -> None:
    data = store.read_document(write_record(store, drift_record(), key=KEY)) or b""
    envelope, statement = json.loads(data), statement_of(data)
    assert isinstance(KEY, Ed25519PrivateKey)
    payload = base64.b64decode(envelope["payload"])
    encoded = b"DSSEv1 28 application/vnd.in-toto+json %d %b" % (len(payload), payload)
    KEY.public_key().verify(base64.b64decode(envelope["signatures"][0]["sig"]), encoded)
    assert statement["_type"] == "https://in-toto.io/Statement/v1"
    assert statement["predicateType"] == "urn:robustcert:drift-record:v1"
    assert statement["subject"] == [{"name": "digits/model", "digest": {"sha256": MODEL}}]


def test_a_record_is_named_by_model_end_of_window_and_content(store: Store) -> None:
    name = write_record(store, drift_record(), key=KEY)
    folder, _, file = name.rpartition("/")
    assert folder == f"drift/digits/{MODEL}"
    assert file.startswith("20261121T000000Z-")
    assert len(file) == len("20261121T000000Z-0123456789ab.json")


def test_a_record_signed_by_nobody_trusted_is_refused(store: Store) -> None:
    data = store.read_document(write_record(store, drift_record(), key=STRANGER)) or b""
    with pytest.raises(VerificationError, match="signature"):
        parse_record(data, keys=KEYS)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"predicateType": "urn:robustcert:certificate:v1"}, "predicateType"),
        ({"subject": [{"name": "digits/model", "digest": {"sha256": OTHER}}]}, "of its subject"),
        ({"predicate": {}}, "expected a drift record, got predicate"),
    ],
)
def test_a_signed_statement_that_is_no_record_of_its_subject_is_refused(
    store: Store, change: dict[str, Any], message: str
) -> None:
    statement = statement_of(store.read_document(write_record(store, drift_record(), key=KEY)) or b"")
    with pytest.raises(VerificationError, match=message):
        parse_record(sign(canonical_json(statement | change), KEY), keys=KEYS)


def test_an_unknown_version_is_refused_and_an_unknown_field_is_ignored(store: Store) -> None:
    statement = statement_of(store.read_document(write_record(store, drift_record(), key=KEY)) or b"")
    later = statement | {"predicate": statement["predicate"] | {"colour": "blue"}}
    assert parse_record(sign(canonical_json(later), KEY), keys=KEYS) == drift_record()
    other = statement | {"predicate": statement["predicate"] | {"schemaVersion": "2"}}
    with pytest.raises(VerificationError, match="schemaVersion"):
        parse_record(sign(canonical_json(other), KEY), keys=KEYS)


def test_a_signal_is_drifted_just_where_its_score_is_above_the_threshold() -> None:
    signal = drift_record().signals[0].model_dump(by_alias=True)
    for score, drifted in (("0.004", True), ("0.0041", False)):
        with pytest.raises(ValueError, match="score > threshold"):
            drift_record(signals=(signal | {"score": score, "drifted": drifted},))


def test_the_newest_record_is_that_of_the_latest_window_and_of_its_latest_evaluation(store: Store) -> None:
    assert newest_record(store, "digits", MODEL, keys=KEYS) is None
    earlier = drift_record(window=window(lastAt="2026-11-19T00:00:00Z"), evaluatedAt="2026-12-01T00:00:00Z")
    again = drift_record(evaluatedAt="2026-11-22T00:00:00Z", verdict="drifted")
    for record in (again, drift_record(), earlier):
        write_record(store, record, key=KEY)
    assert newest_record(store, "digits", MODEL, keys=KEYS) == again
    assert newest_record(store, "digits", OTHER, keys=KEYS) is None


def test_a_later_record_that_nobody_trusted_signed_does_not_hide_the_newest_one(store: Store) -> None:
    write_record(store, drift_record(), key=KEY)
    write_record(store, drift_record(evaluatedAt="2027-01-01T00:00:00Z", window=window(lastAt=None)), key=STRANGER)
    assert newest_record(store, "digits", MODEL, keys=KEYS) == drift_record()


def test_a_row_from_the_future_does_not_hide_later_windows(store: Store) -> None:
    wrong_clock = drift_record(window=window(lastAt="2099-01-01T00:00:00Z"))
    later = drift_record(window=window(lastAt="2026-11-22T00:00:00Z"), evaluatedAt="2026-11-22T01:00:00Z")
    for record in (wrong_clock, later):
        write_record(store, record, key=KEY)
    assert newest_record(store, "digits", MODEL, keys=KEYS) == later


def test_a_record_under_the_name_of_another_is_refused_and_passed_over(store: Store) -> None:
    name = write_record(store, drift_record(), key=KEY)
    copied = name.replace("20261121T000000Z", "20261231T000000Z")
    store.write_document(copied, store.read_document(name) or b"")
    with pytest.raises(VerificationError, match="another's bytes"):
        read_record(store, copied, keys=KEYS)
    assert newest_record(store, "digits", MODEL, keys=KEYS) == drift_record()
    assert read_record(store, "drift/digits/none.json", keys=KEYS) is None


def test_a_record_is_never_replaced(store: Store) -> None:
    name = write_record(store, drift_record(), key=KEY)
    assert write_record(store, drift_record(), key=KEY) == name
    with pytest.raises(StorageError, match="other"):
        store.write_document_once(name, b"{}")


def test_a_record_keeps_every_field_of_a_full_one(store: Store) -> None:
    full = drift_record(
        estimate={"accuracy": "0.9", "lower": "0.8", "upper": "0.95", "valid": False, "why": "the domain moved"},
        realised={
            "correct": 90, "of": 100, "lower": "0.82", "upper": "0.95", "coverage": "0.1", "medianDelaySeconds": 60,
        },
        distance={"auroc": "0.51", "fpr95": "0.94", "n": 449, "m": 1000},
        segments=({"segment": "site-a", "rows": 10, "correct": None, "of": None, "drifted": False},),
        quality=({"check": "nulls", "passed": True, "observed": "0", "limit": "0.01", "detail": "none"},),
        hints=("column x moved",),
    )  # fmt: skip
    write_record(store, full, key=KEY)
    found: DriftRecord | None = newest_record(store, "digits", MODEL, keys=KEYS)
    assert found == full
