"""Training images a second of `train`, beside a plain PyTorch loop in the same run.

    python -m benchmarks.gpu_training --device cuda           a data-centre GPU, some minutes
    python -m benchmarks.gpu_training --device cpu --tiny     seconds; shows that it works, and no more

`train`, one process, on clean and noisy inputs, a small validation included, beside a loop over the same network (the
reference architecture resnet) and optimizer in float32.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.gpu_smoothing import CLASSES, SHAPE, SIGMA, Rate, alternating
from robustcert.data.dataset import Dataset, DatasetCard
from robustcert.models.canonical_execution import canonical_execution
from robustcert.models.execution_device import execution_device
from robustcert.models.model import build_classifier
from robustcert.specification import Specification
from robustcert.specification_data import Provenance
from robustcert.training.trainer import train

VALIDATION = 32


@dataclass(frozen=True, kw_only=True)
class Size:
    """How much is trained on; `width` is that of the network's first stage."""

    width: int
    images: int
    rounds: int


FULL = Size(width=64, images=20_000, rounds=5)
TINY = Size(width=2, images=72, rounds=1)


def main() -> None:
    """Prints one line for each measurement."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--device", choices=("cpu", "cuda"), required=True)
    parser.add_argument("--tiny", action="store_true")
    given = parser.parse_args()
    device = execution_device(given.device)
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU, one thread"
    print(f"torch {torch.__version__}, {name}")
    for rate in training_rates(device, TINY if given.tiny else FULL):
        print(rate)


def training_rates(device: torch.device, size: Size) -> list[Rate]:
    """Images a second of `train` and of a plain loop: one epoch, each image clean and noisy, in batches of 128."""
    dataset, specification = random_images(size.images), standard_training(size.width)
    split, card = dataset.select("train"), train(specification, random_images(60), seed=0).card

    def ours() -> None:
        train(specification, dataset, seed=0, device="cuda" if device.type == "cuda" else "cpu")

    def plain() -> None:
        with canonical_execution():
            network = build_classifier(card, seed=0).to(device)
            plain_epoch(network, torch.from_numpy(split.x()).float().to(device), torch.from_numpy(split.y).to(device))

    seconds = alternating(device, size.rounds, ours, plain)
    names = ("train, float32", "plain PyTorch epoch, float32")
    return [Rate(what=name, per_second=len(split) / one) for name, one in zip(names, seconds, strict=True)]


def plain_epoch(network: nn.Module, x_NCHW: Tensor, y_N: Tensor) -> None:
    """One epoch of AdamW on clean and noisy inputs."""
    optimizer = torch.optim.AdamW(network.parameters(), lr=0.001)
    for rows in torch.split(torch.randperm(len(y_N)), 128):
        x_BCHW, y_B = x_NCHW[rows.to(x_NCHW.device)], y_N[rows.to(y_N.device)]
        logits = network(torch.cat([x_BCHW, x_BCHW + SIGMA * torch.randn_like(x_BCHW)]))
        optimizer.zero_grad()
        torch.autograd.backward(F.cross_entropy(logits, y_B.repeat(2), label_smoothing=0.1))
        optimizer.step()


def random_images(count: int) -> Dataset:
    """Random images and labels; 32 are for validation, which `train` does after its epoch."""
    generator = np.random.default_rng(0)
    ones = np.ones(SHAPE)
    return Dataset(
        card=DatasetCard(
            kind="image",
            shape=SHAPE,
            classes=tuple(str(label) for label in range(CLASSES)),
            source="random",
            source_sha256="0" * 64,
            provenance=Provenance.model_validate({"source": "random", "licence": "none", "collectedAt": "2026"}),
            transforms=(),
        ),
        x_int=generator.integers(0, 256, (count, *SHAPE), dtype=np.int32),
        y=generator.integers(0, CLASSES, count),
        sample_ids=np.arange(count),
        split=np.where(np.arange(count) < VALIDATION, 1, 0).astype(np.int8),
        unit=ones / 255,
        scale=ones,
        lower=0 * ones,
        upper=ones,
        perturbable=ones.astype(bool),
    )


def standard_training(width: int) -> Specification:
    """One epoch on clean and noisy inputs with the reference architecture resnet."""
    threat = {"unit": "input", "bounds": "contract", "access": "gradients", "goal": "untargeted"}
    return Specification.model_validate(
        {
            "apiVersion": "robustcert/v1",
            "kind": "RobustnessSpecification",
            "name": "benchmark",
            "owner": {"name": "a benchmark", "contact": "nobody"},
            "intendedUse": "none",
            "claim": "none",
            "data": {"source": "builtin:digits"},
            "model": {"architecture": "resnet", "width": width},
            "training": {"method": "standard", "epochs": 1, "learningRate": 0.001, "noiseSigma": SIGMA},
            "threatModels": ({"name": "linf", "norm": "linf", "epsilon": 0.03, **threat},),
            "certification": {"sigma": SIGMA, "unit": "input", "radii": (0.1,)},
            "acceptance": ({"metric": "clean_accuracy", "comparator": ">=", "threshold": 0.5},),
        }
    )


if __name__ == "__main__":
    main()
