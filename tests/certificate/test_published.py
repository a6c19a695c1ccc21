"""What is published: the newest accepted certificate of a model, and nothing that no one could rely on."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from robustcert.certificate.published import document_uri, publish_document, published, read_published
from robustcert.errors import StorageError, VerificationError
from robustcert.provenance.digests import sha256_bytes
from robustcert.storage.store import Store, open_store
from tests.certificate.stored import Document, copied_store, expired, issue, rejected, signed
from tests.chain import RUN_ID, Chain

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def store(chain: Chain, tmp_path: Path) -> Store:
    return copied_store(chain, tmp_path)


def document(chain: Chain) -> str:
    return f"published/digits/{chain.predicate.model.sha256}.json"


def test_the_document_says_what_the_certificate_says(chain: Chain, store: Store) -> None:
    certificate = chain.files.certificate.read_bytes()
    found = publish_document(store, certificate, now=NOW)
    assert found.uri == f"{store.uri}/{document(chain)}"
    assert found.in_force
    assert json.loads(store.read_document(document(chain)) or b"") == {
        "schemaVersion": "1",
        "name": "digits",
        "certificateSha256": sha256_bytes(certificate),
        "modelSha256": chain.predicate.model.sha256,
        "specificationSha256": chain.predicate.specification.canonical_sha256,
        "verdict": "accepted",
        "certifiedAt": chain.predicate.certified_at,
        "notAfter": chain.predicate.not_after,
        "runId": RUN_ID,
        "supersedes": [],
    }
    assert published(store) == published(store, name="digits") == [found.document]
    assert published(store, name="digit") == []


def test_only_a_newer_certificate_takes_the_place(chain: Chain, store: Store) -> None:
    first = chain.files.certificate.read_bytes()
    newer = signed(
        chain, lambda predicate: predicate.update(certifiedAt="2999-01-01T00:00:00Z", notAfter="2999-03-01T00:00:00Z")
    )
    older = signed(chain, lambda predicate: predicate.update(certifiedAt="2025-12-31T00:00:00Z"))
    for number, certificate in enumerate((newer, older)):
        issue(store, certificate, run_id=f"run-{number}")
    assert publish_document(store, first, now=NOW).in_force
    assert not publish_document(store, older, now=NOW).in_force
    assert publish_document(store, newer, now=NOW).in_force
    stays = publish_document(store, first, now=NOW)
    assert not stays.in_force
    assert stays.document.certificate_sha256 == sha256_bytes(newer)


@pytest.mark.parametrize("supersedes", [True, False])
def test_within_one_second_the_one_that_supersedes_is_the_newer(chain: Chain, store: Store, supersedes: bool) -> None:
    first = chain.files.certificate.read_bytes()
    named = [sha256_bytes(first)] if supersedes else []
    second = signed(chain, lambda predicate: predicate.update(supersedes=named, narrative="another"))
    issue(store, second, run_id="second")
    publish_document(store, first, now=NOW)
    assert publish_document(store, second, now=NOW).in_force is supersedes


def of_another_model(predicate: Document) -> None:
    predicate["model"]["sha256"] = "ab" * 32


def of_an_impossible_name(predicate: Document) -> None:
    predicate["name"] = "../../objects"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (rejected, "expected a certificate of digits that is in force, got one that was rejected"),
        (expired, "got one that ended at 2020-03-31T00:00:00Z; recertify the model"),
        (of_another_model, "got one whose subject is another model"),
        (of_an_impossible_name, "got one of the name '../../objects'"),
        (lambda predicate: predicate.pop("notAfter"), "got predicate.notAfter: Field required"),
    ],
)
def test_what_no_one_may_rely_on_is_refused(chain: Chain, store: Store, change: object, reason: str) -> None:
    certificate = signed(chain, change)  # type: ignore[arg-type]
    issue(store, certificate, run_id="other")
    with pytest.raises(VerificationError) as error:
        publish_document(store, certificate, now=NOW)
    assert reason in str(error.value)
    assert store.list_documents("published/") == []


@pytest.mark.parametrize("data", [b"", b"{}\n", b"[]\n", b'{"payload":"e30=","payloadType":"x","signatures":[]}\n'])
def test_a_file_that_is_no_certificate_is_refused(store: Store, data: bytes) -> None:
    with pytest.raises(VerificationError, match="expected "):
        publish_document(store, data, now=NOW)


def test_a_certificate_that_the_store_does_not_hold_is_not_published(chain: Chain, tmp_path: Path) -> None:
    empty = open_store(str(tmp_path / "empty"))
    with pytest.raises(StorageError, match="got none there; issue it into this store"):
        publish_document(empty, chain.files.certificate.read_bytes(), now=NOW)


def test_a_damaged_document_is_said_and_not_overwritten(chain: Chain, store: Store) -> None:
    store.write_document(document(chain), b"{}")
    with pytest.raises(StorageError, match="expected a published certificate"):
        publish_document(store, chain.files.certificate.read_bytes(), now=NOW)
    assert store.read_document(document(chain)) == b"{}"


def test_a_document_under_another_models_name_is_damaged(chain: Chain, store: Store) -> None:
    publish_document(store, chain.files.certificate.read_bytes(), now=NOW)
    moved = f"published/digits/{'ab' * 32}.json"
    store.write_document(moved, store.read_document(document(chain)) or b"")
    with pytest.raises(StorageError, match="expected a published certificate"):
        read_published(store, moved)


class Elsewhere:
    """A store at an address with a query."""

    uri = "s3://bucket/prefix?endpoint=https://minio.example&region=x"


def test_the_uri_names_the_document_before_the_query() -> None:
    found = document_uri(Elsewhere(), "published/digits/model.json")  # type: ignore[arg-type]
    assert found == "s3://bucket/prefix/published/digits/model.json?endpoint=https://minio.example&region=x"
