"""One local run of a certifying pipeline, from a read specification to a bundle folder."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from robustcert.certificate.bundle import export_bundle, read_record, record_name, refuse_foreign
from robustcert.commands.progress import STEPS, StepBars
from robustcert.errors import ClaimError, DataError, StorageError
from robustcert.local_run import run_pipeline
from robustcert.provenance.run_record import RunRecord
from robustcert.specification_file import LoadedSpecification
from robustcert.storage.atomic import disk_failure
from robustcert.storage.store import Store

TRAINS, BRINGS = "certified_training", "certify_model"
LOG = "run.log"


@dataclass(frozen=True, kw_only=True)
class RunOrder:
    """What to run, with which key, and where everything goes."""

    loaded: LoadedSpecification
    store: Store
    key: Path
    source_folder: Path
    target: Path
    shards: int
    workers: int
    supersedes: str = ""
    reason: str
    run_token: str = ""


def run_to_bundle(order: RunOrder, *, console: Console) -> tuple[RunRecord, ClaimError | None]:
    """Runs and exports; the ClaimError is that of unmet criteria, whose signed rejection is in the bundle too."""
    refuse_foreign(order.target)
    order.store.sweep(now=datetime.now(UTC))
    run_id = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}"
    name, digest = order.loaded.specification.name, order.loaded.canonical_sha256
    console.print(f"{name}: specification {digest[:12]}, run {run_id}", highlight=False)
    try:
        order.target.mkdir(parents=True, exist_ok=True)
        refusal = _run(order, run_id=run_id, console=console)
    except OSError as error:
        wanted = "a writable folder for the bundle and its log"
        raise StorageError(disk_failure(error, wanted=wanted, path=order.target)) from error
    record = read_record(order.store, run_id)
    export_bundle(order.store, record, order.target)
    return record, refusal


def pipeline_for(loaded: LoadedSpecification) -> str:
    """The pipeline that certifies it: one that trains, or one that takes the user's own model."""
    return BRINGS if loaded.specification.training is None else TRAINS


def absolute(store: str) -> str:
    """A store's URI, or the absolute path of its folder, since steps run in folders of their own."""
    return store if "://" in store or not store else str(Path(store).resolve())


def _run(order: RunOrder, *, run_id: str, console: Console) -> ClaimError | None:
    pipeline = pipeline_for(order.loaded)
    with StepBars(console, steps=_steps(pipeline)) as bars:
        try:
            arguments = _arguments(order, run_id)
            run_pipeline(pipeline, arguments=arguments, log=order.target / LOG, on_progress=bars.show)
        except ClaimError as error:
            if order.store.read_document(record_name(run_id)) is None:
                raise DataError(f"{error}; `robustcert check-data` lists every finding") from error
            return error
    return None


def _steps(pipeline: str) -> list[str]:
    return ["model_import" if (pipeline, step) == (BRINGS, "adversarial_training") else step for step in STEPS]


def _arguments(order: RunOrder, run_id: str) -> dict[str, object]:
    """The pipeline's inputs; the specification goes by its place in the store, since a long text is no parameter."""
    return {
        "specification": order.store.uri_of(order.store.put_bytes(order.loaded.text.encode())),
        "store": order.store.uri,
        "signing_key": str(order.key.resolve()),
        "shards": order.shards,
        "workers": order.workers,
        "source_folder": str(order.source_folder),
        "run_id": run_id,
        "run_token": order.run_token,
        "supersedes": order.supersedes,
        "reason": order.reason,
    }
