"""A sampled log of what was asked and answered, as Parquet files that the batch drift report reads.

Whether a request is sampled is a pure function of its CloudEvents id, so that every replica, and whoever joins labels
by id later, agrees. Rows wait in a bounded queue; one thread writes them to files that appear whole or not at all. A
prediction never fails because of its log: what can't be kept is dropped, and counted by reason. Of the rows offered,
received = logged + dropped + still waiting, at every moment. A killed process loses what waited.

Files: `<name>-<version>-<time of writing>-<8 digits>.parquet`; columns are those of `payload_schema`. Make the log in
the process that serves, after any fork.
"""

from __future__ import annotations

import hashlib
import logging
import secrets
import time
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from threading import Condition, Thread
from typing import TYPE_CHECKING

from robustcert.drift.reference import DriftReference
from robustcert.drift.stream.payload_table import Payload, parquet_bytes
from robustcert.errors import InputError, expected
from robustcert.storage.atomic import disk_failure, draft, make_folder

if TYPE_CHECKING:
    from collections.abc import Callable

SAMPLE_BYTES = 8
QUEUE_FULL, DISK, CLOSED = "queue-full", "disk", "closed"

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class PayloadLogSettings:
    """`sample_ratio` of requests is logged, 0 to 1. A file is written at `rows_per_file` rows or `seconds_per_file`.

    At most `most_waiting` rows wait; where there is no room, a row waits up to `block_seconds`, then it is dropped.
    """

    sample_ratio: float = 1.0
    most_waiting: int = 10_000
    rows_per_file: int = 5_000
    seconds_per_file: float = 60.0
    block_seconds: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.sample_ratio <= 1:
            raise InputError(expected("a sample ratio from 0 to 1", got=self.sample_ratio, remedy="correct it"))
        if not 0 < self.rows_per_file <= self.most_waiting:
            got = f"{self.rows_per_file} rows a file and {self.most_waiting} waiting"
            raise InputError(expected("at least one row a file, and room for a file", got=got, remedy="correct them"))
        if not (self.seconds_per_file > 0 and self.block_seconds >= 0):
            raise InputError(expected("seconds above 0", got="others", remedy="correct seconds and block_seconds"))


@dataclass(frozen=True, kw_only=True)
class PayloadFigures:
    """Rows since the start; `waiting` includes those being written."""

    received: int
    logged: int
    dropped: dict[str, int]
    waiting: int


def sampled(event_id: str, *, ratio: float) -> bool:
    """Whether a request is logged: where the first 64 bits of its id's SHA-256 lie below the ratio of 2^64.

    >>> sampled("a", ratio=1.0), sampled("a", ratio=0.0)
    (True, False)
    """
    digest = hashlib.sha256(event_id.encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:SAMPLE_BYTES], "big") < ratio * (1 << 8 * SAMPLE_BYTES)


class PayloadLog:
    """Writes to `folder`, which is made where it is missing; any number of threads may offer rows."""

    def __init__(
        self,
        folder: Path,
        *,
        reference: DriftReference,
        settings: PayloadLogSettings | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.settings = settings or PayloadLogSettings()
        self._folder, self._reference, self._clock = folder, reference, clock
        self._changed = Condition()
        self._waiting: deque[Payload] = deque()
        self._being_written, self._since = 0, 0.0
        self._received, self._logged = 0, 0
        self._dropped: Counter[str] = Counter(dict.fromkeys((QUEUE_FULL, DISK, CLOSED), 0))
        self._closing = False
        self._writer: Thread | None = None

    def wants(self, event_id: str) -> bool:
        """Whether the request of that id is to be logged."""
        return sampled(event_id, ratio=self.settings.sample_ratio)

    def offer(self, payloads: Sequence[Payload]) -> None:
        """Takes the rows of one request that is sampled; each waits for room up to `block_seconds`, never raises."""
        with self._changed:
            self._received += len(payloads)
            for payload in payloads:
                self._take(payload)

    def figures(self) -> PayloadFigures:
        """What became of the rows, as of one moment."""
        with self._changed:
            return PayloadFigures(
                received=self._received,
                logged=self._logged,
                dropped=dict(self._dropped),
                waiting=len(self._waiting) + self._being_written,
            )

    def close(self, *, seconds: float = 10.0) -> None:
        """Writes what waits; what is not written after `seconds`, and whatever is offered later, is dropped."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
            writer = self._writer
        if writer is not None:
            writer.join(seconds)
        with self._changed:
            self._dropped[CLOSED] += len(self._waiting)
            self._waiting.clear()

    def _take(self, payload: Payload) -> None:
        reason = self._refusal()
        if reason is not None:
            self._dropped[reason] += 1
            return
        if not self._waiting:
            self._since = self._clock()
        self._waiting.append(payload)
        self._ensure_writer()
        if len(self._waiting) in (1, self.settings.rows_per_file):
            self._changed.notify_all()

    def _refusal(self) -> str | None:
        """Why there is no place for a row, after waiting for one as long as is allowed; None where there is."""

        def room() -> bool:
            return self._closing or len(self._waiting) < self.settings.most_waiting

        if not room() and self.settings.block_seconds:
            self._changed.wait_for(room, self.settings.block_seconds)
        if self._closing:
            return CLOSED
        return None if room() else QUEUE_FULL

    def _ensure_writer(self) -> None:
        if self._writer is None or not self._writer.is_alive():
            self._writer = Thread(target=self._write_until_closed, name="payload-log", daemon=True)
            self._writer.start()

    def _write_until_closed(self) -> None:
        while batch := self._next_batch():
            written = False
            try:
                written = self._write(batch)
            finally:  # rows that are in no file are dropped, whatever went wrong; the next row starts a new thread
                self._account(len(batch), written=written)

    def _account(self, rows: int, *, written: bool) -> None:
        with self._changed:
            self._being_written = 0
            if written:
                self._logged += rows
            else:
                self._dropped[DISK] += rows

    def _next_batch(self) -> list[Payload]:
        """The rows of the next file, once there are enough or the oldest waited long enough; none when closed."""
        with self._changed:
            while not self._due():
                self._changed.wait(self._patience())
            size = min(len(self._waiting), self.settings.rows_per_file)
            batch = [self._waiting.popleft() for _ in range(size)]
            self._being_written, self._since = size, self._clock()
            self._changed.notify_all()
            return batch

    def _due(self) -> bool:
        if self._closing or len(self._waiting) >= self.settings.rows_per_file:
            return True
        return bool(self._waiting) and self._clock() - self._since >= self.settings.seconds_per_file

    def _patience(self) -> float | None:
        """Seconds until the oldest row is due; None, for ever, where no row waits."""
        if not self._waiting:
            return None
        return max(0.0, self._since + self.settings.seconds_per_file - self._clock())

    def _write(self, batch: list[Payload]) -> bool:
        path = self._folder / _file_name(self._reference)
        try:
            make_folder(self._folder)
            with draft(self._folder) as part:
                part.write([parquet_bytes(batch, self._reference)])
                part.link(path)
        except OSError as error:
            _LOG.warning("%d payloads dropped: %s", len(batch), disk_failure(error, wanted="to write them", path=path))
            return False
        return True


def _file_name(reference: DriftReference) -> str:
    moment = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%fZ")
    return f"{reference.name}-{reference.version}-{moment}-{secrets.token_hex(4)}.parquet"


def microseconds() -> int:
    """Now, in microseconds since 1970, UTC."""
    return time.time_ns() // 1000
