"""A soak of a large certification: thousands of samples, killed at random moments, cut into any number of shards.

    python -m tests.certification_soak --samples 10000 --n 200000 --kills 20

A group-sequential certification of a tiny model, whose samples are mostly easy, is run whole; then by processes that
are killed by SIGKILL at random moments and started again until one ends; then in 4 and in 64 shards, each time in a
store of its own. Every way must give the same evidence, by its digest, and no process may grow with the samples done.
Blocks are so large that most kills fall inside one, and every round is kept.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from robustcert.certificate.evidence import certification_schema
from robustcert.certificate.evidence_merge import merge_certification
from robustcert.data import planned_samples
from robustcert.data.dataset import Dataset, DatasetCard, save_dataset
from robustcert.models.card import ModelCard, identity_preprocessing
from robustcert.models.files import save_model
from robustcert.models.model import build_classifier
from robustcert.smoothing.forecast import typical_draws
from robustcert.specification import Provenance
from robustcert.specification_file import parse_specification
from robustcert.steps import stored_rounds
from robustcert.steps.certification import certify_shard
from robustcert.steps.certification_plan import plan_certification
from tests.chain import small_specification

UNIT = 1 / 4096
SIGMA = 0.5
EVERY_HARD = 200  # one sample in so many lies where a radius is decided late or never
BLOCKS = 80
GROWTH = 1.05
GROWTH_BYTES = 16 << 20
SHARDS = (4, 64)


@dataclass(frozen=True, kw_only=True)
class Ended:
    """One process: exit code, seconds, those until its first line, resident sets (bytes) after half and at the end."""

    code: int
    seconds: float
    first_line: float
    early: int
    late: int


def written(n: int) -> str:
    """The specification: two radii, a large bound on the draws."""
    certification = {
        "sigma": SIGMA, "unit": "input", "radii": [0.5, 1.0], "n0": 32, "n": n, "alpha": 0.001,
        "method": "group-sequential",
    }  # fmt: skip
    acceptance = [{"metric": "certified_accuracy", "comparator": ">=", "threshold": 0.05, "radius": 0.5}]
    return small_specification(certification=certification, acceptance=acceptance)


def make_files(folder: Path, *, samples: int) -> None:
    """A model that asks whether x_0 > 0, and samples of known margins, most of them far."""
    x = np.random.default_rng(0).uniform(-1, 1, (samples, 2))
    x[:, 0] = np.where(np.arange(samples) % 2, 2.5, -2.5)
    hard = np.arange(0, samples, EVERY_HARD)
    x[hard, 0] = np.resize([0.0, 0.5, 0.51, 1.0, -0.5, -1.01], len(hard))
    names = ("a", "b")
    dataset = Dataset(
        card=DatasetCard(
            kind="tabular", shape=(2,), classes=names, source="made-for-a-test", source_sha256="0" * 64,
            provenance=Provenance.model_validate({"source": "a test", "licence": "CC0-1.0", "collectedAt": "2026"}),
            transforms=(),
        ),
        x_int=np.rint(x / UNIT).astype(np.int32), y=(x[:, 0] > 0).astype(np.int64),
        sample_ids=np.arange(samples, dtype=np.int64), split=np.full(samples, 2, dtype=np.int8),
        unit=np.full(2, UNIT), scale=np.ones(2), lower=np.full(2, -64.0), upper=np.full(2, 64.0),
        perturbable=np.ones(2, dtype=bool),
    )  # fmt: skip
    save_dataset(dataset, folder / "dataset")
    card = ModelCard(
        architecture="mlp", parameters={"hidden": (2,)}, input_shape=(2,), classes=names,
        preprocessing=identity_preprocessing((2,)),
    )  # fmt: skip
    classifier = build_classifier(card, seed=0)
    with torch.no_grad():
        for parameter in classifier.parameters():
            parameter.zero_()
        classifier.body.hidden1.weight.copy_(torch.tensor([[1.0, 0.0], [-1.0, 0.0]]))
        classifier.body.output.weight.copy_(torch.tensor([[0.0, 100.0], [100.0, 0.0]]))
    save_model(classifier, card, folder / "model")


def certify_here(files: Path, folder: Path, *, n: int, samples: int, shards: int) -> None:
    """Plans and certifies all shards in this process, with a store in `folder`; leaves the merged table there."""
    specification = written(n)
    certification = parse_specification(specification, name="soak").specification.certification
    planned_samples.DRAWS_PER_BLOCK = max(1, samples // BLOCKS) * typical_draws(certification)
    stored_rounds.SECONDS = 0.0
    given = {"specification": specification, "store": str(folder / "store"), "run_token": ""}
    paths = {"dataset": files / "dataset", "model": files / "model", "plan": folder / "plan"}
    parts = []
    for name in plan_certification(**given, **paths, shards=shards):
        parts.append(folder / f"evidence{name.replace('/', 'of')}")
        record = parts[-1].with_suffix(".record")
        certify_shard(**given, **paths, shard=name, workers=1, evidence=parts[-1], record=record)
    schema = certification_schema(certification.method)
    merge_certification(parts, folder / "merged", sample_ids=range(samples), schema=schema)


def run(arguments: Sequence[str], *, samples: int, kill_after: float | None = None) -> Ended:
    """A process that certifies; killed so many seconds after its start, unless it ends before."""
    command = [sys.executable, "-m", "tests.certification_soak", *arguments]
    started, first, early, late = time.monotonic(), 0.0, 0, 0
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        if kill_after is not None:
            try:
                process.communicate(timeout=kill_after)
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
                process.communicate()
        else:
            for line in process.stdout or ():
                first = first or time.monotonic() - started
                if line.startswith("::progress certification "):
                    done = int(line.split()[2].partition("/")[0])
                    late = max(late, resident(process.pid))
                    early = late if done <= samples // 2 or not early else early
    return Ended(code=process.returncode, seconds=time.monotonic() - started, first_line=first, early=early, late=late)


def resident(pid: int) -> int:
    """Resident set of a process in bytes; 0 where it has ended."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def soak(folder: Path, *, samples: int, n: int, kills: int, shards: Sequence[int], seed: int) -> Iterator[str]:
    """A line for each way that ended in the same digest; AssertionError at the first that does not."""
    make_files(folder, samples=samples)

    def arguments(name: str, number: int) -> list[str]:
        (folder / name).mkdir(exist_ok=True)
        return [f"--{key}={value}" for key, value in (
            ("files", folder), ("work", folder / name), ("n", n), ("samples", samples), ("shards", number)
        )]  # fmt: skip

    whole = run(arguments("whole", 1), samples=samples)
    assert whole.code == 0, f"the whole run ended with {whole.code}"
    assert whole.late <= GROWTH * whole.early + GROWTH_BYTES, f"grew from {whole.early} to {whole.late} bytes"
    digest = digest_of(folder / "whole")
    grown = f"{whole.early >> 20} MiB after half, {whole.late >> 20} at last"
    yield f"whole: {digest[:16]} {whole.seconds:.0f} s, {grown}"
    begun, left, drawn = 0, kills, random.Random(seed)
    while left:
        begun += 1
        made = killed_runs(arguments(f"killed{begun}", 1), whole, samples=samples, kills=left, drawn=drawn)
        left -= made
        assert digest_of(folder / f"killed{begun}") == digest, "kills changed the evidence"
        yield f"killed {made} times: the same"
    for number in shards:
        ended = run(arguments(f"shards{number}", number), samples=samples)
        assert ended.code == 0, f"{number} shards ended with {ended.code}"
        assert digest_of(folder / f"shards{number}") == digest, f"{number} shards changed the evidence"
        made = len(list((folder / f"shards{number}").glob("evidence*of*.record")))
        yield f"{made} shards: the same, {ended.seconds:.0f} s"


def killed_runs(arguments: Sequence[str], whole: Ended, *, samples: int, kills: int, drawn: random.Random) -> int:
    """Runs that are killed at random moments of the work, each going on from the last, until one ends; how many."""
    work = whole.seconds - whole.first_line
    for number in range(kills):
        moment = whole.first_line + drawn.uniform(0, 1.5 * work / (kills + 1))
        if run(arguments, samples=samples, kill_after=moment).code == 0:
            return number
    assert run(arguments, samples=samples).code == 0, "the run after the last kill failed"
    return kills


def digest_of(folder: Path) -> str:
    """SHA-256 of the merged evidence."""
    return hashlib.sha256((folder / "merged").read_bytes()).hexdigest()


def main() -> None:
    """Runs a soak and prints a line for each way, or is one process of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=10_000)
    parser.add_argument("--n", type=int, default=200_000)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--files", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--work", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--shards", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.work is not None:
        certify_here(given.files, given.work, n=given.n, samples=given.samples, shards=given.shards)
        return
    with tempfile.TemporaryDirectory() as place:
        for line in soak(
            Path(place), samples=given.samples, n=given.n, kills=given.kills, shards=SHARDS, seed=given.seed
        ):
            sys.stdout.write(line + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
