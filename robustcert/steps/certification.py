"""Step 4: one shard of the planned samples is certified by randomized smoothing."""

from __future__ import annotations

from pathlib import Path

from robustcert.certificate.evidence import CERTIFICATION_SCHEMA, write_rows
from robustcert.certificate.smoothing_key import smoothing_key
from robustcert.data.dataset import load_dataset
from robustcert.data.planned_samples import planned_samples, shard_of
from robustcert.provenance.digests import sha256_file
from robustcert.provenance.environment import environment
from robustcert.smoothing.certify import certify_files
from robustcert.steps.step import StepInputs, finish_once, one_line_failures, open_inputs, progress

STEP = "certification"


def certify_shard(
    *,
    specification: str,
    store: str,
    run_token: str,
    shard: str,
    workers: int,
    dataset: Path,
    model: Path,
    evidence: Path,
    record: Path,
) -> None:
    """Writes the evidence rows of shard `i/k`; the rows depend on neither k nor the number of workers."""
    with one_line_failures(STEP):
        inputs = open_inputs(specification=specification, store=store, run_token=run_token)
        finish_once(
            inputs,
            step=STEP,
            key=_key(inputs, dataset=dataset, model=model, shard=shard),
            outputs={"evidence": evidence},
            record=record,
            run=lambda: _run(inputs, dataset=dataset, model=model, evidence=evidence, shard=shard, workers=workers),
        )


def _key(inputs: StepInputs, *, dataset: Path, model: Path, shard: str) -> dict[str, object]:
    return {
        "datasetSha256": sha256_file(dataset),
        "modelSha256": sha256_file(model),
        "certification": inputs.loaded.canonical_part("certification"),
        "seed": inputs.loaded.specification.seed,
        "shard": shard,
        "environment": environment(),
    }


def _run(
    inputs: StepInputs, *, dataset: Path, model: Path, evidence: Path, shard: str, workers: int
) -> dict[str, object]:
    written = inputs.loaded.specification
    test_ids = load_dataset(dataset).select("test").sample_ids.tolist()
    planned = planned_samples(test_ids, samples=written.certification.samples, seed=written.seed)
    show, name = progress(STEP), f"shard {shard}"
    rows = certify_files(
        model,
        dataset,
        sample_ids=shard_of(planned, shard),
        certification=written.certification,
        key0=smoothing_key(inputs.loaded, model_sha256=sha256_file(model), dataset_sha256=sha256_file(dataset)),
        workers=workers,
        factory=written.model.factory,
        progress=lambda done, total: show(done, total, name),
    )
    write_rows(rows, evidence, schema=CERTIFICATION_SCHEMA)
    return {"samples": len(rows)}
