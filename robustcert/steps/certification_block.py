"""One block of samples, certified once: its rows are a checkpoint in the store and serve every later attempt.

The checkpoint's key is what the rows are a function of, so that a retried, killed or differently sharded run finds it.
Between rounds the votes so far are kept under the same key (`stored_rounds`), so that a kill costs a round at most.
Rows from the store are held to the block: all but the votes themselves is recomputed before they are used.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from robustcert.certificate.smoothing_key import smoothing_key
from robustcert.data.dataset import Dataset, load_dataset
from robustcert.data.digests import sample_sha256
from robustcert.data.planned_samples import blocks_of, planned_samples
from robustcert.errors import RobustcertError
from robustcert.models.execution_device import on_this_machine
from robustcert.models.files import load_model
from robustcert.models.model import LoadedModel
from robustcert.provenance.digests import canonical_json, sha256_file
from robustcert.provenance.environment import environment
from robustcert.smoothing.certify import Row, certify
from robustcert.smoothing.decisions import dense, finished_row
from robustcert.smoothing.forecast import typical_draws
from robustcert.smoothing.plan import PlanSubject
from robustcert.specification import Certification
from robustcert.steps.step import StepInputs
from robustcert.steps.stored_rounds import StoredRounds
from robustcert.storage.finished_steps import document_of, once, step_key
from robustcert.storage.store import Store

STEP = "certification_block"
ROUNDS = "certification_rounds"

Block = tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class CertificationWork:
    """What every block of a run has in common, as a worker is told of it.

    `key_json` is the canonical JSON of all that the rows depend on but their samples.
    """

    model: Path
    dataset: Path
    factory: str | None
    certification: Certification
    key0: int
    key_json: bytes
    run_token: str
    store: str

    @property
    def key(self) -> dict[str, object]:
        """All that the rows depend on but their samples."""
        return dict(json.loads(self.key_json))

    def inputs_of(self, block: Sequence[int]) -> dict[str, object]:
        """What the key of a block's checkpoint is made of."""
        return {**self.key, "samples": list(block), "runToken": self.run_token}

    def document_of(self, block: Sequence[int]) -> str:
        """Name of a block's checkpoint in the store."""
        return document_of(STEP, step_key(STEP, self.inputs_of(block)))

    def rounds_of(self, block: Sequence[int]) -> str:
        """Name of the document that keeps a block's votes between rounds."""
        return document_of(ROUNDS, step_key(STEP, self.inputs_of(block)))


@dataclass(frozen=True, kw_only=True)
class FinishedBlock:
    """The rows of a block, ascending; `reused` where they came from the store."""

    samples: Block
    rows: list[Row]
    reused: bool


class OpenFiles:
    """Model and data set of a work, read when first asked for and kept."""

    def __init__(self, work: CertificationWork) -> None:
        self._work = work

    @cached_property
    def dataset(self) -> Dataset:
        """The test split."""
        return load_dataset(self._work.dataset).select("test")

    @cached_property
    def model(self) -> LoadedModel:
        """The model that votes."""
        return on_this_machine(load_model(self._work.model, factory=self._work.factory))

    def planned_blocks(self, *, samples: int | None, seed: int) -> list[Block]:
        """The planned samples in their blocks."""
        planned = planned_samples(self.dataset.sample_ids.tolist(), samples=samples, seed=seed)
        return blocks_of(planned, draws=typical_draws(self._work.certification))


def certification_work(inputs: StepInputs, *, dataset: Path, model: Path) -> CertificationWork:
    """The work of a run; reads both files for their digests, and loads torch to name the environment."""
    written, dataset_sha256, model_sha256 = inputs.loaded.specification, sha256_file(dataset), sha256_file(model)
    key = {
        "datasetSha256": dataset_sha256,
        "modelSha256": model_sha256,
        "certification": inputs.loaded.canonical_part("certification"),
        "seed": written.seed,
        "environment": environment(),
    }
    return CertificationWork(
        model=model,
        dataset=dataset,
        factory=written.model.factory,
        certification=written.certification,
        key0=smoothing_key(inputs.loaded, model_sha256=model_sha256, dataset_sha256=dataset_sha256),
        key_json=canonical_json(key),
        run_token=inputs.run_token,
        store=inputs.store.uri,
    )


def plan_subject(inputs: StepInputs, work: CertificationWork) -> PlanSubject:
    """The digests that a plan must hold to be this run's."""
    return PlanSubject(
        specification_sha256=inputs.loaded.canonical_sha256,
        dataset_sha256=str(work.key["datasetSha256"]),
        model_sha256=str(work.key["modelSha256"]),
    )


def finished_block(work: CertificationWork, files: OpenFiles, store: Store, block: Block) -> FinishedBlock:
    """The block's rows: those in the store where they belong to it, else made now and stored."""

    def run() -> dict[str, object]:
        rows = certify(
            files.model,
            files.dataset.rows(block),
            certification=work.certification,
            key0=work.key0,
            checkpoint=StoredRounds(store, work.rounds_of(block)),
        )
        return {"rows": rows}

    for _ in range(2):
        outcome = _once(work, store, block, run)
        rows = own_rows(outcome.values, files.dataset.rows(block), certification=work.certification)
        if rows is not None:
            return FinishedBlock(samples=block, rows=rows, reused=outcome.reused)
        store.write_document(work.document_of(block), b"refused\n")
    raise AssertionError("rows that were made just now belong to their block")


def own_rows(values: Mapping[str, Any], samples: Dataset, *, certification: Certification) -> list[Row] | None:
    """The rows that a checkpoint holds, or None unless they are what their own counts amount to on these samples.

    Votes that were replaced by others of the same number can't be told from true ones without a repetition.
    """
    try:
        rows: list[Row] = list(values["rows"])
        again = [_recomputed(rows[place], samples, place, certification) for place in range(len(samples))]
    except (RobustcertError, LookupError, TypeError, ValueError, ArithmeticError):
        return None
    return rows if rows == again else None


def _once(work: CertificationWork, store: Store, block: Block, run: Callable[[], Mapping[str, object]]) -> Any:
    return once(store, step=STEP, inputs=work.inputs_of(block), outputs={}, run=run, clock=lambda: datetime.now(UTC))


def _recomputed(row: Row, samples: Dataset, place: int, certification: Certification) -> Row:
    n_classes = samples.n_classes
    selection, counts = row["selection"], row["counts"]
    return finished_row(
        sample=int(samples.sample_ids[place]),
        input_sha256=sample_sha256(samples.x_int[place]),
        label=int(samples.y[place]),
        selection=dense(selection, fragile=row["selectionFragile"], draws=row["n0"], n_classes=n_classes),
        estimation=dense(counts, fragile=row["fragile"], draws=row["n"], n_classes=n_classes),
        path=row.get("path", ()),
        certification=certification,
        n_classes=n_classes,
    )
