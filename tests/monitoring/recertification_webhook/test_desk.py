"""What the handlers share: counts from many threads, and a controller that does not answer in time."""

from __future__ import annotations

import asyncio
import threading

import pytest

from monitoring.recertification_webhook.authentication import Gate
from monitoring.recertification_webhook.desk import Counts, Desk
from monitoring.recertification_webhook.refusal import RefusalError
from robustcert.errors import InputError, StorageError
from tests.monitoring.recertification_webhook.http_server import MemoryController, disk_full


def desk() -> Desk:
    return Desk(controller=MemoryController(), gate=Gate(token_file=None, client_certificates=False))


def test_counts_of_many_threads_are_all_there() -> None:
    counts = Counts()

    def work() -> None:
        for _ in range(1000):
            counts.add("alert", "refused")

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    counts.add("alert", "ignored", 7)
    assert counts.read() == {("alert", "refused"): 4000, ("alert", "ignored"): 7}


def test_an_answer_that_takes_too_long_is_not_waited_for() -> None:
    """The sender is told to send again; what is committed after that is a duplicate then."""
    committed = threading.Event()
    with pytest.raises(RefusalError, match=r"no commit within 0\.05 s; send it again") as raised:
        asyncio.run(desk().ask(lambda: committed.wait(0.5), seconds=0.05))
    assert (raised.value.status, raised.value.headers) == (503, {"Retry-After": "5"})


@pytest.mark.parametrize("error", [disk_full(), OSError(28, "full"), StorageError("full")])
def test_what_the_world_did_is_503_and_what_the_sender_did_is_not(error: Exception) -> None:
    def fail() -> None:
        raise error

    def refuse() -> None:
        raise InputError("expected a, got b; do c")

    with pytest.raises(RefusalError, match="the database can't be read or written at the moment"):
        asyncio.run(desk().ask(fail))
    with pytest.raises(InputError, match="expected a, got b"):
        asyncio.run(desk().ask(refuse))
