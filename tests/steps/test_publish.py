"""Publishing: the store's document first, then the registry; what is there already stays as it is."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from robustcert.document import rfc3339
from robustcert.errors import InputError, VerificationError, WorldError
from robustcert.provenance.digests import sha256_file
from robustcert.steps.publish import publish_certificate
from robustcert.storage.store import Store
from tests.certificate.stored import copied_store, issue, rejected, signed
from tests.chain import Chain
from tests.model_registry_server import model_registry


@pytest.fixture
def store(chain: Chain, tmp_path: Path) -> Store:
    return copied_store(chain, tmp_path)


def published(store: Store, certificate: Path, *, registry: str = "", token: str = "") -> str:
    return publish_certificate(
        store=store.uri, certificate=certificate, registry=registry, registry_token=token, registry_ca=""
    )


def test_the_output_is_where_the_document_lies(chain: Chain, store: Store) -> None:
    uri = published(store, chain.files.certificate)
    document = json.loads(Path(uri.removeprefix("file://")).read_bytes())
    assert document["certificateSha256"] == sha256_file(chain.files.certificate)


def test_the_registry_learns_what_the_certificate_says_and_where_it_lies(chain: Chain, store: Store) -> None:
    with model_registry() as registry:
        published(store, chain.files.certificate, registry=registry.url)
        (version,) = registry.resource("model_version")
        told = {name: value["string_value"] for name, value in version["customProperties"].items()}
        assert told["robustcert.certificateSha256"] == sha256_file(chain.files.certificate)
        assert told["robustcert.notAfter"] == chain.predicate.not_after
        assert told["robustcert.verdict"] == "accepted"
        assert told["robustcert.specificationSha256"] == chain.predicate.specification.canonical_sha256
        for artifact in registry.resource("artifact"):
            assert Path(artifact["uri"].removeprefix("file://")).is_file()
        registry.changes.clear()
        published(store, chain.files.certificate, registry=registry.url)
        assert registry.changes == []


def test_a_registry_that_is_down_fails_the_step_after_the_document_is_written(chain: Chain, store: Store) -> None:
    with model_registry() as registry:
        url = registry.url
    with pytest.raises(WorldError, match="got no answer"):
        published(store, chain.files.certificate, registry=url)
    assert len(store.list_documents("published/")) == 1


def test_a_wrong_address_fails_before_anything_is_written(chain: Chain, store: Store) -> None:
    with pytest.raises(InputError, match="expected a model registry"):
        published(store, chain.files.certificate, registry="registry")
    assert store.list_documents("published/") == []


def test_an_older_certificate_is_not_registered_over_a_newer_one(chain: Chain, store: Store, tmp_path: Path) -> None:
    newer, soon = tmp_path / "newer", datetime.now(UTC) + timedelta(minutes=5)
    newer.write_bytes(
        signed(
            chain,
            lambda predicate: predicate.update(certifiedAt=rfc3339(soon), notAfter=rfc3339(soon + timedelta(days=1))),
        )
    )
    issue(store, newer.read_bytes(), run_id="newer")
    with model_registry() as registry:
        uri = published(store, newer, registry=registry.url)
        registry.changes.clear()
        assert published(store, chain.files.certificate, registry=registry.url) == uri
        assert registry.changes == []


def test_a_rejection_is_refused_in_one_line(
    chain: Chain, store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record = tmp_path / "rejected"
    record.write_bytes(signed(chain, rejected))
    with pytest.raises(VerificationError, match="got one that was rejected"):
        published(store, record)
    assert capsys.readouterr().err.startswith("::failure publish expected a certificate of digits")
