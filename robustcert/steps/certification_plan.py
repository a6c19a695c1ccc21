"""Step 4: the planned samples are cut into blocks, and the blocks are dealt out to shards by what they still cost."""

from __future__ import annotations

from pathlib import Path

from robustcert.smoothing.forecast import most_draws, typical_draws
from robustcert.smoothing.plan import CertificationPlan, make_plan
from robustcert.specification import Certification
from robustcert.steps.certification_block import STEP as BLOCK_STEP
from robustcert.steps.certification_block import Block, CertificationWork, OpenFiles, certification_work, plan_subject
from robustcert.steps.step import StepInputs, one_line_failures, open_inputs, progress
from robustcert.storage.atomic import write_whole

STEP = "certification_plan"


def plan_certification(
    *, specification: str, store: str, run_token: str, shards: int, dataset: Path, model: Path, plan: Path
) -> list[str]:
    """Writes the plan and returns the names of its shards: `shards` of them, or fewer where there are fewer blocks."""
    with one_line_failures(STEP):
        inputs = open_inputs(specification=specification, store=store, run_token=run_token)
        made = _plan(inputs, certification_work(inputs, dataset=dataset, model=model), shards=shards)
        write_whole(plan, made.model_dump_json(by_alias=True).encode() + b"\n")
        finished = sum(block.cost == 0 for block in made.blocks)
        text = f"blocks: {len(made.blocks)}, already done: {finished}, shards: {len(made.shards)}"
        progress(STEP)(1, 1, text + _draws(inputs.loaded.specification.certification))
        return made.shard_names


def _draws(certification: Certification) -> str:
    """What is expected, where it is not what is fixed."""
    most, typical = most_draws(certification), typical_draws(certification)
    return "" if most == typical else f", draws a sample: about {typical:,}, at most {most:,}"


def _plan(inputs: StepInputs, work: CertificationWork, *, shards: int) -> CertificationPlan:
    written = inputs.loaded.specification
    blocks = OpenFiles(work).planned_blocks(samples=written.certification.samples, seed=written.seed)
    costs = _costs(inputs, work, blocks)
    return make_plan(plan_subject(inputs, work), blocks, costs=costs, shards=shards)


def _costs(inputs: StepInputs, work: CertificationWork, blocks: list[Block]) -> list[int]:
    """Draws that each block is expected to take still; of a method that stops when it knows enough, nobody knows."""
    draws = typical_draws(work.certification)
    finished = set(inputs.store.list_documents(f"steps/{BLOCK_STEP}/"))
    return [0 if work.document_of(block) in finished else len(block) * draws for block in blocks]
