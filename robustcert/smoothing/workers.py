"""Work spread over processes that end when their parent does, be it killed, interrupted, or stopped by an error.

Every worker watches a pipe whose other end only the parent holds: its end is the worker's end. Processes are spawned,
so that they inherit neither threads nor locks.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import TypeVar

from robustcert.errors import StepError, expected

Item = TypeVar("Item")
Result = TypeVar("Result")


def each_in_workers(function: Callable[[Item], Result], items: Sequence[Item], *, workers: int) -> Iterator[Result]:
    """`function` of each item, as they finish, in any order; it and the items are pickled to up to `workers` processes.

    The first error of an item ends all workers and is raised; StepError when a worker dies. An iterator that is left
    early ends them too.
    """
    context = get_context("spawn")
    watched, held = context.Pipe(duplex=False)
    executor = ProcessPoolExecutor(min(workers, len(items)), context, initializer=end_with, initargs=(watched,))
    try:
        for future in as_completed([executor.submit(function, item) for item in items]):
            yield future.result()
        executor.shutdown()
    except BrokenProcessPool as error:
        remedy = "look for a lack of memory, use fewer workers, and run again"
        raise StepError(expected(f"{workers} workers to the end", got="a worker that died", remedy=remedy)) from error
    finally:
        held.close()
        executor.shutdown(cancel_futures=True)
        watched.close()


def end_with(parent: Connection) -> None:
    """Leaves interrupts to the parent, and this process at once when the parent's end of the pipe is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_exit_at_end_of, args=(parent,), daemon=True).start()


def _exit_at_end_of(parent: Connection) -> None:
    try:
        parent.recv_bytes()
    except (EOFError, OSError):
        os._exit(1)
