"""Stores that hold many small, real documents: a recorded certificate, changed and signed again."""

from __future__ import annotations

import base64
import copy
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from robustcert.certificate.bundle import certificate_name
from robustcert.certificate.envelope import sign
from robustcert.certificate.keys import SigningKey, VerificationKey, new_key
from robustcert.certificate.published import PublishedCertificate, published_name
from robustcert.certificate.status import Status, StatusChange, write_status
from robustcert.document import rfc3339
from robustcert.drift.record import DriftRecord, write_record
from robustcert.errors import StorageError
from robustcert.provenance.digests import canonical_json, sha256_bytes
from robustcert.storage.folder import FolderStore

RECORDED = Path(__file__).parents[2] / "certificates/v1/0.1.0-ed25519/certificate.json"
NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
Document = dict[str, Any]


class Unflushed(FolderStore):
    """A folder that is filled quickly: nothing waits for the disk. It counts reads, and can refuse to answer."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.reads: Counter[str] = Counter()
        self.down: Callable[[str], bool] = lambda name: False

    def read_document(self, name: str) -> bytes | None:
        self.reads[name] += 1
        self._refuse(name)
        return super().read_document(name)

    def list_documents(self, prefix: str) -> list[str]:
        self._refuse(prefix)
        return super().list_documents(prefix)

    def write_document(self, name: str, data: bytes) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)

    def write_document_once(self, name: str, data: bytes, *, keep_until: datetime | None = None) -> None:
        self.write_document(name, data)

    def _refuse(self, name: str) -> None:
        if self.down(name):
            raise StorageError("expected a store, got no answer; check the network")


def model_sha256(number: int) -> str:
    """The digest of model `number`, as random as a real one."""
    return sha256_bytes(f"model {number}".encode())


@dataclass(kw_only=True)
class Fleet:
    """Writes signed documents of many models into a store; the clock stands at `now`."""

    store: FolderStore
    key: SigningKey = field(default_factory=lambda: new_key("ed25519"))
    now: datetime = NOW

    def __post_init__(self) -> None:
        self._statement: Document = json.loads(base64.b64decode(json.loads(RECORDED.read_bytes())["payload"]))

    @property
    def keys(self) -> tuple[VerificationKey, ...]:
        return (self.key.public_key(),)

    def certificate(
        self,
        number: int,
        *,
        age: timedelta = timedelta(days=1),
        change: Callable[[Document], None] = lambda predicate: None,
        key: SigningKey | None = None,
        subject: str = "",
    ) -> bytes:
        """The signed certificate of model `number`, certified `age` ago for 90 days."""
        statement = copy.deepcopy(self._statement)
        predicate = statement["predicate"]
        predicate["model"]["sha256"] = model_sha256(number)
        certified = self.now - age
        predicate |= {
            "name": f"model-{number}",
            "verdict": "accepted",
            "supersedes": [],
            "certifiedAt": rfc3339(certified),
            "notAfter": rfc3339(certified + timedelta(days=90)),
        }
        predicate["run"]["id"] = f"run-{number}"
        change(predicate)
        statement["subject"][0]["digest"]["sha256"] = subject or model_sha256(number)
        return sign(canonical_json(statement), key or self.key)

    def publish(self, certificate: bytes) -> str:
        """Puts a certificate in its place and publishes it; returns its SHA-256."""
        sha256 = sha256_bytes(certificate)
        self.store.write_document(certificate_name(sha256), certificate)
        document = pointer(certificate)
        self.store.write_document(published_name(document), document.model_dump_json(by_alias=True).encode())
        return sha256

    def add(self, number: int, **options: Any) -> str:
        """Publishes the certificate of model `number`; returns its SHA-256."""
        return self.publish(self.certificate(number, **options))

    def say(self, certificate: bytes, status: Status, *, key: SigningKey | None = None) -> None:
        """Appends to a certificate's chain of statuses."""
        change = StatusChange(status=status, reason="test", cause="a test says so", decided_by="test")
        keys = (*self.keys, *([key.public_key()] if key else []))
        write_status(self.store, certificate, change, key=key or self.key, keys=keys, now=self.now)

    def drift(self, number: int, certificate: str, *, key: SigningKey | None = None, **changes: Any) -> str:
        """Writes a drift record of model `number`; returns the document's name."""
        return write_record(self.store, drift_record(number, certificate, **changes), key=key or self.key)


def pointer(certificate: bytes) -> PublishedCertificate:
    """The published document of a certificate's bytes."""
    predicate = json.loads(base64.b64decode(json.loads(certificate)["payload"]))["predicate"]
    return PublishedCertificate(
        schema_version="1",
        name=predicate["name"],
        certificate_sha256=sha256_bytes(certificate),
        model_sha256=predicate["model"]["sha256"],
        specification_sha256=predicate["specification"]["canonicalSha256"],
        verdict="accepted",
        certified_at=predicate["certifiedAt"],
        not_after=predicate["notAfter"],
        run_id=predicate["run"]["id"],
        supersedes=tuple(predicate["supersedes"]),
    )


def drift_record(number: int, certificate: str, **changes: Any) -> DriftRecord:
    """A drift record in which two signals of five drifted; `changes` replace top-level keys, as in JSON."""
    signals = [("features", "ks", "0.41", "0.05"), ("outputs", "psi", "0.31", "0.02"), ("labels", "js", "0.001", "0.1")]
    document = {
        "schemaVersion": "1",
        "name": f"model-{number}",
        "modelSha256": model_sha256(number),
        "certificateSha256": certificate,
        "reference": {"datasetSha256": "ab" * 32, "split": "test", "rows": 500},
        "window": {
            "source": "s3://traffic/window.parquet",
            "sha256": "cd" * 32,
            "rows": 1000,
            "firstAt": "2026-05-30T00:00:00Z",
            "lastAt": "2026-05-31T00:00:00Z",
            "labelled": 800,
        },
        "policySha256": "ef" * 32,
        "policy": {},
        "signals": [
            {
                "signal": signal,
                "method": method,
                "score": score,
                "threshold": threshold,
                "n": 500,
                "m": 1000,
                "drifted": float(score) > float(threshold),
            }
            for signal, method, score, threshold in signals
        ],
        "tests": [],
        "featuresTested": 64,
        "featuresDrifted": 16,
        "quality": [],
        "qualityRatio": "0.995",
        "estimate": {"accuracy": "0.9", "lower": "0.85", "upper": "0.95", "valid": False, "why": "far away"},
        "realised": {
            "correct": 600,
            "of": 800,
            "lower": "0.71",
            "upper": "0.78",
            "coverage": "0.8",
            "medianDelaySeconds": 3600,
        },
        "segments": [],
        "hints": [],
        "verdict": "drifted",
        "summary": "two of three signals drifted",
        "reportSha256": "12" * 32,
        "evidentlySha256": None,
        "evaluatedAt": "2026-05-31T01:00:00Z",
    }
    return DriftRecord.model_validate_json(json.dumps(document | changes))
