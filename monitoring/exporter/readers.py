"""Reading many small documents at a time: threads, each with a store of its own, since a connection serves one."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue
from typing import Generic, TypeVar

from robustcert.storage.store import Store

Item = TypeVar("Item")


class Readers:
    """`count` stores, opened when first needed; one reader works in the thread that asks."""

    def __init__(self, open_one: Callable[[], Store], *, count: int) -> None:
        self._open, self._stores = open_one, [open_one()]
        self.count = count

    @property
    def store(self) -> Store:
        """The first of the stores, for whoever lists names."""
        return self._stores[0]

    def each(self, items: Sequence[Item], read: Callable[[Store, Item], None]) -> None:
        """Calls `read` for every item, in no order; the first exception ends it and is raised."""
        while len(self._stores) < min(self.count, len(items)):
            self._stores.append(self._open())
        work = _Work(items, read)
        threads = [threading.Thread(target=work.do, args=(store,), daemon=True) for store in self._stores[1:]]
        for thread in threads:
            thread.start()
        work.do(self._stores[0])
        for thread in threads:
            thread.join()
        if work.error is not None:
            raise work.error


class _Work(Generic[Item]):
    """What is left to read, and the first thing that went wrong."""

    def __init__(self, items: Sequence[Item], read: Callable[[Store, Item], None]) -> None:
        self._left: SimpleQueue[Item] = SimpleQueue()
        for item in items:
            self._left.put(item)
        self._read = read
        self.error: Exception | None = None

    def do(self, store: Store) -> None:
        """Reads until nothing is left, or somebody failed."""
        while self.error is None:
            try:
                self._read(store, self._left.get_nowait())
            except Empty:
                return
            except Exception as error:  # noqa: BLE001  raised again by the thread that asked
                self.error = error
