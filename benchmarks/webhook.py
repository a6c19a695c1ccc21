"""Alerts a second that the recertification controller commits, and whether each episode led to exactly one run.

    python benchmarks/webhook.py            # 100,000 deliveries of alerts for 200 models
    python benchmarks/webhook.py --small    # 4,000 for 20

The controller is a process of its own, over a real store, a real database and HTTP on loopback; its backend only counts
runs and issues certificates. Two Alertmanagers that do not know of each other send every group of ten alerts again and
again, in random order, resolved ones among them, each over four connections. After a round its runs end, and the next
round's alerts are new episodes. In the last round the controller is killed and started again, and what was not answered
is sent again, as Alertmanager does. Measured: seconds from sending a group to its 202, alerts a second, memory.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import os
import queue
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from monitoring.recertification_webhook.backends.backend import BackendRun, Order
from tests.monitoring.recertification_webhook.small_store import SmallStore, version_of

ROOT = Path(__file__).parent.parent
ALERTS = 10  # of a model, in one group
COPIES = 10  # deliveries of a group in a round: eight firing, two resolved
SENDERS = 8  # connections, half of them of either Alertmanager
SECONDS = 120  # in which a round's runs must have ended
SETTINGS = """
store: store
trustedKeys: issuer.pub
database: controller.sqlite
auditLog: audit.jsonl
backend: {kubeflow: {host: "http://127.0.0.1:1"}}
listen: 127.0.0.1:0
metrics: 127.0.0.1:0
coolDown: 0s
hysteresis: 0s
budgetPerDay: 10000
mostRunning: 10000
reconcileInterval: 1s
"""


@dataclass(frozen=True, kw_only=True)
class Figures:
    """What one benchmark found. Seconds are those of single POSTs without restarts, sorted; memory is in KiB.

    `timed` deliveries, those without restarts, are what `alerts_a_second` and `processor_seconds` are of.
    """

    deliveries: int
    timed: int
    alerts_a_second: float
    processor_seconds: float
    seconds: list[float]
    memory: list[int]
    models: int
    runs: list[str]
    expected_runs: int
    episodes: int
    requests_of_episode: Counter[int] = field(default_factory=Counter)

    def quantile(self, share: float) -> float:
        """Seconds below which that share of the POSTs was answered."""
        return self.seconds[min(int(share * len(self.seconds)), len(self.seconds) - 1)]

    def told(self) -> list[str]:
        """Lines for people."""
        twice = [name for name, times in Counter(self.runs).items() if times > 1]
        return [
            f"{self.deliveries} deliveries of {self.episodes} episodes of {self.models} models",
            f"{self.alerts_a_second:.0f} alerts a second; the controller's processor time would do for"
            f" {self.timed / self.processor_seconds if self.processor_seconds else 0:.0f}",
            f"POST p50 {self.quantile(0.5) * 1000:.1f} ms, p99 {self.quantile(0.99) * 1000:.1f} ms,"
            f" longest {self.seconds[-1] * 1000:.1f} ms, of {len(self.seconds)}",
            f"memory after each round {', '.join(f'{size / 1024:.1f}' for size in self.memory)} MiB",
            f"{len(self.runs)} runs, {self.expected_runs} expected, {len(twice)} names twice",
            f"requests of an episode: {dict(self.requests_of_episode)}",
        ]


def main() -> None:
    """Runs it and prints the figures; status 1 where a run is missing or too many."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        serve(given.serve)
        return
    with tempfile.TemporaryDirectory() as folder:
        size = {"models": 20, "rounds": 2} if given.small else {"models": 200, "rounds": 5}
        found = measure(Path(folder), **size)
    print("\n".join(found.told()))
    if len(found.runs) != found.expected_runs or set(found.requests_of_episode) != {1}:
        sys.exit("expected exactly one run for each episode and model version")


def measure(folder: Path, *, models: int, rounds: int, restarts: int = 4) -> Figures:
    """The figures of so many rounds, in the last of which the controller is killed `restarts` times."""
    names = [f"model-{number}" for number in range(models)]
    store = SmallStore(folder)
    for name in names:
        store.issue(name)
    (folder / "controller.yaml").write_text(SETTINGS)
    bench = Bench(folder=folder, names=names)
    for number in range(rounds):
        bench.round(number, restarts=restarts if number == rounds - 1 else 0)
    bench.stop()
    return bench.figures(rounds)


