"""The whole loop on one machine: clean traffic, a fault, an alert, exactly one recertification run, its outcome.

With the fault `dimmed` the claim still holds: a new certificate. With `inverted` drift is gross: the certificate is
suspended at once, the run fails on labelled rows, and only after the repair a person gets a new certificate.
"""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from monitoring.demo.stage import Order, Stage, open_stage, robustcert
from monitoring.demo.timeline import Timeline
from monitoring.demo.traffic import FAULTS, none
from robustcert.certificate.published import published
from robustcert.errors import StepError, expected
from robustcert.storage.store import open_store

WINDOW_ROWS = 300  # labelled rows that the drift job is given
RUN_SECONDS = 400.0
CLEAN = 'robustcert:signal:psi1h{signal="distance"} < robustcert:signal:psi_threshold1h'


@dataclass(frozen=True, kw_only=True)
class Figures:
    """What was measured, in seconds, and what came out; `runs` counts pipeline runs of the alert's episode."""

    to_alert: float
    to_run: float
    run: float
    to_resolved: float
    runs: int
    outcome: str
    status_of_gate: int


def show(order: Order, timeline: Timeline) -> Figures:
    """Runs the whole loop; StepError where it does not go as it should. Everything is stopped at the end."""
    order.places.prepare()
    _certify(order, timeline)
    shutil.copytree(order.places.certified, order.places.store)
    with open_stage(order, timeline) as stage:
        _clean(stage)
        figures = _act(stage)
        timeline.say("demo", "over; stopping everything")
    return figures


def _act(stage: Stage) -> Figures:
    watcher, timeline = stage.watcher, stage.timeline
    before = set(watcher.requests)
    timeline.say("traffic", f"FAULT: every row is now {stage.order.fault}")
    stage.traffic.forget()
    stage.traffic.fault = FAULTS[stage.order.fault]
    broken = watcher.clock()
    to_alert = watcher.until("an alert", lambda: bool(watcher.firing()), seconds=60)

    def mine() -> list[dict[str, Any]]:
        return [one for name, one in watcher.requests.items() if name not in before]

    if stage.order.fault == "inverted":
        _drift_job(stage, "drifted")  # a gross drift is judged on labelled rows, and the request waits for them
    watcher.until("a run", lambda: any(one["attempts"] and one["runUrl"] for one in mine()), seconds=60)
    to_run = watcher.clock() - broken
    run = watcher.until("the end of the run", lambda: all(one["finishedAt"] for one in mine()), seconds=RUN_SECONDS)
    outcome = mine()[0]["state"]
    gate = _gate(stage, mine()[0]["certificateSha256"])
    stage.traffic.forget()
    stage.traffic.fault = none
    timeline.say("traffic", "the fault is repaired; rows are as certified again")
    if outcome == "dead":
        _by_hand(stage)
    resolved = watcher.until("every alert to resolve", lambda: not watcher.acting(), seconds=120)
    runs = sum(one["attempts"] for one in mine() if "manual" not in one["reasons"])
    return Figures(
        to_alert=to_alert,
        to_run=to_run,
        run=run,
        to_resolved=resolved,
        runs=runs,
        outcome=outcome,
        status_of_gate=gate,
    )


def _certify(order: Order, timeline: Timeline) -> None:
    """Certifies the model unless an earlier demo did."""
    if published(open_store(str(order.places.certified))):
        timeline.say("certificate", "that of an earlier demo is used again")
        return
    timeline.say("certificate", f"certifying {order.specification.name}: the main job, half a minute or so")
    arguments = ["run", str(order.specification), "--store", str(order.places.certified)]
    key, out = str(order.places.key("issuer")), str(order.places.folder / "bundle")
    robustcert(order, [*arguments, "--key", key, "--out", out, "--workers", str(order.workers)], log="certify.log")


def _clean(stage: Stage) -> None:
    """Traffic as certified, until Prometheus has judged it as such and nothing is to be done."""
    prometheus = stage.watcher.sources.prometheus
    stage.timeline.say("traffic", "clean rows, 200 a second")
    stage.watcher.until("clean traffic", lambda: bool(prometheus.query(CLEAN)), seconds=90)
    stage.watcher.until("no alert", lambda: not stage.watcher.alerts, seconds=90)
    psi = prometheus.query(CLEAN)[0].value
    stage.timeline.say("prometheus", f"PSI of clean traffic {psi:.3f}, below its threshold; {prometheus.url}/alerts")


def _drift_job(stage: Stage, name: str) -> None:
    """The scheduled job on the newest rows, whose labels came; its record is signed, and names the window."""
    places, window = stage.order.places, stage.order.places.folder / f"window-{name}.npz"
    stage.watcher.until("labelled rows", lambda: stage.traffic.kept >= WINDOW_ROWS, seconds=60)
    stage.traffic.write_window(window)
    stage.timeline.say("drift job", f"robustcert drift {stage.model} --window {window.name}")
    arguments = ["drift", stage.model, "--window", str(window), "--store", str(places.store)]
    keys = ["--key", str(places.key("drift")), "--trusted-key", f"{places.key('issuer')}.pub"]
    out = ["--out", str(places.folder / f"drift-{name}")]
    with ThreadPoolExecutor(1) as pool:
        job = pool.submit(robustcert, stage.order, [*arguments, *keys, *out], log="drift.log", allowed=(0, 1))
        stage.watcher.until("the end of the drift job", job.done, seconds=RUN_SECONDS)
        job.result()


def _gate(stage: Stage, certificate: str) -> int:
    """What a deployment gate says of a certificate: exit status of `robustcert verify`."""
    places, bundle = stage.order.places, stage.order.places.folder / "bundle"
    store = ["--store", str(places.store)]
    robustcert(stage.order, ["export-bundle", certificate, *store, "--out", str(bundle)], log="gate.log")
    arguments = ["verify", str(bundle), "--key", f"{places.key('issuer')}.pub"]
    asked = ["--statuses", str(places.store), "--status-key", str(places.trusted)]
    status = robustcert(stage.order, [*arguments, *asked], log="gate.log", allowed=(0, 1))
    verdict = "passes" if status == 0 else "refuses"
    stage.timeline.say("gate", f"robustcert verify --statuses {verdict} certificate {certificate[:12]}")
    return status


def _by_hand(stage: Stage) -> None:
    """After the repair a drift job finds clean rows, and a person asks for a recertification."""
    _drift_job(stage, "repaired")
    before = len(stage.watcher.ended())
    stage.controller.create({"model": stage.model, "reason": "manual", "text": "the camera was repaired"}, key="repair")
    stage.timeline.say("person", f"robustcert requests create {stage.model}")
    stage.watcher.until("its end", lambda: len(stage.watcher.ended()) > before, seconds=RUN_SECONDS)
    last = stage.watcher.ended()[-1]
    if last["state"] != "succeeded":
        raise StepError(expected("a new certificate after the repair", got=str(last), remedy="see the run's log"))
