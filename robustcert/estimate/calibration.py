"""Seconds of each kind of work on this machine, from a few seconds of the real code on the real data.

Weights hardly matter to a pass: a model of the registered architecture is trained for one short epoch, and attacks run
with epsilon 0 on its own predictions, so that none succeeds. Processor seconds on a CPU, seconds of a clock on a GPU.
"""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import nn

from robustcert.attacks.ball import Ball
from robustcert.attacks.fixed_batches import FIXED_ROWS, logits_of, predictions_of
from robustcert.attacks.pgd import pgd
from robustcert.attacks.random_starts import random_starts
from robustcert.certificate.evidence import CERTIFICATION_SCHEMA, evidence_root, read_rows, write_rows
from robustcert.data.dataset import Dataset
from robustcert.data.planned_samples import planned_samples
from robustcert.models.bring_your_own import import_model
from robustcert.models.canonical_execution import canonical_execution
from robustcert.models.execution_device import execution_device, placed
from robustcert.provenance.environment import peak_memory_bytes
from robustcert.smoothing.certify import grid_noise
from robustcert.smoothing.noise import Stream
from robustcert.smoothing.probe import probe
from robustcert.smoothing.votes import count_votes
from robustcert.specification import Specification
from robustcert.specification_certification import WHEN_ABSENT
from robustcert.threat_model import ThreatModel
from robustcert.training.checkpoints import Validation
from robustcert.training.trainer import train, training_threat

TIMED_SECONDS = 0.5
FEWEST_RUNS = 3
TRAINED_BATCHES = 8
ATTACKED_ROWS = 1024
ATTACK_STEPS = 5
TIMED_BATCHES = 16
TIMED_ROWS = 2000
ROW = {
    "input": "ab" * 32, "label": 0, "candidate": 0, "n0": 100, "selection": [[0, 100]], "selectionFragile": 0,
    "n": 1000, "counts": [[0, 990], [1, 10]], "fragile": 0, "decision": "certified", "radius": "0.123456",
}  # fmt: skip
Clock = Callable[[], float]

START = "import robustcert.steps.robustness_evaluation"
OPTIMIZER = """
import torch
module = torch.nn.Linear(1, 1)
optimizer = torch.optim.AdamW(module.parameters())
torch.autograd.backward(module(torch.zeros(1, 1)).sum())
optimizer.step()
"""


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """Seconds: of a process' start; of an epoch without validation and of a validation (None without training); of one
    gradient, one forward pass and one starting point of an attack; of a batch of votes and of a probe; of a row of
    evidence that is written, read and hashed. `optimizer` are those until a new process has made its first optimizer
    step, without its start.

    `memory_bytes` is the largest resident set that this run had.
    """

    device: str
    start: float
    optimizer: float
    epoch: float | None
    validation: float | None
    gradient: float
    forward: float
    starting_point: float
    vote_batch: float
    probe: float
    row: float
    memory_bytes: int


def calibrate(specification: Specification, dataset: Dataset, *, folder: Path) -> Calibration:
    """Times each kind of work; relative paths of an own model start at `folder`. Raises what training and import do."""
    device, start = execution_device("auto"), _child(START)
    clock = time.perf_counter if device.type == "cuda" else time.process_time
    epoch, validation, module = _training(specification, dataset, clock=clock, folder=folder)
    test = dataset.select("test")
    with canonical_execution():
        module = placed(module, device)
        attack = _attack(module, test, specification, clock=clock)
        votes, probed = _votes(module, test, specification, clock=clock)
    return Calibration(
        device=torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
        start=start,
        optimizer=max(0.0, _child(START + OPTIMIZER) - start) if epoch is not None else 0.0,
        epoch=epoch,
        validation=validation,
        gradient=attack[0],
        forward=attack[1],
        starting_point=attack[2],
        vote_batch=votes,
        probe=probed,
        row=_row(),
        memory_bytes=peak_memory_bytes(),
    )


def seconds(run: Callable[[], object], *, clock: Clock = time.process_time) -> float:
    """Median seconds of a run: at least FEWEST_RUNS of them after one that is not timed, TIMED_SECONDS together."""
    run()
    found: list[float] = []
    while len(found) < FEWEST_RUNS or sum(found) < TIMED_SECONDS:
        start = clock()
        run()
        found.append(clock() - start)
    return statistics.median(found)


