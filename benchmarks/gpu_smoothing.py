"""Noisy samples a second of a ResNet-20 (CIFAR shape), beside bare forward passes and other noise; certificates.

    python benchmarks/gpu_smoothing.py --device cuda           a data-centre GPU, some minutes
    python benchmarks/gpu_smoothing.py --device cpu --tiny     seconds; shows that it works, and no more

Smoothing, in float32 and bfloat16, batches of 256, all loops over the same network and taking turns: bare forward
passes of one batch that lies there; `count_votes`, as certification calls it; `noisy_batch` and a vote with nothing
else; noise of the same integers made by numpy and carried over, the plain way to it; and a loop that adds torch's own
floating-point noise on the device, as scripts of the field do, which is no sound certificate. Each is given as a share
of the bare passes; these as a share of the operations a second of a product of two square matrices of that type just
before. Certificates a second are `count_votes` over the mean draws that a certificate takes.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import get_args

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from robustcert.models.canonical_execution import canonical_execution
from robustcert.models.execution_device import execution_device
from robustcert.models.precision import Precision, arithmetic, in_precision
from robustcert.smoothing.device_noise import NoisePath, noise_path, noisy_batch
from robustcert.smoothing.noise import Stream
from robustcert.smoothing.votes import BATCH, GridNoise, count_votes

CLASSES = 10
SIGMA = 0.25
SHAPE = (3, 32, 32)
WIDTH = 3 * 32 * 32
UNIT = 1 / (255 * 16)

# Mean draws of a certificate over the published radii of Cohen's CIFAR-10 models, sigma 0.5: 100 and 100,000 of the
# reference mode; group-sequential to 200,000, one radius and six; adaptive pilot at 10 % of the radius.
DRAWS_OF = {
    "fixed n = 100,000": 100_100,
    "group-sequential, radius 0.25": 2_898,
    "group-sequential, six radii 0.25 to 1.5": 14_310,
    "adaptive pilot, radius within 10 %": 6_077,
}


@dataclass(frozen=True, kw_only=True)
class Size:
    """How much is measured; `width` is that of the network's first stage, `side` that of the matrices."""

    width: int
    draws: int
    side: int
    rounds: int


FULL = Size(width=16, draws=400 * BATCH, side=8192, rounds=5)
TINY = Size(width=2, draws=BATCH, side=128, rounds=1)


@dataclass(frozen=True, kw_only=True)
class Rate:
    """One measurement: how many a second, and what that is beside another."""

    what: str
    per_second: float
    note: str = ""

    def __str__(self) -> str:
        return f"{self.what:64} {self.per_second:14.4f} /s  {self.note}".rstrip()


def main() -> None:
    """Prints one line for each measurement."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--device", choices=("cpu", "cuda"), required=True)
    parser.add_argument("--tiny", action="store_true")
    given = parser.parse_args()
    device = execution_device(given.device)
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU, one thread"
    print(f"torch {torch.__version__}, {name}, noise by {noise_path(device)}")
    for rate in measured(device, TINY if given.tiny else FULL):
        print(rate)


def measured(device: torch.device, size: Size) -> list[Rate]:
    """Every measurement of both precisions."""
    rates = []
    for precision in get_args(Precision):
        smoothing = smoothing_rates(device, size, precision=precision)
        rates += [*smoothing, *certificate_rates(smoothing[1], precision=precision)]
    return rates


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


def resnet20(width: int) -> nn.Sequential:
    """ResNet-20 for 3 x 32 x 32: a 3x3 stem and three stages of three blocks; 16 is the published width."""
    blocks: list[nn.Module] = []
    inputs = width
    for stage in range(3):
        outputs = width * 2**stage
        for block in range(3):
            blocks.append(Block(inputs, outputs, stride=2 if stage and not block else 1))
            inputs = outputs
    stem = (nn.Conv2d(3, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU())
    return nn.Sequential(*stem, *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(inputs, CLASSES)).eval()


def operations_per_image(network: nn.Module) -> float:
    """Floating-point operations of one forward pass, a multiplication and an addition counting as two."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(torch.zeros(1, *SHAPE))
    return float(counter.get_total_flops())


