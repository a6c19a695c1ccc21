"""One local run of the recertification pipeline, from a certificate in the store to the bundle that supersedes it."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from robustcert.certificate.bundle import export_bundle, read_record, record_name, refuse_foreign
from robustcert.certificate.window import windows_of
from robustcert.commands.pipeline_run import LOG
from robustcert.commands.progress import STEPS, StepBars
from robustcert.errors import ClaimError, DataError, StorageError
from robustcert.local_run import run_pipeline
from robustcert.provenance.run_record import RunRecord
from robustcert.storage.atomic import disk_failure
from robustcert.storage.store import Store

PIPELINE = "recertification"
OWN_STEPS = ("recertification_inputs", "window_evaluation", "recertification_model")


@dataclass(frozen=True, kw_only=True)
class RecertificationOrder:
    """Which certificate to replace and why, with which key, and where everything goes; empty texts for none.

    `trusted_key` is a path, `window` a path or an s3:// URI. `run_id` names the run; one is made where it is empty.
    """

    certificate_sha256: str
    store: Store
    key: Path
    target: Path
    shards: int
    workers: int
    reason: str
    run_token: str
    trusted_key: str
    window: str
    window_sha256: str
    run_id: str = ""


def run_recertification(order: RecertificationOrder, *, console: Console) -> tuple[str, ClaimError | None]:
    """The run's id, and the ClaimError of a claim that no longer holds; DataError for a window off its contract."""
    refuse_foreign(order.target)
    order.store.sweep(now=datetime.now(UTC))
    run_id = order.run_id or f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}"
    console.print(f"recertification of {order.certificate_sha256[:12]}, run {run_id}", highlight=False)
    try:
        order.target.mkdir(parents=True, exist_ok=True)
        refusal = _run(order, run_id=run_id, console=console)
    except OSError as error:
        wanted = "a writable folder for the bundle and its log"
        raise StorageError(disk_failure(error, wanted=wanted, path=order.target)) from error
    if refusal is not None and not (_issued(order.store, run_id) or windows_of(order.store, run_id)):
        raise DataError(str(refusal)) from refusal
    return run_id, refusal


def exported(order: RecertificationOrder, run_id: str) -> RunRecord | None:
    """The record of the run, its bundle written to the target; None where no certificate was made."""
    if not _issued(order.store, run_id):
        return None
    record = read_record(order.store, run_id)
    export_bundle(order.store, record, order.target)
    return record


def _issued(store: Store, run_id: str) -> bool:
    return store.read_document(record_name(run_id)) is not None


def _run(order: RecertificationOrder, *, run_id: str, console: Console) -> ClaimError | None:
    steps = (*OWN_STEPS, *(step for step in STEPS if step not in ("data_validation", "adversarial_training")))
    with StepBars(console, steps=steps) as bars:
        try:
            arguments = _arguments(order, run_id)
            run_pipeline(PIPELINE, arguments=arguments, log=order.target / LOG, on_progress=bars.show)
        except ClaimError as error:
            return error
    return None


def _arguments(order: RecertificationOrder, run_id: str) -> dict[str, object]:
    return {
        "certificate": order.certificate_sha256,
        "reason": order.reason,
        "store": order.store.uri,
        "signing_key": str(order.key.resolve()),
        "trusted_key": order.trusted_key,
        "window_uri": order.window,
        "window_sha256": order.window_sha256,
        "shards": order.shards,
        "workers": order.workers,
        "run_id": run_id,
        "run_token": order.run_token,
    }
