"""What every step of the loop works with: database, store, backend, keys and policy, and how long it has waited.

Waiting is measured by the monotonic clock, so that no jump of the wall clock makes a run be asked for twice too early.
Whoever was restarted begins to wait anew, except for what the database knows by boot and monotonic time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from monitoring.recertification_webhook.backends.backend import Backend
from monitoring.recertification_webhook.database import Database
from monitoring.recertification_webhook.fleet import Fleet
from monitoring.recertification_webhook.settings import Settings
from robustcert.certificate.keys import SigningKey, VerificationKey
from robustcert.storage.store import Store


class Waits:
    """When this process first saw something, by the monotonic clock."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._since: dict[tuple[str, str], float] = {}

    def begin(self, what: str, key: str) -> None:
        """Starts a wait, also one that was begun before."""
        self._since[(what, key)] = self._monotonic()

    def seconds(self, what: str, key: str) -> float:
        """How long a wait has lasted; one that was never begun begins now."""
        now = self._monotonic()
        return now - self._since.setdefault((what, key), now)

    def end(self, what: str, key: str) -> None:
        """Forgets a wait."""
        self._since.pop((what, key), None)


@dataclass(kw_only=True)
class Context:
    """One controller's means; `fleet` is None until the store was read once."""

    settings: Settings
    database: Database
    store: Store
    backend: Backend
    keys: Sequence[VerificationKey]
    status_key: SigningKey | None
    clock: Callable[[], datetime]
    waits: Waits
    fleet: Fleet | None = None
    errors: Counter[str] = field(default_factory=Counter)
