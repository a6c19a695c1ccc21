"""Who talks to the soak's controller: senders that deliver at least once, and a person who tends dead letters."""

from __future__ import annotations

import contextlib
import json
import random
import socket
import threading
import time
from collections import Counter
from typing import Any

from tests.monitoring.recertification_webhook.small_store import version_of

PATIENCE = 180.0  # seconds until everybody must have been answered


class Senders:
    """Threads that deliver triggers until each is acknowledged; `acknowledged` is their log."""

    def __init__(self, port: int, *, models: tuple[str, ...], seed: int) -> None:
        self._port, self._models, self._seed = port, models, seed
        self.acknowledged: list[tuple[dict[str, Any], dict[str, Any]]] = []
        self.refused: Counter[str] = Counter()
        self.by_person: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._send, args=(number,), daemon=True) for number in range(4)]
        self._threads.append(threading.Thread(target=self._look_after, daemon=True))

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def finish(self) -> None:
        """No new triggers; what was not acknowledged is sent until it is."""
        self._ended.set()
        for thread in self._threads:
            thread.join(PATIENCE)
            assert not thread.is_alive(), "a sender was never answered"

    def _send(self, number: int) -> None:
        drawn = random.Random(self._seed * 100 + number)
        recent: list[dict[str, Any]] = []
        connection: socket.socket | None = None
        while not self._ended.is_set():
            batch = [_trigger(drawn, recent, self._models) for _ in range(drawn.randrange(1, 8))]
            drawn.shuffle(batch)
            while (answer := self._ask(connection, batch)) is None or "error" in answer:
                if answer is not None:
                    self.refused[answer["error"].partition(",")[0][:60]] += 1
                if answer is None and connection is not None:
                    connection.close()
                    connection = None
                time.sleep(0.02)
                connection = connection or self._connect()
            with self._lock:
                self.acknowledged += list(zip(batch, answer, strict=True))
            time.sleep(drawn.uniform(0, 0.3))
        if connection is not None:
            connection.close()

    def _look_after(self) -> None:
        """A person: has dead letters tried again, and cancels a request now and then."""
        drawn = random.Random(self._seed)
        while not self._ended.wait(0.5):
            with contextlib.closing(self._connect() or socket.socket()) as connection:
                dead = self._ask(connection, {"list": "dead"})
                going = self._ask(connection, {"list": drawn.choice(("queued", "submitting", "running"))})
                for asked, known in (("retry", dead), ("cancel", going)):
                    if isinstance(known, list) and known and drawn.random() < (0.9 if asked == "retry" else 0.2):
                        self.by_person[asked] += isinstance(self._ask(connection, {asked: drawn.choice(known)}), list)

    def _ask(self, connection: socket.socket | None, batch: Any) -> Any:
        if connection is None:
            return None
        try:
            connection.sendall(json.dumps(batch).encode() + b"\n")
            line = b""
            while not line.endswith(b"\n"):
                if not (more := connection.recv(1 << 16)):
                    return None
                line += more
            return json.loads(line)
        except OSError:
            return None

    def _connect(self) -> socket.socket | None:
        with contextlib.suppress(OSError):
            return socket.create_connection(("127.0.0.1", self._port), timeout=5)
        return None


def _trigger(drawn: random.Random, recent: list[dict[str, Any]], models: tuple[str, ...]) -> dict[str, Any]:
    """A new episode, one of the last again, or its resolution."""
    if recent and drawn.random() < 0.6:
        return {**drawn.choice(recent[-30:]), "resolved": drawn.random() < 0.3}
    model = drawn.choice(models) if drawn.random() < 0.98 else "nobody-knows-it"
    version = version_of(model) if drawn.random() < 0.5 else ""
    recent.append(
        {
            "source": drawn.choice(("alert", "alert", "grafana", "cloudevent", "schedule")),
            "model": model,
            "version": version if model in models else "",
            "episode": f"{drawn.getrandbits(64):016x}",
            "reason": drawn.choice(("input-drift", "accuracy", "abstention")),
            "text": "a soak",
            "suspend": drawn.random() < 0.05,
            "resolved": False,
        }
    )
    return recent[-1]
