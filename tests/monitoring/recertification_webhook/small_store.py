"""A folder store with certificates of many models: small, validly signed, made of one that a released version issued.

Only what the controller reads is made to fit: name, subject, verdict, times, run. Nothing behind them was certified.
"""

from __future__ import annotations

import base64
import hashlib
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from robustcert.certificate.bundle import certificate_name, record_name
from robustcert.certificate.envelope import sign
from robustcert.certificate.keys import SigningKey, load_signing_key, new_key, write_key_pair
from robustcert.certificate.published import publish_document
from robustcert.provenance.digests import canonical_json
from robustcert.storage.store import Store, open_store

RECORDED = Path(__file__).parents[2] / "certificates/v1/0.1.0-ed25519/certificate.json"
DAY = timedelta(days=1)


class SmallStore:
    """The store at `folder`, its issuer's key pair beside it; `issue` puts certificates in."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store: Store = open_store(str(folder / "store"))
        self.private, self.public = folder / "issuer", folder / "issuer.pub"
        if not self.private.exists():
            folder.mkdir(parents=True, exist_ok=True)
            write_key_pair(self.private, new_key("ed25519"), passphrase=None)
        self.key: SigningKey = load_signing_key(self.private, passphrase=None)
        recorded = json.loads(RECORDED.read_bytes())["payload"]
        self._statement: bytes = base64.b64decode(recorded)

    def issue(
        self,
        name: str,
        *,
        model: str = "",
        run_id: str = "first",
        verdict: str = "accepted",
        certified_at: datetime | None = None,
        days: float = 90,
        supersedes: tuple[str, ...] = (),
        publish: bool = True,
        record: bool = True,
        retrain: bool = False,
    ) -> str:
        """SHA-256 of a new certificate of the model `model` (by default the one that `name` stands for)."""
        start = certified_at or datetime.now(UTC)
        statement: dict[str, Any] = json.loads(self._statement)
        predicate = statement["predicate"]
        digest = model or model_sha256(name)
        statement["subject"][0]["digest"]["sha256"] = digest
        predicate["model"]["sha256"] = digest
        predicate |= {"name": name, "verdict": verdict, "supersedes": list(supersedes)}
        predicate |= {"certifiedAt": stamp(start), "notAfter": stamp(start + days * DAY)}
        predicate["run"]["id"] = run_id
        if retrain:
            allowed = 'recertification: {retrain: allowed}\nrationale: {recertification.retrain: "drift is expected"}\n'
            text = predicate["specification"]["text"]
            assert "\nrationale:" not in text
            predicate["specification"]["text"] = f"{text}\n{allowed}"
        certificate = sign(canonical_json(statement), self.key)
        sha256 = hashlib.sha256(certificate).hexdigest()
        self.store.write_document(certificate_name(sha256), certificate)
        if record:
            self.store.write_document(record_name(run_id), _record(name, digest, sha256, run_id, verdict, start))
        if publish and verdict == "accepted":
            publish_document(self.store, certificate, now=start)
        return sha256

    def window(
        self, name: str, *, run_id: str, certificate: str, holds: bool, model: str = "", second: int = 0
    ) -> None:
        """The document of a window evaluation of that run."""
        digest = model or model_sha256(name)
        rate = {"count": 1, "of": 2, "estimate": "0.5", "lower": "0.01", "upper": "0.99", "confidence": "0.95"}
        criterion = {"metric": "clean_accuracy", "comparator": ">=", "threshold": "0.9", "kind": "empirical"}
        found = {
            "schemaVersion": "1",
            "runId": run_id,
            "name": name,
            "certificateSha256": certificate,
            "modelSha256": digest,
            "specificationSha256": "0" * 64,
            "source": "window.npz",
            "sourceSha256": "1" * 64,
            "windowSha256": "2" * 64,
            "rows": 2,
            "samples": 2,
            "classCounts": {"0": 2},
            "suite": "standard@1",
            "suiteSha256": "3" * 64,
            "validity": [],
            "valid": True,
            "cleanAccuracy": rate,
            "accuracyUnderAttack": [],
            "criteria": [{**criterion, "observed": "0.01", "met": holds}],
            "holds": holds,
            "evidence": {"sha256": "4" * 64, "rows": 2, "merkleRoot": "5" * 64},
            "evaluatedAt": f"2026-01-01T00:00:{second:02}Z",
        }
        self.store.write_document(f"windows/{run_id}/{digest}.json", json.dumps(found).encode())


def model_sha256(name: str) -> str:
    """The digest of the model that a name stands for."""
    return hashlib.sha256(name.encode()).hexdigest()


def version_of(name: str) -> str:
    """Its version."""
    return model_sha256(name)[:12]


def stamp(moment: datetime) -> str:
    """RFC 3339 to the second."""
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def _record(name: str, model: str, certificate: str, run_id: str, verdict: str, at: datetime) -> bytes:
    digest = "0" * 64
    record = {
        "schemaVersion": "1",
        "runId": run_id,
        "name": name,
        "reason": "a test",
        "outcome": verdict,
        "specificationSha256": digest,
        "certificateSha256": certificate,
        "modelSha256": model,
        "dataMerkleRoot": digest,
        "files": {"certificate.json": certificate},
        "steps": [],
        "environment": {},
        "environmentSha256": digest,
        "source": None,
        "startedAt": stamp(at),
        "finishedAt": stamp(at),
    }
    return json.dumps(record).encode()
