"""Do two ways of making noise give the same integers? Counts the differences over many draws.

    python benchmarks/noise_agreement.py --device cuda               a thousand million draws of each kind, some minutes
    python benchmarks/noise_agreement.py --device cpu --draws 1e8    half a minute

The reference is the path that the CPU takes (numpy). On a GPU the kernel and the plain torch operations are compared
with it, on a CPU the torch operations, and Gaussian noise through scipy's quantile function. Rows of 256 samples with
one draw each, 3,072 coordinates with deviations of 1 to 8,160 grid steps; every sample and draw number is used once.
Exit code 1 if any integer of one of our paths differs; scipy's is printed only, since it may round a tie otherwise.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import get_args

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import ndtri

from robustcert.models.execution_device import execution_device
from robustcert.smoothing.device_noise import NoisePath, noise_path, noisy_batch
from robustcert.smoothing.noise import Stream
from robustcert.smoothing.noise_kinds import NoiseName

KEY0 = 0x0123456789ABCDEF
ROWS, WIDTH = 256, 3072
STEPS = np.geomspace(1, 8160, WIDTH)  # float32 holds the integers: 26 deviations are below 2^18
DRAWS = {"cpu": 1e7, "cuda": 1e9}
ORACLE = "scipy"


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """How many of `draws` integers of one path differ from numpy's, and what one core or GPU made of it a second."""

    kind: NoiseName
    path: str
    draws: int
    differences: int
    seconds: float

    def __str__(self) -> str:
        rate = self.draws / self.seconds / 1e6
        return (
            f"{self.kind:9} {self.path:7} {self.draws:14,d} draws {self.differences:8,d} differ {rate:10.1f} million/s"
        )


def main() -> None:
    """Prints one line for each kind of noise and path."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--device", choices=("cpu", "cuda"), required=True)
    parser.add_argument("--draws", type=float, help="of each kind; 1e9 on a GPU, 1e7 on a CPU unless given")
    given = parser.parse_args()
    device = execution_device(given.device)
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU, one thread"
    print(f"numpy {np.__version__}, torch {torch.__version__}, {name}, usual path {noise_path(device)}")
    torch.set_num_threads(1)
    failed = False
    for kind in get_args(NoiseName):
        for agreement in compared(kind, device, draws=int(given.draws or DRAWS[device.type])):
            print(agreement, flush=True)
            failed |= agreement.differences > 0 and agreement.path != ORACLE
    sys.exit(int(failed))


def compared(kind: NoiseName, device: torch.device, *, draws: int) -> list[Agreement]:
    """All paths of `device` against numpy's, numpy itself first, over at least `draws` draws."""
    paths = ["numpy", "torch", *(["triton"] if noise_path(device) == "triton" else [])]
    paths += [ORACLE] if kind == "gaussian" and device.type == "cpu" else []
    differences, seconds, total = dict.fromkeys(paths, 0), dict.fromkeys(paths, 0.0), 0
    for ids, numbers in _rows(draws):
        made = {path: _timed(path, kind, device, ids, numbers, seconds) for path in paths}
        total += made["numpy"].size
        for path in paths:
            differences[path] += int(np.count_nonzero(made[path] != made["numpy"]))
    return [
        Agreement(kind=kind, path=path, draws=total, differences=differences[path], seconds=seconds[path])
        for path in paths
    ]


def _rows(draws: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Sample ids and draw numbers of batch after batch; ids jump, so that no two rows follow each other."""
    for batch in range(-(-draws // (ROWS * WIDTH))):
        yield torch.arange(ROWS) * 1_000_003, torch.full((ROWS,), batch)


def _timed(
    path: str,
    kind: NoiseName,
    device: torch.device,
    ids: torch.Tensor,
    numbers: torch.Tensor,
    seconds: dict[str, float],
) -> NDArray[np.float32]:
    started = time.perf_counter()
    made = _by_scipy(ids, numbers) if path == ORACLE else _ours(path, kind, device, ids, numbers)
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    seconds[path] += time.perf_counter() - started
    return made.cpu().numpy()


def _ours(
    path: NoisePath, kind: NoiseName, device: torch.device, ids: torch.Tensor, numbers: torch.Tensor
) -> torch.Tensor:
    place = torch.device("cpu") if path == "numpy" else device
    return noisy_batch(
        torch.zeros(1, 1, dtype=torch.int32, device=place).expand(ROWS, WIDTH),
        sample_ids_R=ids,
        draws_R=numbers,
        key0=KEY0,
        stream=Stream.ESTIMATION,
        steps_D=torch.from_numpy(STEPS).to(place),
        unit_D=torch.ones(WIDTH, dtype=torch.float64, device=place),
        kind=kind,
        path=path,
    )


def _by_scipy(ids: torch.Tensor, numbers: torch.Tensor) -> torch.Tensor:
    """The same words through scipy's quantile function, v as float64 rounds it."""
    blocks = WIDTH // 4
    noise_RD = np.empty((ROWS, WIDTH), dtype=np.float32)
    for row, (sample, draw) in enumerate(zip(ids.tolist(), numbers.tolist(), strict=True)):
        counter = np.array([draw * blocks, 0, 0, Stream.ESTIMATION], dtype=np.uint64)
        generator = np.random.Philox(key=np.array([KEY0, sample], dtype=np.uint64), counter=counter)
        v_D = ((generator.random_raw(WIDTH) >> np.uint64(11)) + 0.5) * 2.0**-53
        noise_RD[row] = np.rint(ndtri(np.minimum(v_D, 1 - 2.0**-53)) * STEPS)
    return torch.from_numpy(noise_RD)


if __name__ == "__main__":
    main()
