"""The interface on a real server on loopback, in a thread, over a controller that keeps everything in memory."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from monitoring.recertification_webhook.authentication import Gate
from monitoring.recertification_webhook.controller import Controller
from monitoring.recertification_webhook.desk import Desk
from monitoring.recertification_webhook.grafana import Signatures
from monitoring.recertification_webhook.requests import (
    DURATION_BUCKETS,
    OPEN,
    AuditEntry,
    ConflictError,
    Durations,
    Figures,
    Offer,
    Readiness,
    RequestView,
    UnknownRequestError,
)
from monitoring.recertification_webhook.server import Address, listening, make_server
from monitoring.recertification_webhook.settings import Settings
from monitoring.recertification_webhook.trigger import Trigger

NOW = datetime(2026, 11, 21, 13, 5, 11, tzinfo=UTC)
VERSION = "0123456789ab"


def view(number: int, **given: Any) -> RequestView:
    """A queued request of digits."""
    fixed: dict[str, Any] = {
        "id": f"r{number:04d}",
        "model": "digits",
        "version": VERSION,
        "certificate_sha256": "ab" * 32,
        "reasons": ("input-drift",),
        "state": "queued",
        "outcome": "",
        "attempts": 0,
        "created_at": NOW,
        "updated_at": NOW,
        "finished_at": None,
        "not_before": NOW,
        "deadline": None,
        "run_name": "",
        "run_id": "",
        "run_url": "",
        "certificate": "",
        "last_error": "",
        "suspended": False,
    }
    return RequestView(**{**fixed, **given})


class MemoryController(Controller):
    """One open request for a model version, one offer for an episode; nothing else of the real one."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.offered: list[Trigger] = []
        self.views: dict[str, RequestView] = {}
        self.episodes: dict[str, str] = {}
        self.audit: list[AuditEntry] = []
        self.broken: Exception | None = None
        self.ready = Readiness(database_writable=True, loop_age_seconds=0.5)

    def offer(self, triggers: Sequence[Trigger]) -> list[Offer]:
        """Refused while `broken`."""
        with self.lock:
            self._fail()
            self.offered += triggers
            return [self._offer(trigger) for trigger in triggers]

    def _fail(self) -> None:
        if self.broken is not None:
            raise self.broken

    def _offer(self, trigger: Trigger) -> Offer:
        if trigger.resolved:
            return Offer(request_id=None, result="resolved", state="")
        known = self.episodes.get(trigger.episode)
        if known is not None:
            return Offer(request_id=known, result="duplicate", state=self.views[known].state)
        same = [
            one
            for one in self.views.values()
            if (one.model, one.version) == (trigger.model, trigger.version or VERSION) and one.state in OPEN
        ]
        made = same[0] if same else view(len(self.views), model=trigger.model, version=trigger.version or VERSION)
        self.views[made.id] = made
        self.episodes[trigger.episode] = made.id
        return Offer(request_id=made.id, result="merged" if same else "queued", state=made.state)

    def requests(
        self, *, state: str | None = None, model: str | None = None, after: str | None = None, limit: int = 100
    ) -> list[RequestView]:
        """The newest first."""
        self._fail()
        found = sorted(self.views.values(), key=lambda one: one.id, reverse=True)
        return [
            one
            for one in found
            if state in (None, one.state) and model in (None, one.model) and (after is None or one.id < after)
        ][:limit]

    def request(self, request_id: str) -> RequestView | None:
        """By id."""
        return self.views.get(request_id)

    def cancel(self, request_id: str, *, by: str) -> RequestView:
        """Of an open one."""
        return self._change(request_id, OPEN, "cancelled", by)

    def retry(self, request_id: str, *, by: str) -> RequestView:
        """Of a dead one."""
        return self._change(request_id, ("dead",), "queued", by)

    def _change(self, request_id: str, states: Sequence[str], state: Any, by: str) -> RequestView:
        if request_id not in self.views:
            raise UnknownRequestError(f"expected the id of a request, got '{request_id}'; list them")
        if self.views[request_id].state not in states:
            raise ConflictError(f"expected a request that is {states}, got another; look at it")
        self.views[request_id] = replace(self.views[request_id], state=state)
        self.audit.append(
            AuditEntry(
                sequence=len(self.audit) + 1,
                at=NOW,
                actor=by,
                action=state,
                request_id=request_id,
                detail={"from": "elsewhere"},
                sha256="00" * 32,
            )
        )
        return self.views[request_id]

    def history(self, request_id: str) -> list[AuditEntry]:
        """What was changed."""
        return [entry for entry in self.audit if entry.request_id == request_id]

    def readiness(self) -> Readiness:
        """As the test set it."""
        return self.ready

    def figures(self) -> Figures:
        """Counts of what is there."""
        return figures(requests={one.state: 1 for one in self.views.values()})


