"""The recertification controller: the one object that the HTTP side talks to, from any thread.

It owns a database with its writing thread (database.py) and a loop (reconcile.py). What happens to a trigger is decided
in offers.py, what becomes of a request in submission.py, running.py and endings.py.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from monitoring.recertification_webhook.audit import audit_entry
from monitoring.recertification_webhook.backends.backend import Backend
from monitoring.recertification_webhook.context import Context, Waits
from monitoring.recertification_webhook.database import Database
from monitoring.recertification_webhook.figures import figures_of
from monitoring.recertification_webhook.fleet import kept_fleet
from monitoring.recertification_webhook.interventions import cancel, retry
from monitoring.recertification_webhook.moved_clock import MovedClock
from monitoring.recertification_webhook.offers import Rules, place
from monitoring.recertification_webhook.reconcile import Loop
from monitoring.recertification_webhook.request_rows import views
from monitoring.recertification_webhook.requests import (
    AuditEntry,
    Figures,
    Offer,
    Readiness,
    RequestView,
    UnknownRequestError,
)
from monitoring.recertification_webhook.settings import Settings
from monitoring.recertification_webhook.transaction import Transaction
from monitoring.recertification_webhook.trigger import Trigger
from robustcert.certificate.keys import SigningKey, VerificationKey, key_id, load_signing_key
from robustcert.certificate.trust import load_trusted_keys
from robustcert.errors import KeyFileError, StorageError, expected
from robustcert.storage.store import open_store

MOST_SHOWN = 1000


def utc_now() -> datetime:
    """The wall clock."""
    return datetime.now(UTC)


class Controller:
    """From `start` to `stop`; keys are read when it is made, so that wrong settings show at once."""

    def __init__(self, settings: Settings, backend: Backend, clock: Callable[[], datetime] = utc_now) -> None:
        self.settings = settings
        self._moved = MovedClock(clock)
        self._database = Database(settings.database, audit_log=settings.audit_log, clock=self._moved)
        keys = load_trusted_keys(settings.trusted_keys)
        self._context = Context(
            settings=settings,
            database=self._database,
            store=open_store(settings.store),
            backend=backend,
            keys=keys,
            status_key=_status_key(settings, keys),
            clock=clock,
            waits=Waits(time.monotonic),
        )
        self._loop = Loop(self._context)

    def start(self) -> None:
        """Opens the database, holds the audit log to it, and starts the loop.

        StorageError where another controller has the database; AuditError where log and database differ.
        """
        self._database.open()
        self._context.fleet = self._database.read(kept_fleet)
        self._loop.start()

    def stop(self) -> None:
        """Ends loop and writer; runs go on, and the next start adopts them."""
        self._loop.stop()
        self._database.close()
        self._context.backend.close()

    def offer(self, triggers: Sequence[Trigger]) -> list[Offer]:
        """What was done with each trigger, all of it committed; callers at the same moment share one flush to the disk.

        StorageError, and nothing done, where the disk refuses or the store was never read yet: the sender tries again.
        """
        fleet, settings = self._context.fleet, self.settings
        if fleet is None:
            remedy = "send again; this heals once the store answers"
            raise StorageError(expected("a store that was read once", got="none yet", remedy=remedy))

        def work(transaction: Transaction) -> list[Offer]:
            rules = Rules(transaction=transaction, fleet=fleet, settings=settings)
            return [place(rules, trigger) for trigger in triggers]

        offers = self._database.write(work)
        if any(offer.result == "queued" for offer in offers):
            self._loop.wake()
        return offers

    def requests(
        self, *, state: str | None = None, model: str | None = None, after: str | None = None, limit: int = 100
    ) -> list[RequestView]:
        """Requests, the newest first; `after` is the id of the last one already seen.

        UnknownRequestError where `after` is none.
        """
        conditions = {"state = ?": state, "model = ?": model}
        if after is not None:
            conditions["number < (SELECT number FROM request WHERE id = ?)"] = self._known(after)
        chosen = {text: value for text, value in conditions.items() if value is not None}
        where = f"WHERE {' AND '.join(chosen)}" if chosen else ""
        statement = f"SELECT * FROM request {where} ORDER BY number DESC LIMIT ?"
        values = (*chosen.values(), max(1, min(limit, MOST_SHOWN)))
        return self._database.read(lambda one: views(one, one.execute(statement, values).fetchall()))

    def request(self, request_id: str) -> RequestView | None:
        """The request of that id, None where there is none."""
        statement = "SELECT * FROM request WHERE id = ?"
        found = self._database.read(lambda one: views(one, one.execute(statement, (request_id,)).fetchall()))
        return found[0] if found else None

    def cancel(self, request_id: str, *, by: str) -> RequestView:
        """Ends an open request and its run, or lays a dead letter aside; UnknownRequestError, ConflictError."""
        self._known(request_id)
        self._database.write(lambda transaction: cancel(transaction, request_id, by=by))
        return self._shown(request_id)

    def retry(self, request_id: str, *, by: str) -> RequestView:
        """Queues a dead request again, with as many runs as a new one; UnknownRequestError, ConflictError."""
        self._known(request_id)
        allowed = self.settings.most_attempts
        self._database.write(lambda transaction: retry(transaction, request_id, by=by, allowed=allowed))
        self._loop.wake()
        return self._shown(request_id)

    def history(self, request_id: str) -> list[AuditEntry]:
        """What the audit log says about a request, the first entry first; UnknownRequestError."""
        self._known(request_id)
        statement = "SELECT line FROM audit WHERE request_id = ? ORDER BY sequence"
        rows = self._database.read(lambda one: one.execute(statement, (request_id,)).fetchall())
        return [audit_entry(line.encode()) for (line,) in rows]

    def readiness(self) -> Readiness:
        """Whether the last write went through, and how old the last pass of the loop is (each pass writes)."""
        error = self._database.last_error
        return Readiness(
            database_writable=not error, loop_age_seconds=time.monotonic() - self._loop.finished, error=error
        )

    def figures(self) -> Figures:
        """Everything that /metrics shows."""
        return figures_of(self._context, clock_jumps=self._moved.jumps)

    def _known(self, request_id: str) -> str:
        statement = "SELECT 1 FROM request WHERE id = ?"
        if self._database.read(lambda one: one.execute(statement, (request_id,)).fetchone()) is None:
            got = repr(request_id[:80])
            raise UnknownRequestError(expected("the id of a request", got=got, remedy="list the requests"))
        return request_id

    def _shown(self, request_id: str) -> RequestView:
        found = self.request(request_id)
        assert found is not None, "requests are never removed"
        return found


def _status_key(settings: Settings, keys: Sequence[VerificationKey]) -> SigningKey | None:
    """The key that signs suspensions; KeyFileError where we would not trust what it signs."""
    if settings.status_key is None:
        return None
    key = load_signing_key(settings.status_key, passphrase=None)
    if key_id(key.public_key()) not in map(key_id, keys):
        got = f"'{settings.status_key}', whose public half is not there"
        what = f"as statusKey one of which '{settings.trusted_keys}' has the public half"
        raise KeyFileError(expected(what, got=got, remedy="put it there, with the issuer's, in a folder"))
    return key