def smoothing_rates(device: torch.device, size: Size, *, precision: Precision) -> list[Rate]:
    """Noisy samples a second of the five loops, the bare one first and `count_votes` second."""
    network = resnet20(size.width)
    operations = operations_per_image(network)
    ceiling = matrix_ceiling(device, size, getattr(torch, precision))
    network = network.to(device)
    x_int, ones = np.full(SHAPE, 128 * 16, dtype=np.int32), np.ones(SHAPE)
    noise = GridNoise(key0=1, sigma_steps=SIGMA / UNIT * ones, unit=UNIT * ones)
    loops = Loops(in_precision(network, precision), device=device, precision=precision, draws=size.draws)

    def ours() -> None:
        given = {"noise": noise, "sample_id": 0, "stream": Stream.SELECTION, "n_classes": CLASSES}
        count_votes(network, x_int, draws=size.draws, precision=precision, **given)

    tasks = {
        "bare forward passes": loops.bare,
        "count_votes": ours,
        "noisy_batch and votes": lambda: loops.noisy(noise_path(device)),
        "noise by numpy, carried over, and votes": lambda: loops.noisy("numpy"),
        "torch's floating-point noise and votes": loops.floating_point,
    }
    seconds = alternating(device, size.rounds, *tasks.values())
    notes = [f"{size.draws * operations / seconds[0] / ceiling:.3f} of the matrix product's FLOP/s"]
    notes += [f"{seconds[0] / one:.3f} of the bare forward passes" for one in seconds[1:]]
    return [
        Rate(what=f"{name}, {precision}", per_second=size.draws / one, note=note)
        for name, one, note in zip(tasks, seconds, notes, strict=True)
    ]


class Loops:
    """Plain loops over one network, whose calls compute in `precision`; votes are counted where they are made."""

    def __init__(self, network: nn.Module, *, device: torch.device, precision: Precision, draws: int) -> None:
        self._network, self._device, self._precision, self._draws = network, device, precision, draws
        self._x_RD = torch.full((1, WIDTH), 128 * 16, dtype=torch.int32, device=device).expand(BATCH, WIDTH)
        self._steps_D = torch.full((WIDTH,), SIGMA / UNIT, dtype=torch.float64, device=device)
        self._unit_D = torch.full((WIDTH,), UNIT, dtype=torch.float64, device=device)

    def bare(self) -> Tensor:
        """Counts (K,) of the votes on one batch, again and again."""
        batch_BX = torch.rand(BATCH, *SHAPE, device=self._device)
        return self._votes(lambda first: batch_BX)

    def noisy(self, path: NoisePath) -> Tensor:
        """Counts (K,) of the votes on noisy copies, the certificate's integers."""
        return self._votes(lambda first: self._batch(first, path).reshape(BATCH, *SHAPE))

    def floating_point(self) -> Tensor:
        """Counts (K,) of the votes on copies with noise of the device's own generator."""
        x_BX = torch.full((BATCH, *SHAPE), 128 / 255, device=self._device)
        return self._votes(lambda first: x_BX + SIGMA * torch.randn_like(x_BX))

    def _batch(self, first: int, path: NoisePath) -> Tensor:
        return noisy_batch(
            self._x_RD,
            sample_ids_R=torch.zeros(BATCH, dtype=torch.int64),
            draws_R=torch.arange(first, first + BATCH),
            key0=1,
            stream=Stream.SELECTION,
            steps_D=self._steps_D,
            unit_D=self._unit_D,
            path=path,
        )

    def _votes(self, batch: Callable[[int], Tensor]) -> Tensor:
        counts_K = torch.zeros(CLASSES, dtype=torch.int64, device=self._device)
        with canonical_execution(), torch.inference_mode(), arithmetic(self._device, self._precision):
            for first in range(0, self._draws, BATCH):
                vote_B = self._network(batch(first)).argmax(dim=1)
                counts_K += F.one_hot(vote_B, CLASSES).sum(dim=0)
        return counts_K


def certificate_rates(votes: Rate, *, precision: Precision) -> list[Rate]:
    """Certificates a second at that many votes a second, by the mean draws of DRAWS_OF."""
    return [
        Rate(
            what=f"certificates, {mode}, {precision}", per_second=votes.per_second / draws, note=f"{draws:,} draws each"
        )
        for mode, draws in DRAWS_OF.items()
    ]


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


if __name__ == "__main__":
    main()
