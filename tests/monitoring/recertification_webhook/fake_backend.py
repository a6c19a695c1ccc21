"""A backend that runs nothing: tests say what becomes of each run. For decisions, not for the wire; see backends/."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from monitoring.recertification_webhook.backends.backend import BackendError, BackendRun, Order, RunState


class FakeBackend:
    """`runs` in the order in which they were asked for; `fail` raises in place of an answer."""

    settle_seconds = 0.0

    def __init__(self) -> None:
        self.runs: list[BackendRun] = []
        self.orders: list[Order] = []
        self.cancelled: list[str] = []
        self.fail: Callable[[str], BackendError | None] = lambda _: None

    def find(self, name: str) -> list[BackendRun]:
        self._refuse("find")
        return [run for run in self.runs if run.name == name]

    def look(self, run_id: str) -> BackendRun | None:
        self._refuse("look")
        return next((run for run in self.runs if run.run_id == run_id), None)

    def submit(self, order: Order) -> BackendRun:
        error = self.fail("submit")
        if error is not None and not error.perhaps_done:
            raise error
        self.orders.append(order)
        self.runs.append(BackendRun(run_id=f"id-{len(self.runs)}", name=order.name, state="active", url="http://ui"))
        if error is not None:
            raise error
        return self.runs[-1]

    def cancel(self, run_id: str) -> None:
        self._refuse("cancel")
        self.cancelled.append(run_id)
        self.end(run_id, "failed", error="cancelled")

    def close(self) -> None:
        """Nothing to let go of."""

    def end(self, run_id: str, state: RunState, *, error: str = "", refused: bool = False) -> None:
        """What becomes of a run."""
        changed = {run.run_id: run for run in self.runs}
        changed[run_id] = replace(changed[run_id], state=state, error=error, refused=refused)
        self.runs = list(changed.values())

    def _refuse(self, operation: str) -> None:
        if (error := self.fail(operation)) is not None:
            raise error
