"""What is read of a certificate: what it claims, if it is what its name says and a trusted key signed it."""

from __future__ import annotations

import base64
import json
from datetime import timedelta

from monitoring.exporter.scan import Scanner
from robustcert.certificate.bundle import certificate_name
from robustcert.certificate.keys import new_key
from tests.monitoring.exporter.fleet import NOW, Fleet, Unflushed


def shown(scanner: Scanner) -> dict[str, str]:
    """Model -> the certificate that is shown for it."""
    found = scanner.scan(now=NOW)
    return {model.certificate.name: model.certificate.certificate_sha256 for model in found.models}


def invalid(scanner: Scanner) -> dict[tuple[str, str], int]:
    return {(found.kind, found.reason): count for found, count in scanner.scan(now=NOW).invalid.items()}


def test_documents_that_do_not_verify_are_counted_by_reason_and_never_shown(
    fleet: Fleet, store: Unflushed, scanner: Scanner
) -> None:
    fleet.add(0)
    fleet.add(1, key=new_key("ed25519"))
    certificate = fleet.certificate(2)
    unsigned = certificate.replace(certificate[certificate.index(b'"signatures":') :], b'"signatures":[]}\n')
    store.write_document(certificate_name(fleet.publish(unsigned)), unsigned)
    other = fleet.certificate(3)
    forged = certificate[: certificate.index(b'"sig":')] + other[other.index(b'"sig":') :]
    fleet.publish(forged)
    store.write_document(certificate_name(fleet.add(4)), b"{}\n")
    fleet.add(5, change=lambda predicate: predicate.update(verdict="rejected"))
    fleet.add(6, change=lambda predicate: predicate.pop("limits"))
    fleet.add(7, change=lambda predicate: predicate.update(certifiedAt="2026-02-30T00:00:00Z"))
    fleet.add(8, age=-timedelta(hours=1))
    (document,) = store.list_documents("published/model-0/")
    store.write_document(document.replace("model-0", "model-9"), store.read_document(document) or b"")
    store.write_document("published/stray.json", b"{}")
    assert set(shown(scanner)) == {"model-0"}
    assert invalid(scanner) == {
        ("certificate", "foreign"): 1,
        ("certificate", "unsigned"): 1,
        ("certificate", "signature"): 1,
        ("certificate", "damaged"): 1,
        ("certificate", "rejected"): 1,
        ("certificate", "form"): 2,
        ("certificate", "early"): 1,
        ("certificate", "mismatch"): 1,
        ("published", "form"): 1,
    }


def test_a_certificate_published_as_anothers_is_not_shown(fleet: Fleet, store: Unflushed, scanner: Scanner) -> None:
    """Document and name agree with each other, and not with what was signed."""
    sha256 = fleet.add(0)
    (document,) = store.list_documents("published/")
    moved = document.replace("model-0", "model-9")
    data = (store.read_document(document) or b"").replace(b'"model-0"', b'"model-9"')
    store.write_document(moved, data)
    assert shown(scanner) == {"model-0": sha256}
    assert invalid(scanner) == {("certificate", "mismatch"): 1}


def test_the_facts_are_what_was_signed(fleet: Fleet, scanner: Scanner) -> None:
    """The oracle is the recorded certificate's own JSON."""
    fleet.add(0)
    predicate = json.loads(base64.b64decode(json.loads(fleet.certificate(0))["payload"]))["predicate"]
    (model,) = scanner.scan(now=NOW).models
    facts, results = model.certificate, predicate["results"]
    assert (facts.run_id, facts.method) == ("run-0", "randomized-smoothing-fixed-n")
    assert facts.certified == tuple(
        ("l2", part["radius"], part["accuracy"]["estimate"], part["accuracy"]["lower"])
        for part in results["certifiedAccuracy"]
    )
    assert dict(facts.empirical) == {
        "none": results["cleanAccuracy"]["estimate"],
        **{
            f"{part['threatModel']}-{part['epsilon']}": part["accuracy"]["estimate"]
            for part in results["accuracyUnderAttack"]
        },
    }
    assert facts.not_after - facts.certified_at == timedelta(days=90).total_seconds()
