"""What changes while the demo runs: alerts, requests, certificates, statuses, drift records; a change is an event."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from monitoring.demo.programs import Alertmanager, Prometheus
from monitoring.demo.timeline import Timeline
from robustcert.certificate.keys import VerificationKey
from robustcert.certificate.published import published
from robustcert.certificate.status import STATUSES, parse_status
from robustcert.commands.controller_client import ControllerClient
from robustcert.drift.record import DRIFT, parse_record
from robustcert.errors import StepError, expected
from robustcert.storage.store import Store

POLL_SECONDS = 0.2
ENDED = ("succeeded", "dead", "cancelled")


@dataclass(frozen=True, kw_only=True)
class Sources:
    """Where the watcher looks."""

    prometheus: Prometheus
    alertmanager: Alertmanager
    controller: ControllerClient
    store: Store
    keys: tuple[VerificationKey, ...]


@dataclass(kw_only=True)
class Watcher:
    """Looks at everything and tells what is new; `requests` and `alerts` are what it saw last."""

    sources: Sources
    timeline: Timeline
    clock: Callable[[], float] = time.monotonic
    alerts: dict[str, str] = field(default_factory=dict)  # name -> pending or firing
    requests: dict[str, dict[str, Any]] = field(default_factory=dict)
    _documents: set[str] = field(default_factory=set)

    def look(self) -> None:
        """One look at everything."""
        self._look_at_alerts()
        self._look_at_requests()
        self._look_at_store()

    def until(self, what: str, condition: Callable[[], bool], *, seconds: float) -> float:
        """Looks until `condition` holds and returns the seconds that it took; StepError where it does not in time."""
        began = self.clock()
        while True:
            self.look()
            if condition():
                return self.clock() - began
            if self.clock() - began > seconds:
                got = f"alerts {self.alerts or 'none'}, requests {self._states() or 'none'}"
                raise StepError(
                    expected(f"{what} within {seconds:g} s", got=got, remedy="see the logs below the folder")
                )
            time.sleep(POLL_SECONDS)

    def firing(self) -> list[str]:
        """Names of alerts that fire and that the controller acts on."""
        found = [alert for alert in self.sources.prometheus.alerts() if alert.state == "firing"]
        return sorted(alert.name for alert in found if "action" in alert.labels)

    def acting(self) -> list[str]:
        """Names of alerts that Alertmanager holds and the controller acts on."""
        return sorted(alert.name for alert in self.sources.alertmanager.alerts() if "action" in alert.labels)

    def ended(self) -> list[dict[str, Any]]:
        """Requests that have ended."""
        return [one for one in self.requests.values() if one["state"] in ENDED]

    def _states(self) -> dict[str, str]:
        return {name: one["state"] for name, one in self.requests.items()}

    def _look_at_alerts(self) -> None:
        now = {alert.name: alert.state for alert in self.sources.prometheus.alerts()}
        for name in sorted(now.keys() | self.alerts.keys()):
            if now.get(name) != self.alerts.get(name):
                self.timeline.say("alert", f"{name} {now.get(name, 'resolved')}")
        self.alerts = now

    def _look_at_requests(self) -> None:
        for one in self.sources.controller.requests(limit=100):
            before = self.requests.get(one["id"])
            if before is None or before["state"] != one["state"]:
                self.timeline.say("request", request_line(one))
            self.requests[one["id"]] = one

    def _look_at_store(self) -> None:
        store, names = self.sources.store, set[str]()
        for document in published(store):
            names.add(f"published {document.certificate_sha256}")
            self._tell(names, "certificate", f"{document.certificate_sha256[:12]} in force until {document.not_after}")
        for name in store.list_documents(STATUSES):
            names.add(name)
            said = parse_status(store.read_document(name) or b"", keys=self.sources.keys) if self._new(name) else None
            if said is not None:
                self._tell(names, "status", f"{said.certificate_sha256[:12]} {said.status}: {said.cause}")
        for name in store.list_documents(DRIFT):
            names.add(name)
            record = parse_record(store.read_document(name) or b"", keys=self.sources.keys) if self._new(name) else None
            if record is not None:
                self._tell(names, "drift record", f"{record.verdict}: {record.summary}")

    def _new(self, name: str) -> bool:
        return name not in self._documents

    def _tell(self, names: set[str], who: str, what: str) -> None:
        """Says it unless every one of these documents was seen before."""
        if not names <= self._documents:
            self._documents |= names
            self.timeline.say(who, what)


def request_line(request: dict[str, Any]) -> str:
    """A request in one line.

    >>> request_line({"id": "r1", "state": "running", "reasons": ["input-drift"]})
    'r1 running (input-drift)'
    """
    reasons = ", ".join(str(reason) for reason in request["reasons"])
    error = f": {request['lastError']}" if request.get("lastError") else ""
    return f"{request['id']} {request['state']} ({reasons}){error}"
