"""One run for one key: looked up by its name first, started where there is none, found again where the answer was lost.

The name of a run is made from what it is for (`display_name`), so that whoever asks twice asks for the same run. The
server does not enforce it; hence the order here: look, note the intent, ask, look again. Where two machines asked at
once, whoever sees both runs ends the newer one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from robustcert.kubeflow.answers import AnswerError
from robustcert.kubeflow.client import KubeflowClient
from robustcert.kubeflow.intents import Intent, held_intent
from robustcert.kubeflow.records import ACTIVE, Run
from robustcert.provenance.digests import sha256_bytes

TRIES = 3
LOOK_SECONDS = 0.5
KEY_DIGITS = 12
SUBJECT_LENGTH = 60


@dataclass(frozen=True, kw_only=True)
class RunOrder:
    """A run to be had once, under its name."""

    display_name: str
    experiment_id: str
    pipeline_id: str
    pipeline_version_id: str
    parameters: Mapping[str, Any]
    service_account: str = ""

    def body(self) -> dict[str, Any]:
        """The request's body; the server refuses any field that it does not know."""
        body: dict[str, Any] = {
            "display_name": self.display_name,
            "experiment_id": self.experiment_id,
            "pipeline_version_reference": {
                "pipeline_id": self.pipeline_id,
                "pipeline_version_id": self.pipeline_version_id,
            },
            "runtime_config": {"parameters": dict(self.parameters)},
        }
        return {**body, "service_account": self.service_account} if self.service_account else body


@dataclass(frozen=True, kw_only=True)
class Submission:
    """The run of an order, and whether this call started it."""

    run: Run
    started: bool


@dataclass(frozen=True, kw_only=True)
class Care:
    """Where intents are kept, and how long a run whose answer was lost may take to appear, in seconds."""

    folder: Path
    settle_seconds: float = 30.0
    clock: Callable[[], float] = time.time


def display_name(*, pipeline: str, subject: str, key: bytes) -> str:
    """The name of the run that is for `key`, the canonical bytes of whatever triggers it.

    >>> display_name(pipeline="certify-model", subject="digits", key=b"")
    'certify-model-digits-e3b0c44298fc'
    """
    return f"{pipeline}-{subject[:SUBJECT_LENGTH]}-{sha256_bytes(key)[:KEY_DIGITS]}"


def find_runs(client: KubeflowClient, name: str) -> list[Run]:
    """Every run of exactly that name, the newest first."""
    found = [run for run in client.runs(display_name=name) if run.display_name == name]
    return sorted(found, key=lambda run: run.age_key, reverse=True)


def find_active(client: KubeflowClient, *, prefix: str) -> list[Run]:
    """Every run that has not ended and whose name starts with `prefix`, the newest first."""
    found = client.runs(state=ACTIVE, display_name__has=prefix)
    matching = [run for run in found if run.active and run.display_name.startswith(prefix)]
    return sorted(matching, key=lambda run: run.age_key, reverse=True)


def submit_once(client: KubeflowClient, order: RunOrder, *, care: Care, again: bool = False) -> Submission:
    """The run of an order: an active or succeeded one, or else a new one.

    A run that failed stays the answer unless `again` is set. AnswerError where the server refuses, or where no run
    appeared after the last try.
    """
    with held_intent(care.folder, order.display_name) as intent:
        known = _runs_after_intent(client, order.display_name, intent, care)
        if standing := standing_run(known, again=again):
            intent.clear()
            return Submission(run=standing, started=False)
        submission = _start(client, order, known=known, intent=intent, care=care)
        intent.clear()
        return submission


def standing_run(runs: Sequence[Run], *, again: bool) -> Run | None:
    """Which of the runs of one name, newest first, stands for it: an active, else a succeeded, else the newest one.

    With `again` no run that failed stands.
    """
    active = [run for run in runs if run.active]
    succeeded = [run for run in runs if run.succeeded]
    return next(iter((*active, *succeeded, *(() if again else runs))), None)


def _runs_after_intent(client: KubeflowClient, name: str, intent: Intent, care: Care) -> list[Run]:
    """The runs of that name, once a run that was asked for a moment ago has had its time to appear."""
    asked = intent.read()
    runs = find_runs(client, name)
    while asked is not None and 0 <= care.clock() - asked.at < care.settle_seconds and not _new(runs, asked.known):
        client.pause(LOOK_SECONDS)
        runs = find_runs(client, name)
    return runs


def _start(client: KubeflowClient, order: RunOrder, *, known: list[Run], intent: Intent, care: Care) -> Submission:
    before = {run.run_id for run in known}
    for last in (*[False] * (TRIES - 1), True):
        intent.write(at=care.clock(), known=before)
        try:
            return _only(client, client.create_run(order.body()), before=before)
        except AnswerError as error:
            if not error.transient:
                intent.clear()
                raise
            if not error.perhaps_done:
                intent.clear()
                client.pause(LOOK_SECONDS)
            appeared = _new(_runs_after_intent(client, order.display_name, intent, care), before)
            if appeared:
                return _only(client, appeared[-1], before=before)
            if last:
                raise
    raise AssertionError("the last try returns or raises")


def _only(client: KubeflowClient, run: Run, *, before: set[str]) -> Submission:
    """Keeps the oldest of the new runs of that name, and ends the others."""
    rivals = [other for other in _new(find_runs(client, run.display_name), before) if other.active]
    kept = min((run, *rivals), key=lambda one: one.age_key)
    for other in {rival.run_id for rival in (run, *rivals)} - {kept.run_id}:
        client.terminate_run(other)
    return Submission(run=kept, started=kept.run_id == run.run_id)


def _new(runs: Iterable[Run], before: frozenset[str] | set[str]) -> list[Run]:
    return [run for run in runs if run.run_id not in before]
