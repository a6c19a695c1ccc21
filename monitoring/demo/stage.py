"""All that runs in the demo: our programs, Prometheus, Alertmanager and traffic; started and stopped as one."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import yaml

from monitoring.demo import configuration
from monitoring.demo.configuration import Places
from monitoring.demo.own_programs import OwnProgram
from monitoring.demo.programs import Alertmanager, Prometheus
from monitoring.demo.timeline import Timeline
from monitoring.demo.traffic import Traffic, certified_rows
from monitoring.demo.watcher import Sources, Watcher
from monitoring.rules.scaled import write_scaled
from robustcert.certificate.published import published
from robustcert.certificate.trust import load_trusted_keys
from robustcert.commands.controller_client import ControllerClient
from robustcert.commands.requests import Connection
from robustcert.errors import StepError, expected
from robustcert.storage.store import open_store


@dataclass(frozen=True, kw_only=True)
class Order:
    """What is shown: `fault` is a name of `traffic.FAULTS`, `workers` are processes of one run."""

    places: Places
    specification: Path
    fault: str
    workers: int = 2


@dataclass(frozen=True, kw_only=True)
class Stage:
    """Everything that runs."""

    order: Order
    timeline: Timeline
    watcher: Watcher
    traffic: Traffic
    controller: ControllerClient
    model: str


@contextmanager
def open_stage(order: Order, timeline: Timeline) -> Iterator[Stage]:
    """Starts every program and the traffic; stops them all."""
    places, store = order.places, open_store(str(order.places.store))
    first = published(store)[0]
    programs = _programs(order, model=first.name, sha256=first.model_sha256)
    with ExitStack() as stack:
        for program in programs.all:
            stack.enter_context(program)
            timeline.say("started", f"{program.folder.name:<13} {program.url}")
        controller = stack.enter_context(ControllerClient(_connection(places, programs.controller.url)))
        rows = certified_rows(store, first.name, places.folder)
        url = f"{programs.serving.url}/v2/models/{first.name}/infer"
        traffic = stack.enter_context(Traffic(url, rows))
        sources = Sources(
            prometheus=programs.prometheus,
            alertmanager=programs.alertmanager,
            controller=controller,
            store=store,
            keys=load_trusted_keys(places.trusted),
        )
        watcher = Watcher(sources=sources, timeline=timeline)
        yield Stage(
            order=order, timeline=timeline, watcher=watcher, traffic=traffic, controller=controller, model=first.name
        )


def _connection(places: Places, url: str) -> Connection:
    return Connection(url=url, token_file=places.token, ca_file=None, client_certificate=None, client_key=None)


@dataclass(frozen=True, kw_only=True)
class Programs:
    """All programs, in the order in which they start."""

    serving: OwnProgram
    exporter: OwnProgram
    controller: OwnProgram
    alertmanager: Alertmanager
    prometheus: Prometheus

    @property
    def all(self) -> tuple[OwnProgram | Alertmanager | Prometheus, ...]:
        """Prometheus last, so that it finds everybody."""
        return (self.serving, self.exporter, self.controller, self.alertmanager, self.prometheus)


def _programs(order: Order, *, model: str, sha256: str) -> Programs:
    places, logs = order.places, order.places.folder / "programs"
    serving = OwnProgram(logs / "serving", "examples.serving.app", ready_path="/healthz")
    serving.arguments = [
        *("--store", str(places.store), "--certificate", model, "--trusted-key", str(places.trusted)),
        *("--port", str(serving.port), "--payload-log", str(places.folder / "payloads")),
        *("--check-seconds", "1", "--seconds-per-file", "5"),
    ]
    exporter = OwnProgram(logs / "exporter", "monitoring.exporter", ready_path="/readyz")
    deployed = places.folder / "deployed.yaml"
    entry = {"model": model, "sha256": sha256, "workload": "demo-serving"}
    deployed.write_text(yaml.safe_dump({"deployed": [entry]}))
    exporter.arguments = [
        *("--store", str(places.store), "--trusted-keys", str(places.trusted), "--port", str(exporter.port)),
        *("--interval", "1", "--deployed", str(deployed)),
    ]
    controller, metrics = _controller(order)
    alertmanager = Alertmanager(
        logs / "alertmanager", configuration.alertmanager_settings(controller=controller.url, token=places.token)
    )
    jobs = {"serving": serving.address, "robustcert-exporter": exporter.address, "robustcert-controller": metrics}
    rules = write_scaled(places.folder / "rules", Fraction(configuration.SCALE))
    settings = configuration.prometheus_settings(alertmanager=alertmanager.address, jobs=jobs)
    prometheus = Prometheus(logs / "prometheus", settings, rules)
    return Programs(
        serving=serving, exporter=exporter, controller=controller, alertmanager=alertmanager, prometheus=prometheus
    )


def _controller(order: Order) -> tuple[OwnProgram, str]:
    """The controller, and the address of its metrics."""
    places = order.places
    program = OwnProgram(
        places.folder / "programs" / "controller", "monitoring.recertification_webhook", ready_path="/healthz"
    )
    metrics = OwnProgram(places.folder, "", ready_path="").address
    path = places.folder / "controller.yaml"
    path.write_text(
        configuration.controller_settings(places, listen=program.address, metrics=metrics, workers=order.workers)
    )
    program.arguments = ["--config", str(path)]
    return program, metrics


def robustcert(order: Order, arguments: Sequence[str], *, log: str, allowed: Sequence[int] = (0,)) -> int:
    """Runs the command line as a person would; its output goes to a log below the folder."""
    path = order.places.folder / log
    with path.open("ab") as file:
        command = [sys.executable, "-m", "robustcert.cli", *arguments]
        done = subprocess.run(command, stdout=file, stderr=file, stdin=subprocess.DEVNULL, check=False)
    if done.returncode not in allowed:
        end = " / ".join(path.read_text(errors="replace").splitlines()[-3:])
        what = f"`robustcert {arguments[0]}` to end with {' or '.join(map(str, allowed))}"
        raise StepError(expected(what, got=f"{done.returncode}: {end}", remedy=f"see {path}"))
    return done.returncode
