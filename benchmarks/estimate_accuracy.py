"""How close `robustcert estimate` comes: predicted seconds of each step over those that a real run records.

    OMP_NUM_THREADS=1 python benchmarks/estimate_accuracy.py examples/digits.yaml examples/breast-cancer.yaml

Each specification is estimated, run step by step in a fresh store by a process of its own, and estimated again, so that
a shared machine is not seen at one moment alone; the prediction is the mean of both. Real are `cpuMilliseconds` of the
records that the steps write, as record.json holds them.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from robustcert.estimate.prediction import Estimate, estimate
from robustcert.provenance.run_record import StepRecord
from robustcert.specification_file import read_specification
from robustcert.steps.adversarial_training import train_model
from robustcert.steps.certification import certify_shard
from robustcert.steps.certification_plan import plan_certification
from robustcert.steps.data_validation import validate_data
from robustcert.steps.robustness_evaluation import evaluate_robustness

RECORDS = ("training_record", "evaluation_record", "certification_record")


def main() -> None:
    """Prints one line for each step of each specification."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("specifications", type=Path, nargs="+")
    parser.add_argument("--run-in", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    for path in given.specifications:
        if given.run_in is not None:
            _run(path.read_text(), given.run_in, source_folder=str(path.resolve().parent))
        else:
            _compare(path)


def _compare(path: Path) -> None:
    specification, folder = read_specification(path).specification, path.resolve().parent
    before = estimate(specification, folder=folder)
    with tempfile.TemporaryDirectory() as scratch:
        command = [sys.executable, __file__, str(path), "--run-in", scratch]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        records = [StepRecord.model_validate_json((Path(scratch) / name).read_bytes()) for name in RECORDS]
    _show(path.stem, [before, estimate(specification, folder=folder)], records)


def _show(name: str, estimates: list[Estimate], records: list[StepRecord]) -> None:
    real = {record.step: record.cpu_milliseconds / 1000 for record in records}
    predicted = {step: statistics.mean(_seconds(found, step) for found in estimates) for step in real}
    both = [(step, predicted[step], real[step]) for step in real]
    for step, guess, found in [*both, ("together", sum(predicted.values()), sum(real.values()))]:
        print(f"{name:15} {step:22} predicted {guess:7.2f} s  real {found:7.2f} s  ratio {guess / found:.2f}")
    peak = max(record.peak_memory_bytes for record in records) / 2**20
    guess = statistics.mean(found.memory_bytes for found in estimates[:1]) / 2**20
    print(f"{name:15} memory of a process    predicted {guess:7.0f} MiB real {peak:5.0f} MiB")


def _seconds(found: Estimate, name: str) -> float:
    return next(step.seconds for step in found.steps if step.step == name)


def _run(text: str, folder: Path, *, source_folder: str) -> None:
    common = {"specification": text, "store": str(folder / "store"), "run_token": ""}
    dataset, model, plan, sources = (
        folder / "dataset",
        folder / "model",
        folder / "plan",
        {"source_folder": source_folder},
    )
    training, evaluation, certification = (folder / name for name in RECORDS)
    validate_data(**common, **sources, dataset=dataset, report=folder / "report", record=folder / "record")
    train_model(**common, **sources, dataset=dataset, model=model, history=folder / "history", record=training)
    made = {name: folder / name for name in ("evidence", "adversarials", "validity")}
    evaluate_robustness(**common, dataset=dataset, model=model, **made, record=evaluation)
    (name,) = plan_certification(**common, shards=1, dataset=dataset, model=model, plan=plan)
    files = {"dataset": dataset, "model": model, "plan": plan, "evidence": folder / "votes", "record": certification}
    certify_shard(**common, shard=name, workers=1, **files)


if __name__ == "__main__":
    main()
