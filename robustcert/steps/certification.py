"""Step 5: the blocks of one shard are certified by randomized smoothing, each once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache, partial
from pathlib import Path

from robustcert.certificate.evidence import certification_schema, write_rows
from robustcert.provenance.digests import canonical_json, sha256_bytes
from robustcert.smoothing.certify import Row
from robustcert.smoothing.forecast import Forecast
from robustcert.smoothing.plan import read_plan
from robustcert.smoothing.workers import each_in_workers
from robustcert.steps.certification_block import (
    Block,
    CertificationWork,
    FinishedBlock,
    OpenFiles,
    certification_work,
    finished_block,
    plan_subject,
)
from robustcert.steps.step import StepInputs, at_least_one, finish_once, one_line_failures, open_inputs, progress
from robustcert.storage.store import Store, open_store

STEP = "certification"

Told = Callable[[int, int, str], None]


def certify_shard(
    *,
    specification: str,
    store: str,
    run_token: str,
    shard: str,
    workers: int,
    dataset: Path,
    model: Path,
    plan: Path,
    evidence: Path,
    record: Path,
) -> None:
    """Writes the evidence rows of shard `i/k` of the plan; a row depends on neither plan nor number of workers."""
    with one_line_failures(STEP):
        at_least_one("workers", workers)
        inputs = open_inputs(specification=specification, store=store, run_token=run_token)
        work = certification_work(inputs, dataset=dataset, model=model)
        files = OpenFiles(work)
        blocks = _blocks(inputs, work, files, plan=plan, shard=shard)
        finish_once(
            inputs,
            step=STEP,
            key={**work.key, "samplesSha256": sha256_bytes(canonical_json(blocks))},
            outputs={"evidence": evidence},
            record=record,
            run=lambda: _run(
                _finished(work, files, inputs.store, blocks, workers=workers),
                blocks,
                work=work,
                evidence=evidence,
                shard=shard,
            ),
        )


def _blocks(inputs: StepInputs, work: CertificationWork, files: OpenFiles, *, plan: Path, shard: str) -> list[Block]:
    written = inputs.loaded.specification
    planned = files.planned_blocks(samples=written.certification.samples, seed=written.seed)
    samples = [sample for block in planned for sample in block]
    return read_plan(plan, subject=plan_subject(inputs, work), planned=samples).blocks_of(shard)


def _run(
    found: Iterable[FinishedBlock], blocks: Sequence[Block], *, work: CertificationWork, evidence: Path, shard: str
) -> dict[str, object]:
    samples = sum(map(len, blocks))
    forecast = Forecast(work.certification, samples=samples)
    told = _told(found, samples, forecast, name=f"shard {shard}", show=progress(STEP))
    write_rows(_rows_in_order(told, blocks), evidence, schema=certification_schema(work.certification.method))
    return {"samples": samples}


def _finished(
    work: CertificationWork, files: OpenFiles, store: Store, blocks: Sequence[Block], *, workers: int
) -> Iterator[FinishedBlock]:
    """The blocks as they are finished, in any order."""
    if workers > 1 and len(blocks) > 1:
        return each_in_workers(partial(_finish_in_worker, work), blocks, workers=workers)
    return (finished_block(work, files, store, block) for block in blocks)


def _finish_in_worker(work: CertificationWork, block: Block) -> FinishedBlock:
    return finished_block(work, *_open_once(work), block)


@lru_cache(maxsize=1)
def _open_once(work: CertificationWork) -> tuple[OpenFiles, Store]:
    """Only for workers, which live as long as one call: a file may change between two."""
    return OpenFiles(work), open_store(work.store)


def _told(
    found: Iterable[FinishedBlock], samples: int, forecast: Forecast, *, name: str, show: Told
) -> Iterator[FinishedBlock]:
    """The same blocks; a progress line after each counts the samples so far and tells what may be left."""
    done = 0
    for block in found:
        done += len(block.samples)
        if block.reused:
            forecast.reused(len(block.samples))
        else:
            forecast.done(len(block.samples), draws=sum(row["n0"] + row["n"] for row in block.rows))
        parts = [name, "already done" if block.reused else "", forecast.text()]
        show(done, samples, ", ".join(filter(None, parts)))
        yield block


def _rows_in_order(found: Iterable[FinishedBlock], blocks: Sequence[Block]) -> Iterator[Row]:
    """Rows by ascending sample; only blocks that are early are held."""
    early: dict[Block, list[Row]] = {}
    waiting = iter(blocks)
    wanted = next(waiting, None)
    for block in found:
        early[block.samples] = block.rows
        while wanted in early:
            yield from early.pop(wanted)
            wanted = next(waiting, None)
