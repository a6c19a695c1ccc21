"""The exporter itself: it scans, shows what it found, and drops it when the store has been down for too long."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol

from monitoring.exporter.compression import Packed
from monitoring.exporter.deployed import Deployed, deployed_text
from monitoring.exporter.health import Health
from monitoring.exporter.scan import Fleet, Scanner
from monitoring.exporter.series import Limits, Series, series_of
from robustcert.errors import RobustcertError

# A turn of the loop that lasts longer hangs: a first scan of thousands of models takes seconds.
LONGEST_TURN = 900.0

Clock = Callable[[], float]
logger = logging.getLogger(__name__)


class DeployedSource(Protocol):
    """Says what is deployed: a file, or a watch."""

    kind: str

    @property
    def state(self) -> str:
        """connected, disconnected or absent."""

    def found(self) -> list[Deployed]:
        """What is deployed, as last told."""


@dataclass(frozen=True, kw_only=True)
class Shown:
    """What a scan left to show: its text plain and compressed, and when it ended, by a clock that never jumps."""

    fleet: Fleet = field(default_factory=Fleet)
    series: Series = field(default_factory=Series)
    plain: bytes = b""
    packed: Packed = field(default_factory=Packed)
    at: float | None = None


class Exporter:
    """Scans in one thread and answers scrapes in others; `wall` tells the time of day, `steady` how much passed."""

    def __init__(
        self,
        scanner: Scanner,
        *,
        limits: Limits,
        staleness: float,
        sources: tuple[DeployedSource, ...] = (),
        wall: Clock = time.time,
        steady: Clock = time.monotonic,
    ) -> None:
        self.health = Health()
        self._scanner, self._limits, self._staleness, self._sources = scanner, limits, staleness, sources
        self._wall, self._steady = wall, steady
        self._shown, self._turned = Shown(), steady()

    def run(self, stop: threading.Event, *, interval: float) -> None:
        """Scans until it is stopped, `interval` seconds after the last one, or at once where that left something."""
        while not stop.is_set():
            done = self.scan()
            if not done or not self._shown.fleet.unread:
                stop.wait(interval)

    def scan(self) -> bool:
        """Looks at the store once; False where that failed, and what was shown stays for a while."""
        began = self._turned = self._steady()
        try:
            fleet = self._scanner.scan(now=datetime.fromtimestamp(self._wall(), UTC))
            self._show(fleet)
        except RobustcertError as error:
            logger.warning("scan failed: %s", error)
            return False
        except Exception:  # a mistake of this program; the next scan may get past it
            logger.exception("scan failed")
            return False
        dropped, seconds = self._shown.series.dropped, self._steady() - began
        self.health.succeeded(fleet, dropped=dropped, seconds=seconds, at=self._wall())
        return True

    def metrics(self, *, compressed: bool) -> bytes:
        """Everything that Prometheus is told, in its text format; gzip where `compressed`."""
        shown = self._fresh()
        rest = shown.series.status_text(now=self._wall()) + self._deployed(shown.fleet) + self._own()
        return shown.packed.followed_by(rest.encode()) if compressed else shown.plain + rest.encode()

    @property
    def ready(self) -> bool:
        """Whether a scan succeeded, and not too long ago."""
        return self._fresh().at is not None

    @property
    def alive(self) -> bool:
        """Whether the loop turns."""
        return self._steady() - self._turned < LONGEST_TURN

    def _show(self, fleet: Fleet) -> None:
        """Makes the text, unless nothing changed since the last."""
        shown = self._shown
        if shown.at is None or fleet.models != shown.fleet.models:
            series = series_of(fleet.models, limits=self._limits)
            plain = series.text.encode()
            shown = Shown(series=series, plain=plain, packed=Packed(plain))
        self._shown = Shown(fleet=fleet, series=shown.series, plain=shown.plain, packed=shown.packed, at=self._steady())

    def _fresh(self) -> Shown:
        """What is shown, or nothing where that is too old."""
        shown = self._shown
        return shown if shown.at is not None and self._steady() - shown.at <= self._staleness else Shown()

    def _deployed(self, fleet: Fleet) -> str:
        return deployed_text((item for source in self._sources for item in source.found()), fleet)

    def _own(self) -> str:
        for source in self._sources:
            self.health.watching(source.kind, state=source.state)
        return self.health.text()
