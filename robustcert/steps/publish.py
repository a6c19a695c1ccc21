"""Step 7: an accepted certificate is made findable, in the store and, where there is one, in a model registry.

Publishing moves no alias and deploys nothing: it says which certificate is in force for a model.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from robustcert.certificate.bundle import certificate_name
from robustcert.certificate.published import (
    Publication,
    PublishedCertificate,
    document_uri,
    publish_document,
    unverified_statement,
)
from robustcert.model_registry import CertifiedModel, RegistryAddress, register
from robustcert.steps.step import one_line_failures, progress
from robustcert.storage.store import Store, open_store

STEP = "publish"


def publish_certificate(*, store: str, certificate: Path, registry: str, registry_token: str, registry_ca: str) -> str:
    """URI of the document that names the model's certificate in force.

    The registry follows once the document is written: where that fails, the step fails and is tried again.
    """
    with one_line_failures(STEP):
        address = _address(registry, token=registry_token, authorities=registry_ca)
        opened, data = open_store(store), certificate.read_bytes()
        published = publish_document(opened, data, now=datetime.now(UTC))
        if address is not None and published.in_force:
            progress(STEP)(0, 1, f"registering at {registry}")
            model_format = str(unverified_statement(data).predicate.model.card.get("format", ""))
            register(_certified(opened, published.document, model_format=model_format), address=address)
        progress(STEP)(1, 1, _said(published))
        return published.uri


def _address(registry: str, *, token: str, authorities: str) -> RegistryAddress | None:
    return RegistryAddress(url=registry, token=token, authorities=authorities) if registry else None


def _certified(store: Store, document: PublishedCertificate, *, model_format: str) -> CertifiedModel:
    model_uri = store.uri_of(document.model_sha256)
    certificate_uri = document_uri(store, certificate_name(document.certificate_sha256))
    return CertifiedModel(
        name=document.name,
        model_sha256=document.model_sha256,
        model_uri=model_uri,
        model_format=model_format,
        certificate_sha256=document.certificate_sha256,
        certificate_uri=certificate_uri,
        properties={
            "certificateSha256": document.certificate_sha256,
            "certificateUri": certificate_uri,
            "modelSha256": document.model_sha256,
            "modelUri": model_uri,
            "specificationSha256": document.specification_sha256,
            "verdict": document.verdict,
            "certifiedAt": document.certified_at,
            "notAfter": document.not_after,
            "runId": document.run_id,
        },
    )


def _said(published: Publication) -> str:
    if published.in_force:
        return f"in force until {published.document.not_after}"
    return f"certificate {published.document.certificate_sha256[:12]}, which is newer, stays in force"
