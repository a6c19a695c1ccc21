"""What is published: the newest accepted certificate of a model, and nothing that no one could rely on."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from robustcert.certificate.published import document_uri, publish_document, published, read_published
from robustcert.document import rfc3339
from robustcert.errors import StorageError, VerificationError
from robustcert.provenance.digests import sha256_bytes
from robustcert.storage.store import Store, open_store
from tests.certificate.stored import Document, copied_store, expired, issue, rejected, signed
from tests.chain import RUN_ID, Chain

NOW = datetime.now(UTC) + timedelta(days=1)


@pytest.fixture
def store(chain: Chain, tmp_path: Path) -> Store:
    return copied_store(chain, tmp_path)


def document(chain: Chain) -> str:
    certificate = sha256_bytes(chain.files.certificate.read_bytes())
    return f"published/digits/{chain.predicate.model.sha256}/{certificate}.json"


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
        chain, lambda predicate: predicate.update(certifiedAt=rfc3339(NOW), notAfter=rfc3339(NOW + timedelta(days=90)))
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


def test_within_one_second_the_one_that_supersedes_is_the_newer(chain: Chain, store: Store) -> None:
    first = chain.files.certificate.read_bytes()
    second = signed(chain, lambda predicate: predicate.update(supersedes=[sha256_bytes(first)], narrative="another"))
    issue(store, second, run_id="second")
    assert publish_document(store, second, now=NOW).in_force
    assert not publish_document(store, first, now=NOW).in_force


def test_publishers_of_one_second_agree_whoever_came_last(chain: Chain, store: Store) -> None:
    first, second = (
        chain.files.certificate.read_bytes(),
        signed(chain, lambda predicate: predicate.update(narrative="another")),
    )
    issue(store, second, run_id="second")
    for certificate in (first, second, first):
        publish_document(store, certificate, now=NOW)
    (in_force,) = published(store)
    for certificate in (first, second):
        assert publish_document(store, certificate, now=NOW).document == in_force


def test_an_older_publication_that_is_written_last_undoes_nothing(
    chain: Chain, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The newer is published just before the older is written."""
    older = chain.files.certificate.read_bytes()
    newer = signed(
        chain, lambda predicate: predicate.update(certifiedAt=rfc3339(NOW), notAfter=rfc3339(NOW + timedelta(days=90)))
    )
    issue(store, newer, run_id="newer")
    write = type(store).write_document_once

    def late(self: Store, name: str, data: bytes, **more: object) -> None:
        monkeypatch.setattr(type(store), "write_document_once", write)
        publish_document(store, newer, now=NOW)
        write(self, name, data, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(type(store), "write_document_once", late)
    assert not publish_document(store, older, now=NOW).in_force
    assert [item.certificate_sha256 for item in published(store)] == [sha256_bytes(newer)]


def of_another_model(predicate: Document) -> None:
    predicate["model"]["sha256"] = "ab" * 32


def of_the_future(predicate: Document) -> None:
    predicate["certifiedAt"], predicate["notAfter"] = "2999-01-01T00:00:00Z", "2999-02-01T00:00:00Z"


def in_other_digits(predicate: Document) -> None:
    """Arabic digits sort behind all others, so that this would never end."""
    predicate["notAfter"] = "\u0662\u0660\u0662\u0666-01-01T00:00:00Z"


def of_an_impossible_name(predicate: Document) -> None:
    predicate["name"] = "../../objects"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (rejected, "expected a certificate of digits that is in force, got one that was rejected"),
        (expired, "got one that ended at 2020-03-31T00:00:00Z; recertify the model"),
        (of_the_future, "got one certified at 2999-01-01T00:00:00Z, which is yet to come; check the clocks"),
        (in_other_digits, "got the time "),
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


KIND = b'"payloadType":"application/vnd.in-toto+json"'
NO_CERTIFICATES = {
    "empty": b"",
    "an object": b"{}\n",
    "a list": b"[]\n",
    "another kind": b'{"payload":"e30=","payloadType":"x","signatures":[]}\n',
    "signatures that are a number": b'{"payload":"e30=",' + KIND + b',"signatures":5}\n',
    "a payload that is no text": b'{"payload":5,' + KIND + b',"signatures":[1]}\n',
    "a payload beyond ASCII": b'{"payload":"\\ud800",' + KIND + b',"signatures":[1]}\n',
    "deep nesting": b"[" * 100_000,
    "a giant": b'{"a":"' + b"x" * (32 << 20) + b'"}',
}


@pytest.mark.parametrize("data", NO_CERTIFICATES.values(), ids=NO_CERTIFICATES)
def test_a_file_that_is_no_certificate_is_refused(store: Store, data: bytes) -> None:
    with pytest.raises(VerificationError, match="expected "):
        publish_document(store, data, now=NOW)


def test_a_certificate_that_the_store_does_not_hold_is_not_published(chain: Chain, tmp_path: Path) -> None:
    empty = open_store(str(tmp_path / "empty"))
    with pytest.raises(StorageError, match="got none there; issue it into this store"):
        publish_document(empty, chain.files.certificate.read_bytes(), now=NOW)


def test_a_damaged_document_is_said_and_not_overwritten(chain: Chain, store: Store) -> None:
    store.write_document(document(chain), b"{}")
    with pytest.raises(StorageError, match="expected "):
        publish_document(store, chain.files.certificate.read_bytes(), now=NOW)
    assert store.read_document(document(chain)) == b"{}"


def test_a_document_under_another_models_name_is_damaged(chain: Chain, store: Store) -> None:
    publish_document(store, chain.files.certificate.read_bytes(), now=NOW)
    moved = document(chain).replace(chain.predicate.model.sha256, "ab" * 32)
    store.write_document(moved, store.read_document(document(chain)) or b"")
    with pytest.raises(StorageError, match="expected a published certificate"):
        read_published(store, moved)


class Elsewhere:
    """A store at an address with a query."""

    uri = "s3://bucket/prefix?endpoint=https://minio.example&region=x"


def test_the_uri_names_the_document_before_the_query() -> None:
    found = document_uri(Elsewhere(), "published/digits/model.json")  # type: ignore[arg-type]
    assert found == "s3://bucket/prefix/published/digits/model.json?endpoint=https://minio.example&region=x"
