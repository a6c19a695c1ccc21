"""Noisy samples and training images per second of a ResNet-18 (CIFAR shape), beside plain PyTorch loops in one run.

    python benchmarks/gpu_smoothing.py --device cuda           a data-centre GPU, some minutes
    python benchmarks/gpu_smoothing.py --device cpu --tiny     seconds; shows that it works, and no more

Smoothing: `count_votes`, as certification calls it, with the network on the device, in float32 and bfloat16, beside a
loop that draws its noise on the device. The share is that of the floating-point operations a second which a product of
two square matrices of that type reached just before. Training: `train`, one process, on clean and noisy inputs, a small
validation included, beside a loop over the same network (the reference architecture resnet) and optimizer in float32.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from robustcert.data.dataset import Dataset, DatasetCard
from robustcert.models.canonical_execution import canonical_execution
from robustcert.models.execution_device import execution_device
from robustcert.models.model import build_classifier
from robustcert.smoothing.noise import Stream
from robustcert.smoothing.votes import BATCH, GridNoise, count_votes
from robustcert.specification import Specification
from robustcert.specification_data import Provenance
from robustcert.training.trainer import train

CLASSES = 10
SIGMA = 0.25
VALIDATION = 32
SHAPE = (3, 32, 32)
TYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


@dataclass(frozen=True, kw_only=True)
class Size:
    """How much is measured; `width` is that of a network's first stage, `side` that of the matrices."""

    width: int
    draws: int
    images: int
    side: int
    rounds: int


FULL = Size(width=64, draws=100 * BATCH, images=20_000, side=8192, rounds=5)
TINY = Size(width=2, draws=BATCH, images=72, side=128, rounds=1)


@dataclass(frozen=True, kw_only=True)
class Rate:
    """One measurement: samples (or images) a second, and the share of the ceiling where one is known."""

    what: str
    per_second: float
    share: float | None = None

    def __str__(self) -> str:
        share = "" if self.share is None else f"  {100 * self.share:5.1f} % of the matrix product's FLOP/s"
        return f"{self.what:44} {self.per_second:12.1f} /s{share}"


def main() -> None:
    """Prints one line for each measurement."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--device", choices=("cpu", "cuda"), required=True)
    parser.add_argument("--tiny", action="store_true")
    given = parser.parse_args()
    device = execution_device(given.device)
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU, one thread"
    print(f"torch {torch.__version__}, {name}")
    for rate in measured(device, TINY if given.tiny else FULL):
        print(rate)


def measured(device: torch.device, size: Size) -> list[Rate]:
    """Every measurement, ours and the plain loop's one after the other."""
    rates = [rate for name in TYPES for rate in smoothing_rates(device, size, dtype_name=name)]
    return rates + training_rates(device, size)


class Block(nn.Module):
    """Basic block of a ResNet (He et al. 2016)."""

    def __init__(self, inputs: int, outputs: int, *, stride: int) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs))
        self.second = nn.Sequential(nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False), nn.BatchNorm2d(outputs))
        projection = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))
        self.shortcut = nn.Identity() if stride == 1 and inputs == outputs else projection

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Map x_BCHW to (B, outputs, H / stride, W / stride)."""
        residual_BCHW: Tensor = self.second(F.relu(self.first(x_BCHW)))
        return F.relu(residual_BCHW + self.shortcut(x_BCHW))


def resnet18(width: int) -> nn.Sequential:
    """ResNet-18 for 3 x 32 x 32: a 3x3 stem and four stages of two blocks."""
    blocks: list[nn.Module] = []
    inputs = width
    for stage in range(4):
        outputs = width * 2**stage
        blocks += [Block(inputs, outputs, stride=1 if stage == 0 else 2), Block(outputs, outputs, stride=1)]
        inputs = outputs
    stem = (nn.Conv2d(3, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU())
    return nn.Sequential(*stem, *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(inputs, CLASSES)).eval()


class OnDevice(nn.Module):
    """A network on a device, in one floating-point type, that takes and gives float32 on the CPU."""

    def __init__(self, network: nn.Module, device: torch.device, dtype: torch.dtype) -> None:
        super().__init__()
        self.network = network.to(device, dtype)
        self._place = (device, dtype)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """logits_BK."""
        logits_BK: Tensor = self.network(x_BCHW.to(*self._place)).float().cpu()
        return logits_BK


def operations_per_image(network: nn.Module) -> float:
    """Floating-point operations of one forward pass, a multiplication and an addition counting as two."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(torch.zeros(1, *SHAPE))
    return float(counter.get_total_flops())


def smoothing_rates(device: torch.device, size: Size, *, dtype_name: str) -> list[Rate]:
    """Votes a second of `count_votes` and of a plain loop, after the ceiling of that type."""
    network, dtype = resnet18(size.width), TYPES[dtype_name]
    operations, ceiling = operations_per_image(network), matrix_ceiling(device, size, dtype)
    x_int = np.full(SHAPE, 128, dtype=np.int32)
    ones = np.ones(SHAPE)
    noise = GridNoise(key0=1, sigma_steps=SIGMA * 255 * ones, unit=ones / 255)
    placed = OnDevice(network, device, dtype).eval()

    def ours() -> None:
        count_votes(
            placed, x_int, noise=noise, sample_id=0, stream=Stream.SELECTION, draws=size.draws, n_classes=CLASSES
        )

    def plain() -> None:
        plain_votes(placed.network, torch.full(SHAPE, 128 / 255, device=device, dtype=dtype), draws=size.draws)

    names = (f"count_votes, {dtype_name}", f"plain PyTorch votes, {dtype_name}")
    seconds = alternating(device, size.rounds, ours, plain)
    return [
        Rate(what=name, per_second=size.draws / one, share=size.draws * operations / one / ceiling)
        for name, one in zip(names, seconds, strict=True)
    ]


def plain_votes(network: nn.Module, x_CHW: Tensor, *, draws: int) -> Tensor:
    """Counts (K,) of the classes of noisy copies, as the field's scripts count them."""
    counts_K = torch.zeros(CLASSES, dtype=torch.int64, device=x_CHW.device)
    with torch.inference_mode():
        for first in range(0, draws, BATCH):
            x_BCHW = x_CHW.expand(min(BATCH, draws - first), *SHAPE)
            vote_B = network(x_BCHW + SIGMA * torch.randn_like(x_BCHW)).argmax(dim=1)
            counts_K += F.one_hot(vote_B, CLASSES).sum(dim=0)
    return counts_K


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


def matrix_ceiling(device: torch.device, size: Size, dtype: torch.dtype) -> float:
    """Floating-point operations a second of the best of several products of square matrices."""
    left, right = (torch.randn(size.side, size.side, device=device, dtype=dtype) for _ in range(2))
    with canonical_execution():
        seconds = [_seconds(device, lambda: torch.matmul(left, right)) for _ in range(size.rounds + 1)]
    return 2.0 * size.side**3 / min(seconds)


def alternating(device: torch.device, rounds: int, *tasks: Callable[[], object]) -> list[float]:
    """Median seconds of each task; they take turns, and a first round warms up and does not count."""
    seconds = [[_seconds(device, task) for task in tasks] for _ in range(rounds + 1)]
    return [statistics.median(column) for column in zip(*seconds[1:], strict=True)]


def _seconds(device: torch.device, task: Callable[[], object]) -> float:
    _finish(device)
    started = time.perf_counter()
    task()
    _finish(device)
    return time.perf_counter() - started


def _finish(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


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
