"""How far training by several processes departs from training by one: loss of each epoch, and the chosen weights.

    python benchmarks/process_tolerance.py --processes 2 3 --epochs 8

Every fifth of the embedded digits, adversarial training with noise, batches of 128, on the CPU. Differences of losses
are relative; those of weights are the largest of any weight. The last column counts the epochs with equal validation.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator

import numpy as np
import yaml

from robustcert.data.build import build_dataset
from robustcert.data.dataset import Dataset
from robustcert.data.sources import load_raw
from robustcert.specification import Specification
from robustcert.specification_file import parse_specification
from robustcert.specification_template import template
from robustcert.training.trainer import TrainingResult, train

MODELS: tuple[dict[str, object], ...] = (
    {"architecture": "mlp", "hidden": [32]},
    {"architecture": "small-cnn", "width": 4},
    {"architecture": "resnet", "width": 4},
)
NORMS = {"linf": 0.1, "l2": 0.5}
KEEP = 5  # one sample in five


def main() -> None:
    """Prints one line for each model, threat and number of processes."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--processes", type=int, nargs="+", default=[2, 3])
    parser.add_argument("--epochs", type=int, default=8)
    given = parser.parse_args()
    print("model      norm  processes  first epoch  any epoch  weights  epochs with equal validation")
    for specification in specifications(given.epochs):
        dataset = few_digits(specification)
        one = train(specification, dataset, seed=1, device="cpu")
        for processes in given.processes:
            other = train(specification, dataset, seed=1, processes=processes, device="cpu")
            threat = specification.threat_models[0]
            name = f"{specification.model.architecture:10} {threat.norm:5} {processes:9}"
            print(f"{name}  {difference(other, one)}", flush=True)


def specifications(epochs: int) -> Iterator[Specification]:
    """Every model under every norm."""
    for model in MODELS:
        for norm, epsilon in NORMS.items():
            document = yaml.safe_load(template("digits"))
            threat = {**document["threatModels"][0], "name": norm, "norm": norm, "epsilon": epsilon}
            document |= {"model": model, "threatModels": [threat]}
            document["training"] |= {"threatModel": norm, "epochs": epochs, "learningRate": 0.01, "steps": 3}
            document["acceptance"] = [{"metric": "clean_accuracy", "comparator": ">=", "threshold": 0.1}]
            document.pop("rationale")
            yield parse_specification(yaml.safe_dump(document), name="benchmark").specification


def few_digits(specification: Specification) -> Dataset:
    """Every fifth of the digits."""
    digits = build_dataset(specification.data, load_raw(specification.data), seed=0)
    return digits.rows(np.sort(digits.sample_ids)[::KEEP])


def difference(other: TrainingResult, one: TrainingResult) -> str:
    """The four columns of a line."""
    pairs = list(zip(other.history, one.history, strict=True))
    losses = [abs(ours["loss"] / theirs["loss"] - 1) for ours, theirs in pairs]
    wanted = one.classifier.state_dict()
    weights = max(float((value - wanted[name]).abs().max()) for name, value in other.classifier.state_dict().items())
    keys = ("cleanAccuracy", "accuracyUnderAttack")
    equal = sum(all(ours[key] == theirs[key] for key in keys) for ours, theirs in pairs)
    return f"{losses[0]:11.0e}  {max(losses):9.0e}  {weights:7.0e}  {equal} of {len(pairs)}"


if __name__ == "__main__":
    main()
