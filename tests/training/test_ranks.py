"""Oracle: the operating system, which closes what a process held when it ends."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from robustcert.errors import DataError, ModelError, StepError
from robustcert.training.ranks import in_ranks
from tests.training.rank_work import TwoProcesses, complain, die

SCRIPT = """
import sys
from robustcert.training.ranks import in_ranks
from tests.training.rank_work import announce

if __name__ == "__main__":
    in_ranks(announce, int(sys.argv[1]), size=2, device="cpu", progress=print)
"""


def silent(done: int, total: int, text: str) -> None:
    pass


def test_only_the_first_process_is_heard(two_processes: TwoProcesses) -> None:
    assert two_processes.progress == [(0, 2, "asked")]


def test_the_cause_arrives_and_not_what_the_others_saw_of_it() -> None:
    with pytest.raises(DataError, match="expected data, got none; give some"):
        in_ranks(complain, 1, size=2, device="cpu", progress=silent)


def test_a_process_that_dies_ends_the_run_at_once() -> None:
    start = time.monotonic()
    with pytest.raises(StepError, match=r"expected 2 training processes to the end, got one that (died|is gone)"):
        in_ranks(die, 0, size=2, device="cpu", progress=silent)
    assert time.monotonic() - start < 60


def test_a_gpu_that_is_not_there_is_refused_before_anything_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(ModelError, match="expected a GPU that torch can use, got none"):
        in_ranks(die, 0, size=2, device="cuda", progress=silent)


def test_processes_end_when_their_parent_is_killed(tmp_path: Path) -> None:
    """Each process holds a connection; the operating system closes it when the process is gone."""
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
