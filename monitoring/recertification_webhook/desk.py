"""What every handler needs: the controller, who may ask, what is counted, and the time."""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

import anyio
import anyio.to_thread
from starlette.requests import Request

from monitoring.recertification_webhook.authentication import Caller, Gate, Scope
from monitoring.recertification_webhook.controller import Controller, utc_now
from monitoring.recertification_webhook.grafana import Signatures
from monitoring.recertification_webhook.log import tell
from monitoring.recertification_webhook.refusal import unavailable
from robustcert.errors import WorldError

ANSWER_SECONDS = 8.0  # Alertmanager gives up after 10 and sends again
MOST_WAITING = 64  # threads that wait for a commit at the same time

Value = TypeVar("Value")


class Counts:
    """Triggers that never reach the controller, by source and result; safe to read from another thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[tuple[str, str]] = Counter()

    def add(self, source: str, result: str, number: int = 1) -> None:
        """Counts `number` more."""
        with self._lock:
            self._counts[source, result] += number

    def read(self) -> dict[tuple[str, str], int]:
        """(source, result) -> how many."""
        with self._lock:
            return dict(self._counts)


@dataclass(frozen=True, kw_only=True)
class Desk:
    """`signatures` is None where no Grafana secret is configured: then a token must be sent there too."""

    controller: Controller
    gate: Gate
    signatures: Signatures | None = None
    counts: Counts = field(default_factory=Counts)
    clock: Callable[[], datetime] = utc_now
    limiter: anyio.CapacityLimiter = field(default_factory=lambda: anyio.CapacityLimiter(MOST_WAITING))

    async def ask(self, question: Callable[[], Value], *, seconds: float = ANSWER_SECONDS) -> Value:
        """The controller's answer, from another thread; RefusalError (503) where it has none in time."""
        try:
            with anyio.fail_after(seconds):
                return await anyio.to_thread.run_sync(question, abandon_on_cancel=True, limiter=self.limiter)
        except TimeoutError as error:
            raise unavailable(f"no commit within {seconds:g} s; send it again") from error
        except (sqlite3.Error, OSError, WorldError) as error:
            tell("the database failed", level=logging.ERROR, error=error)
            raise unavailable("the database can't be read or written at the moment; send it again") from error

    def admits(self, scope: Scope) -> Callable[[Request], Awaitable[Caller]]:
        """A dependency of a route: who asks, before anything else of the request is looked at."""

        async def admit(request: Request) -> Caller:
            return self.gate.admit(request.headers, scope, method=request.method)

        return admit
