"""Real Prometheus and Alertmanager on loopback, each with everything below one folder; for the demo and for tests.

A start waits until the program says that it is ready, and an end is by its own process id. The port is chosen when the
object is made, so that two programs can be told of each other before either runs. A program never outlives its parent.
"""

from __future__ import annotations

import ctypes
import json
import shutil
import signal
import socket
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode
from urllib.request import urlopen

import yaml

from robustcert.errors import InputError, WorldError, expected

STARTS_WITHIN = 60.0  # seconds
ENDS_WITHIN = 20.0  # seconds, then it is killed
POLL = 0.05  # seconds
PR_SET_PDEATHSIG = 1


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One series of an answer: its labels (`__name__` too, where it has one) and its value."""

    labels: Mapping[str, str]
    value: float


@dataclass(frozen=True, kw_only=True)
class Alert:
    """One alert: labels, annotations, and its state ("pending", "firing"; at Alertmanager "active", "suppressed")."""

    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    state: str

    @property
    def name(self) -> str:
        """The name of the rule."""
        return self.labels["alertname"]


class Program(ABC):
    """A context manager: a program that listens on `port` of loopback and keeps what it writes below `folder`."""

    def __init__(self, folder: Path, config: Mapping[str, object]) -> None:
        self.folder, self.config, self.port = folder, config, free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it answers, known before it runs."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def address(self) -> str:
        """host:port, as scrape and alerting configurations want it."""
        return f"127.0.0.1:{self.port}"

    @property
    def log(self) -> Path:
        """What it printed, over all its starts."""
        return self.folder / "output.log"

    @abstractmethod
    def command(self) -> list[str]:
        """The command line."""

    def start(self) -> None:
        """Starts it and returns when it is ready; WorldError where it ends or is not ready in time."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.write_config()
        with self.log.open("ab") as log:
            command = [_program(self.command()[0]), *self.command()[1:]]
            self._process = subprocess.Popen(command, stdout=log, stderr=log, preexec_fn=_die_with_parent)
        deadline = time.monotonic() + STARTS_WITHIN
        while not self.is_ready():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise WorldError(self._does_not_run())
            time.sleep(POLL)

    def stop(self) -> None:
        """Asks it to end and waits; does nothing where it does not run."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """Ends it at once, as a crash would; `start` runs it again on the same data."""
        self._end(signal.SIGKILL)

    def reload(self) -> None:
        """Writes `config` anew and has it read again."""
        self.write_config()
        if self._process is not None:
            self._process.send_signal(signal.SIGHUP)

    def write_config(self) -> None:
        """Writes the configuration file."""
        (self.folder / "config.yaml").write_text(yaml.safe_dump(dict(self.config), sort_keys=False))

    def is_ready(self) -> bool:
        """Whether it says so itself."""
        try:
            with urlopen(f"{self.url}/-/ready", timeout=5) as answer:
                return bool(answer.status == 200)
        except (HTTPError, URLError, ConnectionError, TimeoutError):
            return False

    def get(self, path: str, **parameters: str) -> Any:
        """The JSON under `path`; WorldError with the program's own words where it refuses."""
        query = f"?{urlencode(parameters)}" if parameters else ""
        try:
            with urlopen(f"{self.url}{path}{query}", timeout=30) as answer:
                return json.load(answer)
        except HTTPError as error:
            raise WorldError(f"{self.url}{path} answered {error.code}: {error.read().decode()[:500]}") from error
        except (URLError, ConnectionError, TimeoutError) as error:
            raise WorldError(f"{self.url}{path} does not answer: {error}") from error

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(how)
        try:
            process.wait(ENDS_WITHIN)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _does_not_run(self) -> str:
        printed = self.log.read_text(errors="replace")[-2000:]
        return f"{self.command()[0]} did not become ready on {self.address}: {printed}"


class Prometheus(Program):
    """Prometheus with `config` as its configuration file; `rules` are the files of rules that it reads."""

    def __init__(self, folder: Path, config: Mapping[str, object], rules: Sequence[Path] = ()) -> None:
        super().__init__(folder, {**config, "rule_files": [str(path.resolve()) for path in rules]})

    def command(self) -> list[str]:
        """Its command line: no web console, data in the folder."""
        return [
            "prometheus",
            f"--config.file={self.folder / 'config.yaml'}",
            f"--storage.tsdb.path={self.folder / 'data'}",
            f"--web.listen-address={self.address}",
            "--log.level=warn",
        ]

    def query(self, expression: str) -> list[Sample]:
        """The instant vector that `expression` gives now; a scalar comes as one sample without labels."""
        data = self.get("/api/v1/query", query=expression)["data"]
        if data["resultType"] == "scalar":
            return [Sample(labels={}, value=float(data["result"][1]))]
        return [Sample(labels=series["metric"], value=float(series["value"][1])) for series in data["result"]]

    def alerts(self) -> list[Alert]:
        """Alerts that are pending or firing."""
        found = self.get("/api/v1/alerts")["data"]["alerts"]
        return [Alert(labels=one["labels"], annotations=one["annotations"], state=one["state"]) for one in found]

    def rule_problems(self) -> list[str]:
        """What went wrong in the newest evaluation of each rule."""
        groups = self.get("/api/v1/rules")["data"]["groups"]
        rules = [rule for group in groups for rule in group["rules"]]
        return [f"{rule['name']}: {rule['lastError']}" for rule in rules if rule.get("lastError")]

    def is_scraping(self) -> bool:
        """Whether every configured target answered its last scrape."""
        targets = self.get("/api/v1/targets")["data"]["activeTargets"]
        return bool(targets) and all(target["health"] == "up" for target in targets)


class Alertmanager(Program):
    """One Alertmanager without peers, with `config` as its configuration file."""

    def command(self) -> list[str]:
        """Its command line: no gossip, data in the folder."""
        return [
            "prometheus-alertmanager",
            f"--config.file={self.folder / 'config.yaml'}",
            f"--storage.path={self.folder / 'data'}",
            f"--web.listen-address={self.address}",
            "--cluster.listen-address=",
            "--log.level=warn",
        ]

    def alerts(self) -> list[Alert]:
        """Alerts that it holds at this moment."""
        found = self.get("/api/v2/alerts")
        return [Alert(labels=a["labels"], annotations=a["annotations"], state=a["status"]["state"]) for a in found]


def free_port() -> int:
    """A port on loopback that nothing listened on a moment ago."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        remedy = "install Debian's packages prometheus and prometheus-alertmanager"
        raise InputError(expected(f"the program {name}", got="none on the PATH", remedy=remedy))
    return found


def _die_with_parent() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
