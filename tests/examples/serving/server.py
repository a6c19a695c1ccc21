"""The example on a real uvicorn server, on a free port of loopback."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Event, Thread
from time import monotonic

import httpx
import uvicorn

from examples.serving.app import Serving, make_app

SECONDS = 30.0


@dataclass(frozen=True, kw_only=True)
class Running:
    """A served model and a client of it."""

    serving: Serving
    client: httpx.Client


@contextmanager
def running(serving: Serving) -> Iterator[httpx.Client]:
    """A client of a uvicorn server on a free port of loopback, as long as the context lasts."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(make_app(serving), log_level="warning", access_log=False))
    thread = Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    until(lambda: server.started)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{listener.getsockname()[1]}", timeout=SECONDS) as client:
            yield client
    finally:
        server.should_exit = True
        thread.join(SECONDS)
        listener.close()


def until(holds: Callable[[], bool]) -> None:
    """Waits until something holds; AssertionError where it does not come about."""
    end, pause = monotonic() + SECONDS, Event()
    while not holds():
        assert monotonic() < end, "it did not come about"
        pause.wait(0.01)
