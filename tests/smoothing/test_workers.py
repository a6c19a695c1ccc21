"""Oracle: the operating system, which closes what a process held when it ends."""

from __future__ import annotations

import math
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from robustcert.errors import InputError, StepError
from robustcert.smoothing.certified_accuracy import abstention_rate
from robustcert.smoothing.workers import each_in_workers

LONG_SECONDS = 60

SCRIPT = """
import socket, sys
from robustcert.smoothing.workers import each_in_workers

def announce(port):
    socket.create_connection(("127.0.0.1", port)).recv(1)

if __name__ == "__main__":
    list(each_in_workers(announce, [int(sys.argv[1])] * 2, workers=2))
"""


def test_every_item_is_worked_on_once() -> None:
    assert sorted(each_in_workers(math.sqrt, [4, 9, 16, 25, 36], workers=2)) == [2, 3, 4, 5, 6]


def test_an_items_error_is_raised_and_ends_the_other_workers_at_once() -> None:
    start = time.monotonic()
    with pytest.raises(TypeError, match="str"):
        list(each_in_workers(time.sleep, [LONG_SECONDS, "not a time"], workers=2))  # type: ignore[list-item]
    assert time.monotonic() - start < 30


def test_our_own_errors_arrive_as_they_are() -> None:
    with pytest.raises(InputError, match="expected evidence rows, got none; certify at least one sample"):
        list(each_in_workers(abstention_rate, [[], []], workers=2))


def test_leaving_early_ends_the_workers_at_once() -> None:
    start = time.monotonic()
    results = each_in_workers(time.sleep, [0, LONG_SECONDS], workers=2)
    next(results)
    results.close()  # type: ignore[attr-defined]
    assert time.monotonic() - start < 30


def test_a_worker_that_dies_is_a_failed_step() -> None:
    with pytest.raises(StepError, match="expected 2 workers to the end, got a worker that died"):
        list(each_in_workers(os._exit, [3, 3], workers=2))


def test_workers_end_when_their_parent_is_killed(tmp_path: Path) -> None:
    """Each worker holds a connection; the operating system closes it when the worker is gone."""
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(60)
        command = [sys.executable, script, str(server.getsockname()[1])]
        with subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL) as parent:
            connections = [server.accept()[0] for _ in range(2)]
            parent.send_signal(signal.SIGKILL)
        for connection in connections:
            connection.settimeout(60)
            with connection:
                assert connection.recv(1) == b""
