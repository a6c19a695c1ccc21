"""What test processes do together; each leaves what it found in a file of the folder that it is given."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from robustcert.errors import DataError, StepError
from robustcert.training.batch_statistics import with_global_statistics
from robustcert.training.epochs import Progress
from robustcert.training.world import World

ROWS = 5
CLASSES = 3


@dataclass(frozen=True)
class Found:
    """What one of two processes left: tensors by name, and the texts."""

    tensors: dict[str, Tensor]
    told: str
    complaint: str


@dataclass(frozen=True)
class TwoProcesses:
    """What each of two processes found, and the progress that was reported."""

    found: tuple[Found, ...]
    progress: list[tuple[int, int, str]]


def passes() -> list[Tensor]:
    """x_BCHW of three forward passes; the last one has a single row, so that one of two processes has none."""
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(rows, 2, 4, 4, generator=generator) for rows in (ROWS, 2 * ROWS, 1)]


def small_network() -> nn.Sequential:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return nn.Sequential(
            nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 2 * 2, CLASSES)
        )


def gradients_of(network: nn.Module, rows: list[Tensor], totals: list[int]) -> None:
    """Gradients of the sum over passes of the mean squared logit, of which these rows are a part."""
    for x_BCHW, total in zip(rows, totals, strict=True):
        (network(x_BCHW).square().sum() / total).backward()


def state_and_gradients(network: nn.Module) -> dict[str, Tensor]:
    gradients = {f"gradient.{name}": value.grad for name, value in network.named_parameters() if value.grad is not None}
    return {**network.state_dict(), **gradients}


def find_out(world: World, folder: Path, progress: Progress) -> None:
    """Everything that two processes can be asked in one go, since each start costs seconds."""
    network = with_global_statistics(small_network(), world)
    mine = [world.mine(x_BCHW) for x_BCHW in passes()]
    gradients_of(network, mine, [len(x_BCHW) for x_BCHW in passes()])
    world.add_up([value.grad for value in network.parameters() if value.grad is not None])
    counts, matrix = torch.tensor(world.rank + 1), torch.full((2, 2), float(world.rank))
    world.add_up([counts])
    world.add_up([matrix])
    told = world.from_first(b"first" if world.rank == 0 else bytes(5))
    world.require_equal("00ff", what="weights", remedy="run again")
    complaint = ""
    try:
        world.require_equal(f"00f{world.rank}", what="weights", remedy="run again")
    except StepError as error:
        complaint = str(error)
    progress(world.rank, world.size, "asked")
    found = {**state_and_gradients(network), "counts": counts, "matrix": matrix}
    found["empty"] = torch.tensor(sum(len(x_BCHW) == 0 for x_BCHW in mine))
    save_file(found, folder / f"{world.rank}.safetensors", metadata={"told": told.decode(), "complaint": complaint})


def complain(world: World, rank: int, progress: Progress) -> None:
    """The process of that rank finds something wrong while the others wait for it."""
    if world.rank == rank:
        raise DataError("expected data, got none; give some")
    world.add_up([torch.zeros(1)])


def die(world: World, rank: int, progress: Progress) -> None:
    """The process of that rank is gone, without a word, while the others wait for it."""
    if world.rank == rank:
        os._exit(9)
    world.add_up([torch.zeros(1)])


def announce(world: World, port: int, progress: Progress) -> None:
    """Holds a connection until the end, and waits: the first one for the test, the others for the first."""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        if world.rank == 0:
            connection.recv(1)
        world.add_up([torch.zeros(1)])
