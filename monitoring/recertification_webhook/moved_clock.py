"""The wall clock moves by itself at times: corrected by hand, after a suspended machine, by a wrong time server.

The monotonic clock shows by how much, also across restarts of the process as long as the machine was not booted. What
was planned by the wrong time moves along, in the same commit in which the jump is first seen.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

from monitoring.recertification_webhook.schema import milliseconds, moment_of
from monitoring.recertification_webhook.transaction import Transaction

BOOT = Path("/proc/sys/kernel/random/boot_id")
LEAST_JUMP = timedelta(seconds=30)


def boot_id() -> str:
    """What is the same as long as the monotonic clock counts on; "" where the system does not tell."""
    try:
        return BOOT.read_text().strip()
    except OSError:
        return ""


class MovedClock:
    """Compares the wall clock with the monotonic one from look to look; use from one thread."""

    def __init__(
        self, clock: Callable[[], datetime], *, monotonic: Callable[[], float] = time.monotonic, boot: str | None = None
    ) -> None:
        self._clock, self._monotonic = clock, monotonic
        self._boot = boot_id() if boot is None else boot
        self._wall, self._steady = clock(), monotonic()
        self.jumps = 0
        self.owed = timedelta(0)  # what was seen and not yet carried over

    def look(self) -> datetime:
        """The time; a jump since the last look is added to `owed`."""
        wall, steady = self._clock(), self._monotonic()
        jump = (wall - self._wall) - timedelta(seconds=steady - self._steady)
        self._wall, self._steady = wall, steady
        if abs(jump) >= LEAST_JUMP:
            self.jumps += 1
            self.owed += jump
        return wall

    def stamp(self) -> str:
        """Both clocks at the last look, for the next process."""
        return json.dumps({"boot": self._boot, "wall": milliseconds(self._wall), "steady": self._steady})

    def resume(self, stamp: str) -> None:
        """Goes on from another process's stamp; a stamp of another boot tells nothing."""
        value = json.loads(stamp)
        if self._boot and value["boot"] == self._boot:
            self._wall, self._steady = moment_of(value["wall"]), float(value["steady"])


def carry_over(transaction: Transaction, jump: timedelta) -> None:
    """Moves deadlines, waiting times and ends of requests along with the clock."""
    by = round(jump / timedelta(milliseconds=1))
    for column, condition in (
        ("not_before", "state = 'queued'"),
        ("deadline", "state = 'running'"),
        ("finished_at", f"finished_at > {milliseconds(transaction.now)}"),
    ):
        statement = f"UPDATE request SET {column} = {column} + ? WHERE {condition}"
        transaction.run(statement, by)
    transaction.audit("clock-jumped", actor="controller", seconds=f"{jump.total_seconds():.0f}")
