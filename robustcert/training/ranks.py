"""The training processes of one machine: started, followed and ended by one parent.

Each holds one end of a pipe whose other end only the parent holds: progress, errors and the end come through it, and
its end is theirs, be the parent killed, interrupted, or stopped by an error. They meet at a file and talk over
loopback, whatever the variables of the machine say. A process that dies ends the others and the run.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Generic, TypeVar

from torch.distributed import FileStore  # type: ignore[attr-defined]

from robustcert.errors import RobustcertError, StepError, expected
from robustcert.models.execution_device import Device, execution_device
from robustcert.smoothing.workers import end_with
from robustcert.training.world import World, joined
from robustcert.work_folder import work_folder

Item = TypeVar("Item")
Progress = Callable[[int, int, str], None]


@dataclass(frozen=True, kw_only=True)
class _Order(Generic[Item]):
    work: Callable[[World, Item, Progress], None]
    item: Item
    rank: int
    size: int
    device: Device
    meeting: Path


def in_ranks(
    work: Callable[[World, Item, Progress], None], item: Item, *, size: int, device: Device, progress: Progress
) -> None:
    """Runs `work(world, item, progress)` in `size` processes at once, with one GPU each or on the CPU.

    `work` and `item` are pickled to them. Only process 0's progress is shown. The first error of a process ends all and
    is raised; StepError when one dies, ModelError when there are fewer GPUs than processes.
    """
    execution_device(device, index=size - 1)
    with work_folder() as folder:
        ranks: dict[Connection, BaseProcess] = {}
        try:
            for rank in range(size):
                order = _Order(work=work, item=item, rank=rank, size=size, device=device, meeting=folder / "meeting")
                connection, process = _started(order)
                ranks[connection] = process
            _follow(list(ranks), progress)
        finally:
            _end(ranks)


def _started(order: _Order[Item]) -> tuple[Connection, BaseProcess]:
    context = get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_rank, args=(order, theirs), name=f"rank {order.rank}", daemon=True)
    process.start()
    theirs.close()
    return ours, process


def _follow(connections: Sequence[Connection], progress: Progress) -> None:
    """Until every process has said that it is done."""
    running = list(connections)
    while running:
        for connection in wait(running):
            assert isinstance(connection, Connection)
            message = _message(connection, size=len(connections))
            if message is None:
                running.remove(connection)
            elif isinstance(message, RobustcertError):
                raise message
            else:
                progress(*message)


def _message(connection: Connection, *, size: int) -> tuple[int, int, str] | RobustcertError | None:
    try:
        message: tuple[int, int, str] | RobustcertError | None = connection.recv()
    except (EOFError, OSError) as error:
        remedy = "see its last lines in the log, look for a lack of memory, and run again"
        raise StepError(
            expected(f"{size} training processes to the end", got="one that died", remedy=remedy)
        ) from error
    return message


def _end(ranks: Mapping[Connection, BaseProcess]) -> None:
    for connection, process in ranks.items():
        connection.close()  # a process that is still at work ends with it
        process.join()


def _rank(order: _Order[Item], parent: Connection) -> None:
    """What each process does."""
    end_with(parent)
    os.environ["GLOO_SOCKET_IFNAME"] = _loopback()
    store = FileStore(str(order.meeting), order.size)
    device = execution_device(order.device, index=order.rank)
    with joined(rank=order.rank, size=order.size, device=device, store=store) as world:
        try:
            order.work(world, order.item, _reporter(parent, rank=order.rank))
            parent.send(None)
        except RobustcertError as error:
            parent.send(error)  # before the others can notice that this process is gone


def _reporter(parent: Connection, *, rank: int) -> Progress:
    def report(done: int, total: int, text: str) -> None:
        if rank == 0:
            parent.send((done, total, text))

    return report


def _loopback() -> str:
    """Name of the loopback interface: lo on Linux, lo0 on macOS."""
    return next(name for _, name in socket.if_nameindex() if name.startswith("lo"))
