"""The loop: level-triggered, so that whatever was missed is seen at the next pass.

A pass reads the store, offers what is due by itself, writes suspensions, then moves each open request one step. Nothing
that fails in one request keeps the others; once the backend gives no answer, the rest of the pass spares it.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from monitoring.recertification_webhook.backends.backend import BackendError
from monitoring.recertification_webhook.certificates import (
    CertificateScan,
    missing_triggers,
    own_triggers,
    require_published,
)
from monitoring.recertification_webhook.context import Context
from monitoring.recertification_webhook.endings import remember_error
from monitoring.recertification_webhook.fleet import keep_fleet
from monitoring.recertification_webhook.offers import Rules, place
from monitoring.recertification_webhook.revival import revive_known
from monitoring.recertification_webhook.running import clean_up, watch_run
from monitoring.recertification_webhook.schema import milliseconds
from monitoring.recertification_webhook.submission import resume_submission, start_request
from monitoring.recertification_webhook.suspension import suspend_all
from monitoring.recertification_webhook.transaction import Transaction
from monitoring.recertification_webhook.trigger import Trigger
from robustcert.errors import RobustcertError

LAST_PASS = "last_reconcile"
LOG = logging.getLogger("recertification")
Step = Callable[[Context, sqlite3.Row], None]
OPERATIONS: dict[Step, str] = {
    start_request: "submit",
    resume_submission: "find",
    watch_run: "look",
    clean_up: "cancel",
}


class Loop:
    """One thread; `wake` starts what is queued at once, a whole pass comes each reconcile interval."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._scan = CertificateScan(context.store)
        self._checked: set[str] = set()
        self._scanned = -float("inf")
        self._woken = threading.Event()
        self._ended = threading.Event()
        self.finished = -float("inf")  # monotonic time of the last whole pass
        self._thread = threading.Thread(target=self._run, name="reconcile", daemon=True)

    def start(self) -> None:
        """Starts the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Ends the thread after the step that it is at."""
        self._ended.set()
        self._woken.set()
        self._thread.join()

    def wake(self) -> None:
        """Something was queued."""
        self._woken.set()

    def once(self) -> None:
        """One whole pass. The write before all else carries a jump of the clock over, before any time is compared."""
        self._context.database.write(lambda _: None)
        self._guarded("store", self.scan_if_due)
        self._guarded("suspend", self._suspend)
        self._each("submitting", resume_submission)
        self._each("running", watch_run)
        self._clean_up()
        self.start_due()
        self._context.database.write(
            lambda transaction: transaction.run(
                "INSERT OR REPLACE INTO meta VALUES (?, ?)", LAST_PASS, str(milliseconds(transaction.now))
            )
        )
        self.finished = time.monotonic()

    def scan_if_due(self) -> None:
        """Reads the store where that is due, keeps what is in force, and offers what is due by itself."""
        context = self._context
        due = time.monotonic() - self._scanned >= context.settings.scan_interval.total_seconds()
        if not due and context.fleet is not None:
            return
        require_published(context.store, context.fleet)
        fleet = self._scan.fleet()
        if context.fleet is None or fleet.by_version != context.fleet.by_version:
            context.database.write(lambda transaction: keep_fleet(transaction, fleet))
        context.fleet = fleet
        self._scanned = time.monotonic()
        revive_known(context)
        now = context.clock()
        lead = context.settings.recertify_before
        own = own_triggers(context.store, fleet, keys=context.keys, now=now, recertify_before=lead)
        lost = missing_triggers(context.store, fleet, keys=context.keys, now=now, checked=self._checked)
        self._offer([*own, *lost])

    def start_due(self) -> None:
        """Starts queued requests that are due, the oldest first, as many as may run."""
        context = self._context
        room = context.settings.most_running - len(_rows(context, "submitting")) - len(_rows(context, "running"))
        for row in _due(context, now=context.clock())[: max(0, room)]:
            if not self._step(start_request, row):
                return

    def _offer(self, triggers: Sequence[Trigger]) -> None:
        context = self._context
        if triggers:
            fleet = context.fleet
            assert fleet is not None, "offered after a scan"

            def work(transaction: Transaction) -> None:
                for trigger in triggers:
                    place(Rules(transaction=transaction, fleet=fleet, settings=context.settings), trigger)

            context.database.write(work)

    def _suspend(self) -> None:
        context = self._context
        if context.status_key is not None:
            failures = suspend_all(
                context.database, context.store, key=context.status_key, keys=context.keys, now=context.clock()
            )
            if failures:
                context.errors["suspend"] += len(failures)

    def _clean_up(self) -> None:
        rows = self._context.database.read(
            lambda connection: connection.execute("SELECT * FROM request WHERE cleanup = 1").fetchall()
        )
        for row in rows:
            if not self._step(clean_up, row):
                return

    def _each(self, state: str, step: Step) -> None:
        for row in _rows(self._context, state):
            if not self._step(step, row):
                return

    def _step(self, step: Step, row: sqlite3.Row) -> bool:
        """Whether to go on with the next request: not where the backend gives no answer."""
        try:
            step(self._context, row)
        except BackendError as error:
            remember_error(self._context, row, OPERATIONS[step], str(error))
            return not error.transient
        except RobustcertError as error:
            remember_error(self._context, row, "store", str(error))
        return not self._ended.is_set()

    def _guarded(self, operation: str, part: Callable[[], None]) -> None:
        try:
            part()
        except RobustcertError as error:
            self._context.errors[operation] += 1
            LOG.warning("%s: %s", operation, error)

    def _run(self) -> None:
        pause = self._context.settings.reconcile_interval.total_seconds()
        due = -float("inf")
        while not self._ended.is_set():
            try:
                if time.monotonic() >= due:
                    due = time.monotonic() + pause
                    self.once()
                else:
                    self.start_due()
            except RobustcertError as error:  # such as a full disk; the next pass tries again
                self._context.errors["loop"] += 1
                LOG.warning("loop: %s", error)
            except Exception:  # a mistake of ours in one pass must not end the loop
                self._context.errors["loop"] += 1
                LOG.exception("loop")
            self._woken.wait(max(0.0, due - time.monotonic()))
            self._woken.clear()


def _rows(context: Context, state: str) -> list[sqlite3.Row]:
    statement = "SELECT * FROM request WHERE state = ? ORDER BY number"
    return context.database.read(lambda connection: connection.execute(statement, (state,)).fetchall())


def _due(context: Context, *, now: datetime) -> list[sqlite3.Row]:
    """Queued requests whose time has come, unless a cancelled run of the same model version is still to be ended.

    What lies further ahead than any rule puts it waits for no wrong clock.
    """
    settings = context.settings
    furthest = now + max(settings.cool_down, settings.retry_most * 2, timedelta(days=1)) + timedelta(days=1)
    statement = (
        "SELECT * FROM request WHERE state = 'queued' AND (not_before <= ? OR not_before > ?)"
        " AND NOT EXISTS (SELECT 1 FROM request AS other WHERE other.cleanup = 1 AND other.model = request.model"
        " AND other.version = request.version) ORDER BY number LIMIT ?"
    )
    values = (milliseconds(now), milliseconds(furthest), settings.most_running)
    return context.database.read(lambda connection: connection.execute(statement, values).fetchall())
