"""What methods that stop when they know enough save on the digits model, beside fixed n = 100,000 for the same answers.

    OMP_NUM_THREADS=1 python -m benchmarks.smoothing_savings --samples 60

The model of examples/digits.yaml is trained, then its test samples are certified by each method, in one process and on
one thread, with the same key and at most 100,000 votes: at one radius and for a curve of six (group-sequential), and
for each sample's radius to within 10 % (adaptive-pilot). Processor seconds are told beside those of a
clock, since other work may share the cores. Fixed n answers "certified at r" by its radius.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import nn

from robustcert.data.build import build_dataset
from robustcert.data.dataset import Dataset
from robustcert.data.planned_samples import planned_samples
from robustcert.data.sources import load_raw
from robustcert.smoothing.certify import Row, Subject, certify
from robustcert.specification import Certification
from robustcert.specification_file import parse_specification
from robustcert.specification_template import template
from robustcert.training.trainer import train

CURVE = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5)  # as far as the digits specification asks


@dataclass(frozen=True, kw_only=True)
class Trained:
    """What `certify` takes."""

    module: nn.Module


@dataclass(frozen=True, kw_only=True)
class Timed:
    """Rows of one method, and what they took."""

    rows: list[Row]
    wall: float
    processor: float

    @property
    def draws(self) -> float:
        """Mean draws of a sample."""
        return statistics.mean(row["n0"] + row["n"] for row in self.rows)


@dataclass(frozen=True, kw_only=True)
class Saving:
    """One method beside fixed n: how many times fewer draws and seconds; `kept` of the certified points."""

    question: str
    draws: float
    wall: float
    processor: float
    kept: float
    equal: float


def main() -> None:
    """Prints one line for each question."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--samples", type=int, default=60)
    parser.add_argument("--fixed", type=int, default=100_000, help="votes of fixed n")
    given = parser.parse_args()
    for saving in savings(*trained(), samples=given.samples, n=given.fixed):
        print(
            f"{saving.question:42} draws {saving.draws:5.1f}x  clock {saving.wall:5.1f}x  processor "
            f"{saving.processor:5.1f}x  same decisions {saving.equal:.3f}  certified points kept {saving.kept:.3f}"
        )


def trained() -> tuple[Subject, Dataset]:
    """The model of the digits template and its test split."""
    written = parse_specification(template("digits"), name="digits").specification
    dataset = build_dataset(written.data, load_raw(written.data, folder=Path()), seed=written.seed)
    return Trained(module=train(written, dataset, seed=written.seed).classifier.eval()), dataset.select("test")


def savings(model: Subject, test: Dataset, *, samples: int, n: int) -> list[Saving]:
    """All questions, on the first `samples` planned samples."""
    some = test.rows(planned_samples(test.sample_ids.tolist(), samples=samples, seed=0))
    wanted = Certification(sigma=0.25, unit="input", radii=CURVE, n0=100, n=n, alpha=0.001)
    fixed = timed(model, some, wanted)
    sequential = wanted.model_copy(update={"method": "group-sequential", "n0": 64})
    found = []
    for radii in (*((radius,) for radius in (0.25, 0.5)), CURVE):
        timing = timed(model, some, sequential.model_copy(update={"radii": radii}))
        found.append(compared(f"certify at {', '.join(map(str, radii))}", timing, fixed, radii))
    pilot = wanted.model_copy(update={"method": "adaptive-pilot", "tolerance": 0.1})
    return [*found, compared("radius to 10 %", timed(model, some, pilot), fixed, (0.0,))]


def timed(model: Subject, dataset: Dataset, certification: Certification) -> Timed:
    """Certifies once without and once with the clock running, so that plans are made before."""
    certify(model, dataset.rows(dataset.sample_ids[:1]), certification=certification, key0=1)
    wall, processor = time.perf_counter(), time.process_time()
    rows = certify(model, dataset, certification=certification, key0=1)
    return Timed(rows=rows, wall=time.perf_counter() - wall, processor=time.process_time() - processor)


def compared(question: str, found: Timed, fixed: Timed, radii: Sequence[float]) -> Saving:
    """`equal`: share of (sample, radius) with the same decision; `kept`: of those that fixed n certifies."""
    answers = [
        (certified(one, radius), certified(other, radius))
        for one, other in zip(found.rows, fixed.rows, strict=True)
        for radius in radii
    ]
    return Saving(
        question=question,
        draws=fixed.draws / found.draws,
        wall=fixed.wall / found.wall,
        processor=fixed.processor / found.processor,
        kept=sum(ours and theirs for ours, theirs in answers) / max(1, sum(theirs for _, theirs in answers)),
        equal=statistics.mean(ours == theirs for ours, theirs in answers),
    )


def certified(row: Row, radius: float) -> bool:
    """Whether the row certifies its candidate within `radius`."""
    return bool(row["decision"] == "certified" and float(row["radius"]) >= radius)


if __name__ == "__main__":
    main()
