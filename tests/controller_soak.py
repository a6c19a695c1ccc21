"""A soak of the recertification controller: killed by SIGKILL at random moments while everything around it fails.

    python -m tests.controller_soak --kills 200 --seed 1

Real here: the controller's process with its threads, SQLite, audit log, folder store, Kubeflow client and signatures,
its death and its restart. Simulated: Kubeflow Pipelines (tests/kubeflow's stand-in on loopback, whose runs take up to
1.5 s and certify nothing, but issue validly signed certificates), HTTP in front of the controller (lines of JSON on
loopback), and the disk (with `--disk tmpfs` a real one of 96 MB for database and audit log that is really filled; with
`--disk limit` no file of the process may grow, by RLIMIT_FSIZE; neither loses what was not flushed).

All the while senders deliver alerts at least once: in duplicate, out of order, again until they are acknowledged.
Kubeflow answers 503, 502, 429, loses answers, creates runs after the client gave up, forgets runs; the wall clock
jumps; the disk is full at times. Afterwards everything heals, and the oracle is asked: the server's own log of the runs
that it created, what those runs issued, and the senders' log of what was acknowledged. A run that ended, left nothing
in the store and was forgotten by the server before the controller ever saw it is asked for again, and may be.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import resource
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from monitoring.recertification_webhook.audit import verify_audit
from tests.monitoring.recertification_webhook.small_store import SmallStore
from tests.monitoring.recertification_webhook.soak_cluster import Cluster
from tests.monitoring.recertification_webhook.soak_oracle import check
from tests.monitoring.recertification_webhook.soak_senders import PATIENCE, Senders

MODELS = 40
ANSWER, SETTLE = 0.4, 4.0  # seconds: the client's patience, and how long a run may take to appear
SLOW = 0.9  # a server that answers after the client gave up
JUMPS = (3600.0, -3600.0, 86400.0, -86400.0, 40.0, -40.0)
LONGEST_LIFE = 3.0  # seconds from its first answer to its death
TMPFS = "96m"

Oracle = dict[str, Any]


class Soak:
    """One folder, one cluster, one controller after the other."""

    def __init__(self, folder: Path, *, seed: int, disk: str, models: int = MODELS) -> None:
        self.folder, self.disk = folder, disk
        self.small = SmallStore(folder)
        names = tuple(f"model-{number}" for number in range(models))
        self.certificates = {name: self.small.issue(name) for name in names}
        self.cluster = Cluster(self.small, self.certificates, seed=seed, slow=SLOW)
        self.drawn = random.Random(seed)
        self.happened: Counter[str] = Counter()
        self.port = _free_port()
        (folder / "offset").write_text("0")
        (folder / "disk").mkdir(exist_ok=True)
        self.senders = Senders(self.port, models=names, seed=seed)
        self.child: subprocess.Popen[bytes] | None = None

    def run(self, kills: int) -> Iterator[str]:
        """Kills, then heals and waits; a line for every tenth kill."""
        with self.cluster, _mounted(self.folder / "disk", self.disk):
            self.cluster.begin(self.folder)
            self._write_settings()
            self.senders.start()
            self.cluster.chaos = 0.15
            for number in range(1, kills + 1):
                self._start()
                self._disturb(self.drawn.uniform(0.1, LONGEST_LIFE))
                self._kill()
                if number % 10 == 0 or number == kills:
                    yield f"{number}/{kills} kills, {len(self.cluster.created)} runs, {dict(self.happened)}"
            self._heal()
            self.oracle = self._ask_oracle()
            self.cluster.end()

    def end(self) -> None:
        """Leaves no process behind, however it went."""
        if self.child is not None and self.child.poll() is None:
            self.child.kill()
            self.child.wait()

    def _start(self) -> None:
        log = (self.folder / "child.log").open("ab")
        command = [sys.executable, "-m", "tests.monitoring.recertification_webhook.soak_child", str(self.folder)]
        with log:
            self.child = subprocess.Popen(command, stdout=log, stderr=log)
        end = time.monotonic() + 30
        while time.monotonic() < end:
            if self.child.poll() is not None:  # the disk may be full, or something is really wrong
                self.happened["ended at start"] += 1
                assert self._disk_is_full(), (self.folder / "child.log").read_text()[-3000:]
                self._free_disk()
                self._start()
                return
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
                return
            time.sleep(0.02)
        raise AssertionError("the controller does not answer")

    def _disturb(self, seconds: float) -> None:
        """What befalls it before it is killed."""
        kind = self.drawn.choice(("nothing", "nothing", "jump", "full"))
        time.sleep(seconds / 2)
        if kind == "jump":
            self.happened["clock jumps"] += 1
            (self.folder / "new").write_text(str(self.drawn.choice((*JUMPS, 0.0))))
            (self.folder / "new").replace(self.folder / "offset")
        elif kind == "full":
            self.happened["disk full"] += 1
            self._fill_disk()
        time.sleep(seconds / 2)
        if kind == "full" and self.drawn.random() < 0.7:  # else the next one starts on a full disk
            self._free_disk()

    def _kill(self) -> None:
        assert self.child is not None
        self.child.send_signal(signal.SIGKILL)
        self.child.wait()
        self.happened["kills"] += 1

    def _fill_disk(self) -> None:
        assert self.child is not None
        if self.disk == "limit":
            resource.prlimit(self.child.pid, resource.RLIMIT_FSIZE, (1, resource.RLIM_INFINITY))
            return
        with contextlib.suppress(OSError), (self.folder / "disk" / "filler").open("wb", buffering=0) as file:
            while True:
                file.write(b"\0" * 4096)

    def _free_disk(self) -> None:
        if self.disk == "limit" and self.child is not None and self.child.poll() is None:
            resource.prlimit(self.child.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
        (self.folder / "disk" / "filler").unlink(missing_ok=True)

    def _disk_is_full(self) -> bool:
        return (self.folder / "disk" / "filler").exists()

    def _heal(self) -> None:
        """No more faults; every request ends, every suspension is written."""
        self.cluster.chaos = 0.0
        (self.folder / "offset").write_text("0")
        self._free_disk()
        self._start()
        self.senders.finish()
        end = time.monotonic() + PATIENCE
        while (left := self._unfinished()) and time.monotonic() < end:
            time.sleep(0.2)
        assert left == [], f"never ended: {left}"
        self._kill()

    def _unfinished(self) -> list[str]:
        open_ones = "SELECT id || ' ' || state || ' ' || last_error FROM request WHERE state IN"
        with contextlib.closing(sqlite3.connect(self.folder / "disk" / "controller.sqlite")) as connection:
            rows = connection.execute(f"{open_ones} ('queued', 'submitting', 'running')").fetchall()
            rows += connection.execute("SELECT request_id FROM suspension WHERE done_at IS NULL").fetchall()
        return [row[0] for row in rows]

    def _ask_oracle(self) -> Oracle:
        with contextlib.closing(sqlite3.connect(self.folder / "disk" / "controller.sqlite")) as connection:
            connection.row_factory = sqlite3.Row
            requests = {row["id"]: dict(row) for row in connection.execute("SELECT * FROM request")}
            episodes = {
                (row["source"], row["model"], row["version"], row["episode"]): row["request_id"]
                for row in connection.execute("SELECT * FROM episode")
            }
        audit = verify_audit(self.folder / "disk" / "audit.jsonl")
        return {"requests": requests, "episodes": episodes, "audit": audit}

    def _write_settings(self) -> None:
        seconds = {"answer": f"{ANSWER}s", "settle": f"{SETTLE}s"}
        settings = {
            "store": str(self.folder / "store"),
            "trustedKeys": str(self.small.public),
            "statusKey": str(self.small.private),
            "backend": {"kubeflow": {"host": self.cluster.host, **seconds}},
            "database": str(self.folder / "disk" / "controller.sqlite"),
            "auditLog": str(self.folder / "disk" / "audit.jsonl"),
            "coolDown": "2s",
            "drift": {"labelsWait": "2s"},
            "hysteresis": "0s",
            "ineffectiveAfter": "5s",
            "budgetPerDay": 10_000,
            "mostRunning": 12,
            "mostAttempts": 3,
            "retryBase": "100ms",
            "retryMost": "1s",
            "runDeadline": "1h",
            "recertifyBefore": "1d",
            "reconcileInterval": "100ms",
            "scanInterval": "500ms",
        }
        (self.folder / "child.json").write_text(json.dumps({"settings": settings, "port": self.port}))


@contextlib.contextmanager
def _mounted(folder: Path, disk: str) -> Iterator[None]:
    if disk == "limit":
        yield
        return
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={TMPFS}", "tmpfs", str(folder)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def main() -> None:
    """Runs a soak and prints what it found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--disk", choices=("tmpfs", "limit"), default="limit")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        soak = Soak(Path(place), seed=options.seed, disk=options.disk)
        try:
            for line in soak.run(options.kills):
                sys.stdout.write(line + "\n")
                sys.stdout.flush()
        finally:
            soak.end()
        sys.stdout.write(f"{json.dumps(check(soak), indent=2)}\nnothing lost, nothing doubled\n")


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
