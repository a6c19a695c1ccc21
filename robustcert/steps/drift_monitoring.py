"""Drift monitoring, one step: a window of production data against a certificate, ending in a signed drift record.

What a scheduled run does, and `robustcert drift`. Drift is an outcome, not an error: the record is written, and alerts
on it do the rest. A step fails only where nothing could be measured: rows that can't be read, a moved baseline.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from robustcert.certificate.bundle import certificate_name
from robustcert.certificate.certified import Certified, find_certificate, open_certified
from robustcert.certificate.keys import SigningKey, VerificationKey, load_signing_key, load_verification_key
from robustcert.certificate.trust import load_trusted_keys, signer_among
from robustcert.drift.assembly import DriftReport, assemble
from robustcert.drift.faults import Fault, inject
from robustcert.drift.monitor import Progress, WindowRequest, monitor
from robustcert.drift.policy import DriftPolicy, parse_policy, read_policy
from robustcert.drift.record import DriftRecord, signed_record, write_record
from robustcert.drift.rows import RowFilter, open_rows
from robustcert.errors import InputError, expected
from robustcert.provenance.run_record import RunRecord
from robustcert.specification_file import recorded_specification
from robustcert.steps.step import one_line_failures, progress
from robustcert.storage.store import Store, open_store

STEP = "drift_monitoring"
MOST_HOURS = 87_600  # ten years
PEM = "-----BEGIN"
FAULT_SEED = 0


@dataclass(frozen=True, kw_only=True)
class DriftOrder:
    """Which certificate, which rows, judged how; empty texts where there is none.

    `certificate`: SHA-256, 8 of its digits or more, or a published name. `window`, `labels`, `reference_window`: paths
    or s3:// URIs. `policy`: a path, an s3:// URI, or the YAML text itself where it has more than one line.
    `trusted_key`: a public key, as PEM text or path, or a folder of them. `last_hours`: only rows of so many hours
    before now; 0 for all. `fault`: planted into the window first, to see what would be found; such a replay leaves
    nothing in the store.
    """

    store: str
    certificate: str
    window: str
    labels: str = ""
    reference_window: str = ""
    policy: str = ""
    trusted_key: str = ""
    last_hours: int = 0
    fault: Fault | None = None


@dataclass(frozen=True, kw_only=True)
class DriftOutcome:
    """The record, the name of its document (empty for a replay), its signed bytes, and the pages."""

    document: str
    signed: bytes
    report: DriftReport

    @property
    def record(self) -> DriftRecord:
        """What was found."""
        return self.report.record


@dataclass(frozen=True, kw_only=True)
class DriftFiles:
    """Where a component's outputs go."""

    report: Path
    evidence: Path
    record: Path


def monitor_drift(order: DriftOrder, *, signing_key: str, passphrase: str | None, files: DriftFiles) -> DriftOutcome:
    """As `measure_drift`, with progress lines; the pages and the signed record are written to `files`."""
    with one_line_failures(STEP):
        key = load_signing_key(Path(signing_key), passphrase=passphrase.encode() if passphrase else None)
        found = measure_drift(order, key=key, now=datetime.now(UTC), on_progress=progress(STEP))
        files.report.write_bytes(found.report.html)
        files.evidence.write_bytes(found.report.evidently or b"")
        files.record.write_bytes(found.signed)
        return found


def measure_drift(order: DriftOrder, *, key: SigningKey, now: datetime, on_progress: Progress) -> DriftOutcome:
    """Measures a window, and puts pages and signed record into the store."""
    store, policy = open_store(order.store), policy_of(order.policy)
    record = find_certificate(store, order.certificate)
    certified = open_certified(store, record, trusted=_issuer(store, record, order.trusted_key))
    with tempfile.TemporaryDirectory(prefix="robustcert-") as scratch:
        request = WindowRequest(
            window=_window(order, certified, Path(scratch)),
            labels=order.labels,
            reference_window=order.reference_window,
            kept=RowFilter(since=_since(order.last_hours, now=now)),
        )
        found = monitor(store, certified, request, policy=policy, now=now, progress=on_progress)
    report = assemble(certified, found, policy=policy, now=now)
    return _stored(store, report, key=key) if order.fault is None else _replayed(report, key=key)


def policy_of(policy: str) -> DriftPolicy:
    """The policy at a path or s3:// URI, in a text of several lines, or the default one; InputError for no policy."""
    if not policy:
        return DriftPolicy()
    if "\n" in policy:
        return parse_policy(policy)
    if not policy.startswith("s3://"):
        return read_policy(Path(policy))
    from robustcert.storage.s3 import fetch_object

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "policy.yaml"
        fetch_object(policy, path)
        return read_policy(path)


def trusted_key_of(key: str) -> VerificationKey | None:
    """A public key, given as PEM text or as the path of a file; None for an empty text."""
    if not key.startswith(PEM):
        return load_verification_key(Path(key)) if key else None
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "trusted_key"
        path.write_text(key)
        return load_verification_key(path)


def _issuer(store: Store, record: RunRecord, trusted: str) -> VerificationKey | None:
    """The trusted key, of a folder's the one that the certificate names; what it says is checked with it next."""
    if not trusted or trusted.startswith(PEM) or not Path(trusted).is_dir():
        return trusted_key_of(trusted)
    certificate = store.read_document(certificate_name(record.certificate_sha256)) or b""
    return signer_among(certificate, load_trusted_keys(Path(trusted)))


def _window(order: DriftOrder, certified: Certified, scratch: Path) -> str:
    """The window itself, or a copy of it with the fault."""
    if order.fault is None:
        return order.window
    text = certified.predicate.specification.text
    data = recorded_specification(text, name="the certificate's specification").specification.data
    with open_rows(order.window, data=data) as source:
        name = f"{Path(source.source).stem}-with-{order.fault.kind}-{order.fault.severity}.parquet"
        return str(inject(source, order.fault, scratch / name, seed=FAULT_SEED).path)


def _since(hours: int, *, now: datetime) -> datetime | None:
    if not 0 <= hours <= MOST_HOURS:
        remedy = "give 0 for all rows"
        raise InputError(expected(f"0 to {MOST_HOURS} as the last hours", got=hours, remedy=remedy))
    return now - timedelta(hours=hours) if hours else None


def _replayed(report: DriftReport, *, key: SigningKey) -> DriftOutcome:
    """Signed as any other, but no document of the store: no alert must ever rest on a planted fault."""
    return DriftOutcome(document="", signed=signed_record(report.record, key=key), report=report)


def _stored(store: Store, report: DriftReport, *, key: SigningKey) -> DriftOutcome:
    """The pages first, so that no record ever names what is not there."""
    store.put_bytes(report.html)
    if report.evidently is not None:
        store.put_bytes(report.evidently)
    document = write_record(store, report.record, key=key)
    return DriftOutcome(document=document, signed=store.read_document(document) or b"", report=report)
