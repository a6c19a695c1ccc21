"""Readers: each has a store of its own, they read at the same time, and the first failure ends it."""

from __future__ import annotations

import threading
from itertools import count
from pathlib import Path

import pytest

from monitoring.exporter.readers import Readers
from monitoring.exporter.scan import Scanner
from robustcert.certificate.keys import new_key
from robustcert.errors import StorageError
from robustcert.storage.folder import FolderStore
from robustcert.storage.store import Store
from tests.monitoring.exporter.fleet import NOW, Fleet

MODELS = 50
LONGEST = 30.0  # seconds after which a test of threads fails


def test_many_readers_find_the_same_as_one(fleet: Fleet, scanner: Scanner) -> None:
    for number in range(MODELS):
        fleet.drift(number, fleet.add(number, key=new_key("ed25519") if number % 7 == 0 else None))
    many = Scanner(Readers(lambda: FolderStore(fleet.store.root), count=4), keys=fleet.keys)
    found = many.scan(now=NOW)
    assert found == scanner.scan(now=NOW)
    assert len(found.models) == MODELS - 8


def test_they_read_at_the_same_time_each_from_a_store_of_its_own(tmp_path: Path) -> None:
    """Nobody passes the barrier before all four stand there."""
    numbers, barrier, used = count(), threading.Barrier(4), []
    readers = Readers(lambda: FolderStore(tmp_path / str(next(numbers))), count=4)

    def read(store: Store, item: int) -> None:
        barrier.wait(LONGEST)
        used.append((store.uri, threading.get_ident()))

    readers.each(range(4), read)
    assert len({uri for uri, _ in used}) == len({thread for _, thread in used}) == 4


def test_one_reader_opens_one_store_and_works_where_it_is_called(tmp_path: Path) -> None:
    opened, threads = [], set()
    readers = Readers(lambda: opened.append(1) or FolderStore(tmp_path), count=1)  # type: ignore[func-returns-value]
    readers.each(range(10), lambda store, item: threads.add(threading.get_ident()))
    assert (len(opened), threads) == (1, {threading.get_ident()})


@pytest.mark.parametrize("readers", [1, 4])
def test_the_first_failure_ends_it_and_is_raised(tmp_path: Path, readers: int) -> None:
    read: list[int] = []

    def fail(store: Store, item: int) -> None:
        read.append(item)
        raise StorageError(f"expected item {item}, got none; try again")

    with pytest.raises(StorageError, match="expected item"):
        Readers(lambda: FolderStore(tmp_path), count=readers).each(range(1000), fail)
    assert len(read) <= readers
