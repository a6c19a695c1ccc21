"""What a run will cost: counts times calibrated seconds, for each step, and how many shards fit a wished time.

Everything but certification runs in one process per step, one step after another. Shards run at the same time, each on
a core or a GPU of its own; the longest one is at most the even share and one block more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path

from robustcert.data.build import build_dataset
from robustcert.data.dataset import Dataset
from robustcert.data.planned_samples import blocks_of
from robustcert.data.sources import load_raw
from robustcert.errors import InputError, expected
from robustcert.estimate.calibration import Calibration, calibrate
from robustcert.estimate.counts import (
    Sizes,
    certification_calls,
    evaluation_calls,
    evaluation_rows,
    sizes_of,
    training_calls,
)
from robustcert.evaluation.suites import load_suite
from robustcert.smoothing.forecast import typical_draws
from robustcert.specification import Specification

CERTIFICATION = "certification"
START_SHARE = 0.05  # of a shard's work that its process' start may take, where no number of shards is asked for
SERIAL_STARTS = 5  # processes one after another: data, training, evaluation, plan, issue


@dataclass(frozen=True, kw_only=True)
class StepCost:
    """One step: what it does, and its seconds without the start of its process, on `device`.

    `seconds` are a guess for a certification whose method stops early; `span` are the least and the most it can take,
    None for everything else.
    """

    step: str
    work: str
    seconds: float
    device: str
    span: tuple[float, float] | None = None


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """The cost of a whole run; `start` are the seconds of one process' start, `block` those of one block."""

    steps: tuple[StepCost, ...]
    sizes: Sizes
    blocks: int
    block: float
    start: float
    device: str
    memory_bytes: int

    @property
    def certification(self) -> float:
        """Seconds of all shards together."""
        return sum(step.seconds for step in self.steps if step.step == CERTIFICATION)

    def processes(self, shards: int) -> int:
        """Processes that are started, one for each step and each shard."""
        return SERIAL_STARTS + min(shards, self.blocks)

    def starts(self, shards: int) -> float:
        """Seconds of the starts of all processes together."""
        return self.processes(shards) * self.start

    @property
    def serial(self) -> float:
        """Seconds of everything that is not cut into shards, the starts of its processes included."""
        return sum(step.seconds for step in self.steps) - self.certification + SERIAL_STARTS * self.start

    def wall(self, shards: int) -> float:
        """Seconds from start to end with this many shards at the same time."""
        cut = min(shards, self.blocks)
        return self.serial + self.start + ceil(self.blocks / cut) * self.certification / self.blocks

    def total(self, shards: int) -> float:
        """Seconds of all processes together."""
        return sum(step.seconds for step in self.steps) + self.starts(shards)


def estimate(specification: Specification, *, folder: Path) -> Estimate:
    """Builds the data set and calibrates on it; relative paths start at `folder`. Raises what these steps raise."""
    dataset = build_dataset(specification.data, load_raw(specification.data, folder=folder), seed=specification.seed)
    return predict(specification, lengths_of(dataset), calibrate(specification, dataset, folder=folder))


def lengths_of(dataset: Dataset) -> dict[str, int]:
    """Samples of each split."""
    return {
        "train": len(dataset.select("train")),
        "validation": len(dataset.select("validation")),
        "test": len(dataset.select("test")),
    }


def predict(specification: Specification, lengths: dict[str, int], found: Calibration) -> Estimate:
    """The estimate that follows from the lengths of the splits and a calibration."""
    sizes = sizes_of(specification, **lengths)
    typical = typical_draws(specification.certification)
    blocks = blocks_of(range(sizes.certified), draws=typical)
    certification = _certification(specification, sizes, found, blocks=[len(block) for block in blocks])
    steps = (
        _training(specification, sizes, found),
        _evaluation(specification, sizes, found),
        certification,
        _issue(specification, sizes, found),
    )
    return Estimate(
        steps=tuple(step for step in steps if step is not None),
        sizes=sizes,
        blocks=len(blocks),
        block=certification.seconds / len(blocks),
        start=found.start,
        device=found.device,
        memory_bytes=found.memory_bytes,
    )


def shards_within(found: Estimate, seconds: float) -> int:
    """The fewest shards that end in time; InputError where no number of them does."""
    for shards in range(1, found.blocks + 1):
        if found.wall(shards) <= seconds:
            return shards
    least = ceil(found.wall(found.blocks))
    remedy = "allow more time, or certify fewer samples or with fewer draws"
    raise InputError(expected(f"at least {least} s with any number of shards", got=f"{seconds:g} s", remedy=remedy))


def sensible_shards(found: Estimate) -> int:
    """As many shards as keep the starts of their processes at START_SHARE of the work."""
    return max(1, min(found.blocks, int(START_SHARE * found.certification / found.start)))


def _training(specification: Specification, sizes: Sizes, found: Calibration) -> StepCost | None:
    if specification.training is None or found.epoch is None or found.validation is None:
        return None
    calls = training_calls(specification.training, sizes)
    return StepCost(
        step="adversarial_training",
        work=f"{calls.epochs} epochs: {calls.updates} updates, {calls.gradients} attack steps",
        seconds=found.optimizer + calls.epochs * (found.epoch + found.validation),
        device=found.device,
    )


def _evaluation(specification: Specification, sizes: Sizes, found: Calibration) -> StepCost:
    calls = evaluation_calls(specification, load_suite(specification.evaluation.suite), sizes)
    return StepCost(
        step="robustness_evaluation",
        work=f"{sizes.evaluated} samples: {calls.gradients} attack steps, {calls.forwards} passes of 256 rows",
        seconds=calls.gradients * found.gradient + calls.forwards * found.forward + calls.starts * found.starting_point,
        device=found.device,
    )


def _certification(
    specification: Specification, sizes: Sizes, found: Calibration, *, blocks: Sequence[int]
) -> StepCost:
    calls = certification_calls(specification.certification, blocks=blocks)
    ends, probes = (calls.least_vote_forwards, calls.most_vote_forwards), calls.blocks * found.probe
    known = ends[0] == ends[1]
    passes = str(calls.vote_forwards) if known else f"{ends[0]} to {ends[1]}, about {calls.vote_forwards},"
    return StepCost(
        step=CERTIFICATION,
        work=f"{sizes.certified} samples in {calls.blocks} blocks: {passes} passes of 256 noisy copies",
        seconds=calls.vote_forwards * found.vote_batch + probes,
        device=found.device,
        span=None if known else (ends[0] * found.vote_batch + probes, ends[1] * found.vote_batch + probes),
    )


def _issue(specification: Specification, sizes: Sizes, found: Calibration) -> StepCost:
    """Reading, hashing and writing rows; the page and the rest, which hardly grow with them, are not counted."""
    suite = load_suite(specification.evaluation.suite)
    rows = sizes.certified + evaluation_rows(specification, suite, sizes)
    return StepCost(step="certificate_issue", work=f"{rows} rows of evidence", seconds=rows * found.row, device="cpu")
