"""What a backend offers: runs that are looked up by name, asked for, looked at and ended. It decides nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

from monitoring.recertification_webhook.settings import Settings
from robustcert.errors import WorldError

RunState = Literal["active", "succeeded", "failed"]


@dataclass(frozen=True, kw_only=True)
class BackendRun:
    """A run as the backend knows it. `refused` tells that its gate said no, so that another run would say the same."""

    run_id: str
    name: str
    state: RunState
    url: str = ""
    error: str = ""
    refused: bool = False


@dataclass(frozen=True, kw_only=True)
class Order:
    """A run to be had under `name`; `run_id` is the pipeline's own, under which the store keeps what came of it."""

    name: str
    model: str
    version: str
    certificate_sha256: str
    reason: str
    run_id: str
    window_uri: str = ""
    window_sha256: str = ""


class BackendError(WorldError):
    """The backend refused or gave no answer.

    `transient`: a later try may succeed. `perhaps_done`: what was asked may have been done all the same.
    """

    def __init__(self, message: str, *, transient: bool, perhaps_done: bool = False) -> None:
        super().__init__(message)
        self.transient = transient
        self.perhaps_done = perhaps_done


class Backend(Protocol):
    """A place where runs run. Every method raises BackendError where it fails."""

    @property
    def settle_seconds(self) -> float:
        """How long after a submission without an answer its run may still appear."""

    def find(self, name: str) -> list[BackendRun]:
        """Every run of exactly that name, the oldest first."""

    def look(self, run_id: str) -> BackendRun | None:
        """The run of that id of the backend; None where it was collected."""

    def submit(self, order: Order) -> BackendRun:
        """Starts a run; whoever calls has looked for it before and committed its name."""

    def cancel(self, run_id: str) -> None:
        """Asks for the end of a run; nothing where it has ended or is gone."""

    def close(self) -> None:
        """Lets go of connections; runs go on."""


def make_backend(settings: Settings) -> Backend:
    """The backend that the settings name."""
    from monitoring.recertification_webhook.backends.kubeflow import KubeflowBackend
    from monitoring.recertification_webhook.backends.local import LocalBackend

    if settings.backend.kubeflow is not None:
        return KubeflowBackend(settings.backend.kubeflow, store=settings.store)
    assert settings.backend.local is not None, "settings hold exactly one backend"
    return LocalBackend(settings.backend.local, store=settings.store)
