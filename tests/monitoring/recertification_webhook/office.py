"""A controller in a folder of its own, with a clock that tests move and passes of the loop that tests make."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from monitoring.recertification_webhook.controller import Controller
from monitoring.recertification_webhook.requests import Offer, RequestView
from monitoring.recertification_webhook.settings import BackendSettings, DriftSettings, KubeflowSettings, Settings
from monitoring.recertification_webhook.trigger import Trigger
from robustcert.certificate.bundle import certificate_name
from robustcert.certificate.status import StatusChange, read_statuses, write_status
from tests.monitoring.recertification_webhook.fake_backend import FakeBackend
from tests.monitoring.recertification_webhook.small_store import SmallStore

START = datetime(2026, 6, 1, 12, 0, 0, tzinfo=UTC)


class Office:
    """`passes` are made by hand: the loop's thread is not started, so that nothing depends on timing."""

    def __init__(self, folder: Path, *, models: tuple[str, ...] = ("digits",), **changes: Any) -> None:
        self.folder, self.now = folder, START
        self.small = SmallStore(folder)
        self.certificates = {name: self.small.issue(name, certified_at=START - timedelta(days=1)) for name in models}
        self.backend = FakeBackend()
        self.settings = settings_in(folder, self.small, **changes)
        self.controller = self.opened()
        self._episodes = itertools.count()

    def opened(self) -> Controller:
        """A controller over what is there, its loop's thread not started, after one pass."""
        controller = Controller(self.settings, self.backend, lambda: self.now)
        controller._database.open()
        controller._loop.once()
        return controller

    def close(self) -> None:
        """Lets go of the database, as a process that ends."""
        self.controller._database.close()

    def restart(self) -> None:
        """Another controller over the same files."""
        self.close()
        self.controller = self.opened()

    def trigger(self, model: str = "digits", **changes: Any) -> Trigger:
        """A trigger of an episode of its own, unless told otherwise."""
        given = {
            "source": "alert",
            "model": model,
            "episode": f"fingerprint-{next(self._episodes)}",
            "reason": "input-drift",
            "text": "inputs drifted",
            "received_at": self.now,
        }
        return Trigger(**{**given, **changes})

    def offer(self, model: str = "digits", **changes: Any) -> Offer:
        """What was done with one trigger."""
        (found,) = self.controller.offer([self.trigger(model, **changes)])
        return found

    def passes(self, times: int = 1, *, later: timedelta = timedelta(0)) -> None:
        """Passes of the loop, with time in between; both clocks move, so that it is no jump."""
        for _ in range(times):
            self.later(later)
            self.controller._loop._scanned = -float("inf")
            self.controller._loop.once()

    def later(self, by: timedelta) -> None:
        """Time goes by."""
        self.now += by
        self.controller._moved._wall += by

    def view(self, request_id: str | None) -> RequestView:
        """A request as people see it."""
        assert request_id is not None
        found = self.controller.request(request_id)
        assert found is not None
        return found

    def certify(self, request_id: str | None, *, attempt: int = 1, model: str = "digits", **changes: Any) -> str:
        """A run of the request issues."""
        given = {"run_id": f"{request_id}-{attempt}", "certified_at": self.now, **changes}
        return self.small.issue(model, supersedes=(self.certificates[model],), **given)

    def revoke(self, model: str = "digits") -> None:
        """The certificate that was in force first is revoked by a person."""
        change = StatusChange(status="revoked", reason="incident", cause="a test", decided_by="a person")
        certificate = self.small.store.read_document(certificate_name(self.certificates[model])) or b""
        keys = (self.small.key.public_key(),)
        write_status(self.small.store, certificate, change, key=self.small.key, keys=keys, now=self.now)

    def statuses(self, model: str = "digits") -> list[tuple[str, str, str]]:
        """(status, reason, request) of the certificate that was in force first."""
        keys = (self.small.key.public_key(),)
        found = read_statuses(self.small.store, self.certificates[model], keys=keys)
        return [(one.status, one.reason, one.request_id) for one in found]

    def actions(self, request_id: str | None) -> list[str]:
        """What the audit log says of a request."""
        assert request_id is not None
        return [entry.action for entry in self.controller.history(request_id)]


def settings_in(folder: Path, small: SmallStore, **changes: Any) -> Settings:
    """Settings of a controller whose files are in `folder`; it may suspend."""
    given: dict[str, Any] = {
        "store": str(folder / "store"),
        "trusted_keys": small.public,
        "status_key": small.private,
        "backend": BackendSettings(kubeflow=KubeflowSettings(host="http://127.0.0.1:1")),
        "database": folder / "controller.sqlite",
        "audit_log": folder / "audit.jsonl",
        "drift": DriftSettings(suspend_on_gross=True),
        "retry_base": timedelta(minutes=1),
    }
    return Settings(**{**given, **changes})