def figures(**given: Any) -> Figures:
    """Nothing happened yet, but for what is given."""
    fixed: dict[str, Any] = {
        "triggers": {},
        "requests": {},
        "finished": {},
        "durations": Durations(counts=(0,) * (len(DURATION_BUCKETS) + 1), total_seconds=0.0),
        "oldest_request_at": None,
        "last_reconcile_at": None,
        "backend_errors": {},
        "dead": (),
        "ineffective": (),
        "suspensions_pending": 0,
        "audit_entries_pending": 0,
        "clock_jumps": 0,
    }
    return Figures(**{**fixed, **given})


def settings(**given: Any) -> Settings:
    """Settings of the interface; what belongs to the controller names files that are not there."""
    fixed: dict[str, Any] = {
        "store": "store",
        "trusted_keys": Path("issuer.pub"),
        "database": Path("controller.sqlite"),
        "audit_log": Path("audit.jsonl"),
        "backend": {"local": {"folder": "runs", "signing_key": "issuer"}},
        "listen": "127.0.0.1:0",
        "metrics": "127.0.0.1:0",
    }
    return Settings.model_validate({**fixed, **given})


@dataclass(frozen=True, kw_only=True)
class Running:
    """A server that runs."""

    url: str
    desk: Desk
    controller: Any
    client: httpx.Client = field(repr=False)


@contextmanager
def running(controller: Controller, **given: Any) -> Iterator[Running]:
    """The interface with these settings; `clock` and `signature_clock` are ours to turn."""
    clock = given.pop("clock", lambda: NOW)
    signature_clock = given.pop("signature_clock", lambda: NOW.timestamp())
    wanted = settings(**given)
    desk = Desk(
        controller=controller,
        gate=Gate(token_file=wanted.bearer_token_file, client_certificates=wanted.tls is not None),
        signatures=wanted.grafana_secret_file and Signatures(wanted.grafana_secret_file, clock=signature_clock),
        clock=clock,
    )
    with (
        listening(Address(host="127.0.0.1", port=0), key="listen") as bound,
        served(make_server(wanted, desk), bound),
    ):
        scheme = "http" if wanted.tls is None else "https"
        url = f"{scheme}://127.0.0.1:{bound.getsockname()[1]}"
        with httpx.Client(base_url=url, trust_env=False, timeout=30, verify=False) as client:  # noqa: S501  a certificate of its own
            yield Running(url=url, desk=desk, controller=controller, client=client)


@contextmanager
def served(server: Any, bound: Any) -> Iterator[None]:
    """Runs a server in a thread until the end of the block."""
    ended = threading.Event()

    def run() -> None:
        try:
            server.run(sockets=[bound])
        finally:
            ended.set()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        while not server.started and not ended.wait(0.01):
            pass
        assert server.started
        yield
    finally:
        server.should_exit = True
        thread.join()


def disk_full() -> Exception:
    """What SQLite raises then."""
    return sqlite3.OperationalError("database or disk is full")
