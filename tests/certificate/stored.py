"""Stores for tests that hold other certificates of the chain's run than the one it issued."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from robustcert.certificate.bundle import CERTIFICATE, certificate_name, record_name
from robustcert.certificate.envelope import sign
from robustcert.certificate.keys import load_signing_key
from robustcert.provenance.digests import canonical_json
from robustcert.storage.store import Store, open_store
from tests.certificate.tampering import statement_of
from tests.chain import RUN_ID, Chain

Document = dict[str, Any]


def copied_store(chain: Chain, folder: Path) -> Store:
    """A copy of the chain's store, which a test may change."""
    shutil.copytree(chain.store, folder / "store")
    return open_store(str(folder / "store"))


def signed(chain: Chain, change: Callable[[Document], None], *, subject: str | None = None) -> bytes:
    """The chain's certificate with a changed predicate (and subject), signed again with the right key."""
    statement = statement_of(chain)
    change(statement["predicate"])
    if subject is not None:
        statement["subject"][0]["digest"]["sha256"] = subject
    return sign(canonical_json(statement), load_signing_key(chain.signing_key, passphrase=None))


def issue(store: Store, certificate: bytes, *, run_id: str, **files: str) -> str:
    """Puts a certificate and a record of a run that made it into the store; returns its SHA-256.

    `files` are other digests of the bundle's files than the chain's, by name without the suffix.
    """
    sha256 = store.put_bytes(certificate)
    store.write_document(certificate_name(sha256), certificate)
    record = json.loads(store.read_document(record_name(RUN_ID)) or b"")
    record["files"] |= {name: files[Path(name).stem] for name in record["files"] if Path(name).stem in files}
    record["files"][CERTIFICATE] = sha256
    changed = record | {"certificateSha256": sha256, "runId": run_id}
    store.write_document(record_name(run_id), json.dumps(changed).encode())
    return sha256


def expired(predicate: Document) -> None:
    """As if it had been issued years ago."""
    predicate["certifiedAt"], predicate["notAfter"] = "2020-01-01T00:00:00Z", "2020-03-31T00:00:00Z"


def rejected(predicate: Document) -> None:
    predicate["verdict"] = "rejected"
