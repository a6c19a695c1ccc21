"""Kubeflow Pipelines as the soak needs it: the stand-in with random faults, and what its runs do.

The stand-in keeps a log of every run that it ever created. A driver plays the pipeline: it lets runs go on, end, and
leave in the store what the real steps leave there (certificates are validly signed, nothing behind them is certified).
"""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from robustcert.kubeflow.client import KubeflowClient
from robustcert.kubeflow.compiled import read_compiled
from robustcert.kubeflow.connection import Connection
from robustcert.kubeflow.upload import put_in_place
from tests.kubeflow.compiled_example import compiled_spec, write_compiled
from tests.kubeflow.stand_in import ENDED, StandIn
from tests.kubeflow.stand_in_http import Fault, Request
from tests.monitoring.recertification_webhook.small_store import SmallStore

INPUTS = ("certificate", "reason", "store", "run_id", "window_uri", "window_sha256", "signing_key", "trusted_key")
# What becomes of a run, and how often of a hundred.
FATES = {
    "published": 50,
    "issued, not published": 10,
    "issued, reported as failed": 6,
    "issued, collected": 5,
    "collected without result": 4,
    "failed": 15,
    "rejected": 5,
    "window does not hold": 5,
}


@dataclass(kw_only=True)
class Created:
    """A run in the server's own log; times by the monotonic clock."""

    name: str
    run_id: str
    model: str
    born: float
    ended: float = 0.0
    fate: str = ""


class Cluster(StandIn):
    """The stand-in; that share `chaos` of requests meets a fault, thrice that of POSTs."""

    def __init__(self, small: SmallStore, certificates: dict[str, str], *, seed: int, slow: float) -> None:
        super().__init__()
        self.chaos = 0.0
        self.created: list[Created] = []
        self.issued: dict[str, list[str]] = {}
        self.met: Counter[str] = Counter()
        self._small, self._slow = small, slow
        self._logs: dict[str, Created] = {}
        self._models = {sha256: name for name, sha256 in certificates.items()}
        self._drawn = random.Random(seed)
        self._ended = threading.Event()
        self._driver = threading.Thread(target=self._drive, daemon=True)

    def begin(self, folder: Path) -> None:
        """Puts the pipeline in place and lets its runs run."""
        path = write_compiled(folder, "recertification", root=_root())
        with KubeflowClient(Connection(host=self.host)) as client:
            put_in_place(client, read_compiled(path))
        self._driver.start()

    def end(self) -> None:
        """No run goes on."""
        self._ended.set()
        self._driver.join()

    def change(self, run: dict[str, Any], state: str, *tasks: Any) -> None:
        """As the stand-in, and the log tells when a run ended."""
        with self.lock:
            super().change(run, state, *tasks)
            if state in ENDED:
                self._logs[run["run_id"]].ended = time.monotonic()

    def fault_for(self, request: Request) -> Fault | None:
        """A fault drawn at random: refused, done but not answered, or done after nobody waits any more."""
        with self.lock:
            asks = request.method == "POST"
            if self._drawn.random() >= self.chaos * (3 if asks else 1):
                return None
            kind = self._drawn.choice(("503", "502", "lost", "late", "429"))
            self.met[f"{request.method} {kind}"] += 1
        if kind == "lost":
            return Fault(lost=True)
        return Fault(delay=self._slow) if kind == "late" else Fault(status=int(kind))

    def _create_run(self, body: Any) -> dict[str, Any]:
        run = super()._create_run(body)
        given = run["runtime_config"]["parameters"]
        self.created.append(
            Created(
                name=run["display_name"],
                run_id=given["run_id"],
                model=self._models[given["certificate"]],
                born=time.monotonic(),
            )
        )
        self._logs[run["run_id"]] = self.created[-1]
        return run

    def _drive(self) -> None:
        while not self._ended.wait(0.02):
            with self.lock:
                for run in [run for run in self.runs if run["state"] not in ENDED]:
                    if time.monotonic() - self._logs[run["run_id"]].born > self._drawn.uniform(0.1, 1.5):
                        self._settle(run)

    def _settle(self, run: dict[str, Any]) -> None:
        """A run meets its fate; the stand-in's lock is held, so that nobody ends it meanwhile."""
        log = self._logs[run["run_id"]]
        log.fate = self._drawn.choices(list(FATES), weights=list(FATES.values()))[0]
        old = run["runtime_config"]["parameters"]["certificate"]
        if log.fate.startswith(("issued", "published")):
            publish = log.fate == "published"
            sha256 = self._small.issue(log.model, run_id=log.run_id, supersedes=(old,), publish=publish)
            self._models[sha256] = log.model
            self.issued.setdefault(log.run_id.rpartition("-")[0], []).append(sha256)
        elif log.fate == "rejected":
            self._small.issue(log.model, run_id=log.run_id, supersedes=(old,), verdict="rejected")
        elif log.fate == "window does not hold":
            self._small.window(log.model, run_id=log.run_id, certificate=old, holds=False)
        well = log.fate in ("published", "issued, not published")
        self.change(run, "SUCCEEDED" if well else "FAILED")
        if "collected" in log.fate:
            self.runs.remove(run)


def _root() -> dict[str, Any]:
    text = {"parameterType": "STRING", "defaultValue": "", "isOptional": True}
    return {**compiled_spec()["root"], "inputDefinitions": {"parameters": dict.fromkeys(INPUTS, text)}}