class Bench:
    """The controller's process, the two senders, and what they saw."""

    def __init__(self, *, folder: Path, names: list[str]) -> None:
        self.folder, self.names, self.draws = folder, names, random.Random(4)  # noqa: S311  an order, no secret
        self.seconds: list[float] = []
        self.memory: list[int] = []
        self.spent = self.worked = 0.0
        self.delivered = self.timed = 0
        self.requests: dict[str, set[str]] = {}
        self.lock = threading.Lock()
        self.process, self.port = self._started()

    def round(self, number: int, *, restarts: int) -> None:
        """Delivers every group COPIES times in random order, then lets its runs end."""
        (self.folder / "ends").unlink(missing_ok=True)
        groups = [group(name, number, resolved=copy >= 8) for name in self.names for copy in range(COPIES)]
        self.draws.shuffle(groups)
        waiting: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        for one in groups:
            waiting.put(one)
        begin, before, worked = time.perf_counter(), len(self.seconds), processor_seconds(self.process.pid)
        with self._killed(restarts, waiting, len(groups)):
            self._send(waiting)
        if restarts:
            del self.seconds[before:]  # times of a server that is down are nobody's
        else:
            self.spent += time.perf_counter() - begin
            self.worked += processor_seconds(self.process.pid) - worked
            self.timed += len(groups) * ALERTS
        self.delivered += len(groups) * ALERTS
        (self.folder / "ends").touch()
        self._until(lambda: self._ended() == len(self.names) * (number + 1))
        self.memory.append(resident(self.process.pid))

    def figures(self, rounds: int) -> Figures:
        """What was seen; runs are those that the backend was asked for."""
        return Figures(
            deliveries=self.delivered,
            timed=self.timed,
            processor_seconds=self.worked,
            alerts_a_second=self.timed / self.spent if self.spent else 0.0,
            seconds=sorted(self.seconds) or [0.0],
            memory=self.memory,
            models=len(self.names),
            runs=[json.loads(line)["name"] for line in (self.folder / "runs.jsonl").read_text().splitlines()],
            expected_runs=len(self.names) * rounds,
            episodes=len(self.requests),
            requests_of_episode=Counter(map(len, self.requests.values())),
        )

    def stop(self) -> None:
        """Asks the controller to end."""
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(60) == 0

    def _send(self, waiting: queue.SimpleQueue[bytes]) -> None:
        senders = [threading.Thread(target=self._sender, args=(waiting,)) for _ in range(SENDERS)]
        for sender in senders:
            sender.start()
        for sender in senders:
            sender.join()

    def _sender(self, waiting: queue.SimpleQueue[bytes]) -> None:
        """Sends until nothing waits."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        with contextlib.suppress(queue.Empty), contextlib.closing(connection):
            while True:
                self._deliver(connection, waiting.get_nowait())

    def _deliver(self, connection: http.client.HTTPConnection, body: bytes) -> None:
        """A group without an answer 202 is sent again, over a new connection, to the port of then."""
        while True:
            try:
                self._post(connection, body)
                break
            except (OSError, http.client.HTTPException):
                connection.close()
                time.sleep(0.02)
                connection.port = self.port

    def _post(self, connection: http.client.HTTPConnection, body: bytes) -> None:
        begin = time.perf_counter()
        connection.request("POST", "/v1/alertmanager", body, {"Content-Type": "application/json"})
        response = connection.getresponse()
        content = response.read()
        if response.status != 202:
            raise http.client.HTTPException(f"{response.status}")
        with self.lock:
            self.seconds.append(time.perf_counter() - begin)
            for one in json.loads(content)["alerts"]:
                self.requests.setdefault(one["model"] + one["episode"], set()).update(
                    {one["requestId"]} if one["requestId"] else ()
                )

    @contextlib.contextmanager
    def _killed(self, times: int, waiting: queue.SimpleQueue[bytes], groups: int) -> Iterator[None]:
        """Kills the controller so often while groups are sent, each time when another part of them is through."""
        marks = [groups * (times - number) // (times + 1) for number in range(times)]

        def kill() -> None:
            for mark in marks:
                while waiting.qsize() > mark:
                    time.sleep(0.001)
                self.process.send_signal(self.draws.choice((signal.SIGKILL, signal.SIGTERM)))
                self.process.wait(60)
                self.process, self.port = self._started()

        killer = threading.Thread(target=kill)
        killer.start()
        yield
        killer.join()

    def _started(self) -> tuple[subprocess.Popen[bytes], int]:
        log = self.folder / "log"
        with log.open("wb") as file:
            command = [sys.executable, __file__, "--serve", str(self.folder)]
            process = subprocess.Popen(command, cwd=ROOT, stderr=file)
        found: list[dict[str, Any]] = []
        while not found:
            assert process.poll() is None, log.read_text()
            time.sleep(0.01)
            told = [json.loads(line) for line in log.read_text().split("\n")[:-1]]
            found = [one for one in told if one["event"] == "listening"]
        self._until(lambda: self._get(found[0]["port"], "/readyz") is not None)
        return process, int(found[0]["port"])

    def _ended(self) -> int:
        page: dict[str, Any] | None = {"next": ""}
        ended = 0
        while page is not None and page["next"] is not None:
            after = f"&after={page['next']}" if page["next"] else ""
            page = self._get(self.port, f"/v1/requests?state=succeeded&limit=500{after}")
            ended += len(page["requests"]) if page else 0
        return ended

    def _get(self, port: int, path: str) -> dict[str, Any] | None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            value: dict[str, Any] = json.loads(response.read())
        except (OSError, http.client.HTTPException):
            return None
        finally:
            connection.close()
        return value if response.status == 200 else None

    def _until(self, holds: Callable[[], bool]) -> None:
        end = time.monotonic() + SECONDS
        while not holds():
            assert time.monotonic() < end, (self.folder / "log").read_text()[-2000:]
            time.sleep(0.05)


def group(name: str, number: int, *, resolved: bool) -> bytes:
    """One group of ALERTS alerts of a model, as Alertmanager sends it; a new episode in each round."""
    start = datetime(2026, 11, 21, tzinfo=UTC) + timedelta(hours=number)
    status = "resolved" if resolved else "firing"
    alerts = [
        {
            "status": status,
            "labels": {
                "alertname": f"RobustcertExample{place}",
                "severity": "warning",
                "model": name,
                "version": version_of(name),
                "action": "recertify",
                "reason": "input-drift",
            },
            "annotations": {"summary": "inputs drifted", "description": "x" * 200, "runbook_url": "https://x.example"},
            "startsAt": start.isoformat(),
            "endsAt": "0001-01-01T00:00:00Z",
            "generatorURL": "http://prometheus:9090/graph",
            "fingerprint": f"{place:04x}{version_of(name)}",
        }
        for place in range(ALERTS)
    ]
    delivery = {"version": "4", "groupKey": f'{{}}:{{model="{name}"}}', "status": status, "alerts": alerts}
    return json.dumps({**delivery, "receiver": "recertification", "truncatedAlerts": 0}).encode()


def resident(process_id: int) -> int:
    """Memory of a process in KiB."""
    lines = Path(f"/proc/{process_id}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))


def processor_seconds(process_id: int) -> float:
    """What a process has used, with the system's work for it."""
    fields = Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class CountingBackend:
    """Notes each run that it is asked for; once the file `ends` is there, runs have issued a certificate."""

    settle_seconds = 1.0

    def __init__(self, folder: Path) -> None:
        self.folder, self.small, self.issued = folder, SmallStore(folder), set[str]()

    def find(self, name: str) -> list[BackendRun]:
        """Of the notes, which outlive this process."""
        return [self._run(order) for order in self._orders() if order["name"] == name]

    def look(self, run_id: str) -> BackendRun | None:
        """Of the notes."""
        return next((self._run(order) for order in self._orders() if order["run_id"] == run_id), None)

    def submit(self, order: Order) -> BackendRun:
        """Notes it in one write, which a kill does not tear."""
        noted = {"name": order.name, "run_id": order.run_id, "model": order.model, "old": order.certificate_sha256}
        with (self.folder / "runs.jsonl").open("ab", buffering=0) as file:
            file.write(json.dumps(noted).encode() + b"\n")
        return self._run(noted)

    def cancel(self, run_id: str) -> None:
        """Runs can't be ended here."""

    def close(self) -> None:
        """There is nothing to let go of."""

    def _orders(self) -> list[dict[str, str]]:
        path = self.folder / "runs.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def _run(self, order: dict[str, str]) -> BackendRun:
        ended = (self.folder / "ends").exists() or order["run_id"] in self.issued
        if ended and order["run_id"] not in self.issued:
            if not self.small.store.list_documents(f"runs/{order['run_id']}/"):
                self.small.issue(order["model"], run_id=order["run_id"], supersedes=(order["old"],))
            self.issued.add(order["run_id"])
        return BackendRun(run_id=order["run_id"], name=order["name"], state="succeeded" if ended else "active")


def serve(folder: Path) -> None:
    """The controller as `python -m monitoring.recertification_webhook` runs it, over the counting backend."""
    from monitoring.recertification_webhook import server
    from monitoring.recertification_webhook.controller import Controller
    from monitoring.recertification_webhook.log import start_logging
    from monitoring.recertification_webhook.settings import read_settings

    start_logging()
    settings = read_settings(folder / "controller.yaml")
    server.serve(settings, Controller(settings, CountingBackend(folder)))


if __name__ == "__main__":
    main()