def _training(
    specification: Specification, dataset: Dataset, *, clock: Clock, folder: Path
) -> tuple[float | None, float | None, nn.Module]:
    if specification.training is None:
        with tempfile.TemporaryDirectory() as scratch:
            target = Path(scratch) / "model"
            return None, None, import_model(specification.model, dataset=dataset, folder=folder, target=target).module
    short = specification.model_copy(update={"training": specification.training.model_copy(update={"epochs": 1})})
    some = _some_batches(dataset, rows=TRAINED_BATCHES * specification.training.batch_size)
    threat = training_threat(specification)
    result = train(short, some, seed=specification.seed)
    validation = Validation(some.select("validation"), threat, seed=specification.seed)
    module = placed(result.classifier, execution_device("auto"))
    with canonical_execution():
        seen = seconds(lambda: validation.score(module), clock=clock)
    whole = seconds(lambda: train(short, some, seed=specification.seed), clock=clock)
    share = len(dataset.select("train")) / len(some.select("train"))
    with canonical_execution():
        full = _validation(module, some.select("validation"), threat, seed=specification.seed, clock=clock)
    return max(0.0, whole - seen) * share, full, result.classifier


def _some_batches(dataset: Dataset, *, rows: int) -> Dataset:
    """The first rows of the training split, and what validation takes of its own."""
    validation = dataset.select("validation").sample_ids.tolist()
    chosen = planned_samples(validation, samples=min(1000, len(validation)), seed=0)
    return dataset.rows([*dataset.select("train").sample_ids[:rows].tolist(), *chosen])


def _validation(module: nn.Module, dataset: Dataset, threat: ThreatModel, *, seed: int, clock: Clock) -> float:
    """Seconds of a validation in which every sample is right and stays so."""
    predicted = _with_labels(dataset, predictions_of(module, torch.from_numpy(dataset.x())).numpy())
    return seconds(lambda: _attacked(module, predicted, threat, steps=10, seed=seed), clock=clock)


def _with_labels(dataset: Dataset, y: np.ndarray) -> Dataset:
    """The same inputs with other labels."""
    return replace(dataset, y=y.astype(np.int64))


def _attacked(module: nn.Module, dataset: Dataset, threat: ThreatModel, *, steps: int, seed: int) -> object:
    x_NX, y_N = torch.from_numpy(dataset.x()), torch.from_numpy(dataset.y)
    logits_of(module, x_NX)
    return pgd(
        module,
        x_NX,
        y_N,
        ball=Ball.from_threat(threat, dataset, epsilon=0.0),
        steps=steps,
        restarts=1,
        sample_ids=dataset.sample_ids.tolist(),
        seed=seed,
    )


def _attack(
    module: nn.Module, test: Dataset, specification: Specification, *, clock: Clock
) -> tuple[float, float, float]:
    """Seconds of a gradient step and of a forward pass, each of a fixed batch, and of one random start."""
    rows = min(ATTACKED_ROWS, specification.evaluation.samples or len(test), len(test))
    some = test.rows(test.sample_ids[:rows])
    x_NX = torch.from_numpy(some.x())
    some = _with_labels(some, predictions_of(module, x_NX).numpy())
    batches = -(-rows // FIXED_ROWS)
    forward = seconds(lambda: logits_of(module, x_NX), clock=clock) / batches
    gradients, starts = [], []
    for threat in specification.threat_models:
        whole = seconds(lambda: _attacked(module, some, threat, steps=ATTACK_STEPS, seed=0), clock=clock)  # noqa: B023
        gradients.append((whole / batches - 2 * forward) / ATTACK_STEPS)
        ball = Ball.from_threat(threat, some)
        ids = some.sample_ids.tolist()
        starts.append(seconds(lambda: random_starts(ball, sample_ids=ids, restart=1, seed=0), clock=clock) / rows)  # noqa: B023
    return statistics.mean(gradients), forward, statistics.mean(starts)


def _votes(module: nn.Module, test: Dataset, specification: Specification, *, clock: Clock) -> tuple[float, float]:
    """Seconds of a batch of votes, and of a probe."""
    wanted = specification.certification
    noise, precision = grid_noise(test, wanted, key0=0), wanted.precision or WHEN_ABSENT["precision"]
    votes = seconds(
        lambda: count_votes(
            module,
            test.x_int[0],
            noise=noise,
            sample_id=0,
            stream=Stream.ESTIMATION,
            draws=TIMED_BATCHES * FIXED_ROWS,
            n_classes=test.n_classes,
            precision=precision,
        ),
        clock=clock,
    )
    probed = seconds(
        lambda: probe(
            module,
            test.x_int[0],
            noise=noise,
            sample_id=0,
            sigma=wanted.sigma,
            scale=test.perturbation_scale(wanted.unit),
            n_classes=test.n_classes,
            precision=precision,
        ),
        clock=clock,
    )
    return votes / TIMED_BATCHES, probed


def _row() -> float:
    rows = [{"sample": sample, **ROW} for sample in range(TIMED_ROWS)]
    with tempfile.TemporaryDirectory() as scratch:
        table = Path(scratch) / "rows"

        def issue() -> None:
            write_rows(rows, table, schema=CERTIFICATION_SCHEMA)
            evidence_root(read_rows(table, schema=CERTIFICATION_SCHEMA))

        return seconds(issue) / TIMED_ROWS


def _child(program: str) -> float:
    """Processor seconds of a new process that runs `program`."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", program], check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
