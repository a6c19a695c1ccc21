"""The processes that train one model together: which rows each takes, and sums over all of them.

Shapes: B rows of a global batch. A world of one process sums nothing. Gradients are summed by one explicit all-reduce a
step and not by DistributedDataParallel, because that averages over processes where slices of unequal length (an empty
one too) need sample weights, and imports the compiler (1.3 s a process); what it gains, sending while the backward pass
runs, is little beside the many passes of the attack in every step.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed import FileStore  # type: ignore[attr-defined]

from robustcert.errors import StepError, expected

LONGEST_WAIT = timedelta(minutes=30)  # for the slowest of the others, then the run ends
CPU = torch.device("cpu")


@dataclass(frozen=True, kw_only=True)
class World:
    """This process among `size` (`rank` from 0), and the device that it trains on."""

    rank: int = 0
    size: int = 1
    device: torch.device = CPU

    def mine(self, rows_B: Tensor) -> Tensor:
        """This process' slice of rows_B: consecutive rows, lengths that differ by 1 at most, maybe none.

        >>> World(rank=1, size=3).mine(torch.arange(5))
        tensor([2, 3])
        """
        return rows_B.tensor_split(self.size)[self.rank]

    def add_up(self, tensors: Sequence[Tensor]) -> None:
        """Replaces each tensor (one dtype) by its sum over all processes; StepError when another one is gone."""
        if self.size == 1:
            return
        flat = torch.cat([tensor.reshape(-1) for tensor in tensors]).to(self.device)
        with _answering(self.size):
            dist.all_reduce(flat)
        parts = torch.split(flat, [tensor.numel() for tensor in tensors])
        for tensor, part in zip(tensors, parts, strict=True):
            tensor.copy_(part.reshape(tensor.shape))

    def from_first(self, data: bytes) -> bytes:
        """What process 0 gives; all give equally many bytes."""
        told = torch.tensor(list(data) if self.rank == 0 else [0] * len(data))
        self.add_up([told])
        return bytes(told.tolist())

    def require_equal(self, digest: str, *, what: str, remedy: str) -> None:
        """StepError in every process unless all of them have the same hexadecimal digest."""
        rows = torch.zeros(self.size, len(digest) // 2, dtype=torch.int64)
        rows[self.rank] = torch.tensor(list(bytes.fromhex(digest)))
        self.add_up([rows])
        others = int((rows != rows[0]).any(dim=1).sum())
        if others:
            got = f"another in {others} of {self.size}"
            raise StepError(expected(f"the same {what} in every process", got=got, remedy=remedy))


ALONE = World()


@contextmanager
def joined(*, rank: int, size: int, device: torch.device, store: FileStore | None = None) -> Iterator[World]:
    """The world of `size` processes that meet at `store`, or where the environment says (as torchrun sets it).

    NCCL on a GPU, gloo on a CPU. StepError when they do not all come within LONGEST_WAIT.
    """
    cuda = device.type == "cuda"
    if cuda:
        torch.cuda.set_device(device)
    with _answering(size):
        dist.init_process_group(
            "nccl" if cuda else "gloo", store=store, rank=rank, world_size=size, timeout=LONGEST_WAIT
        )
    try:
        yield World(rank=rank, size=size, device=device)
    finally:
        dist.destroy_process_group()


@contextmanager
def _answering(size: int) -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:  # what torch.distributed raises, whatever the backend
        remedy = "look for the first error in the others' logs and for a lack of memory, and run again"
        raise StepError(
            expected(f"{size} training processes to the end", got="one that is gone", remedy=remedy)
        ) from error
