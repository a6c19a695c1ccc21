"""The child of a local run really runs a compiled pipeline, and dies with its parent, however that died."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

PIPELINE = """
import time
from kfp import compiler, dsl

@dsl.component(base_image="unused:1", install_kfp_package=False)
def wait(seconds: int, marker: str):
    import os, time
    from pathlib import Path
    Path(marker).write_text(str(os.getpid()))
    time.sleep(seconds)

@dsl.pipeline(name="waiting")
def waiting(seconds: int, marker: str):
    wait(seconds=seconds, marker=marker)

compiler.Compiler().compile(waiting, "waiting.yaml")
"""
LIMIT_SECONDS = 30


def compiled(folder: Path) -> Path:
    (folder / "waiting.py").write_text(PIPELINE)
    subprocess.run([sys.executable, "waiting.py"], cwd=folder, check=True, capture_output=True)
    return folder / "waiting.yaml"


def test_a_compiled_pipeline_runs_to_its_end(tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    command = [sys.executable, "-m", "robustcert.local_pipeline", str(compiled(tmp_path)), str(tmp_path / "work")]
    text = json.dumps({"seconds": 0, "marker": str(marker)})
    done = subprocess.run(command, input=text, capture_output=True, text=True, start_new_session=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert marker.exists()


def test_the_running_step_ends_when_the_parent_is_killed(tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    text = json.dumps({"seconds": 600, "marker": str(marker)})
    pipeline, work = compiled(tmp_path), tmp_path / "work"
    code = (
        "import subprocess, sys; child = subprocess.Popen([sys.executable, '-m', 'robustcert.local_pipeline', "
        f"{str(pipeline)!r}, {str(work)!r}], stdin=subprocess.PIPE, text=True, start_new_session=True, "
        "stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL); "
        f"child.stdin.write({text!r}); child.stdin.close(); child.wait()"
    )
    parent = subprocess.Popen([sys.executable, "-c", code])
    _until(lambda: marker.exists() and marker.read_text() != "")
    step = int(marker.read_text())
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    _until(lambda: not _alive(step))


def _until(holds: object) -> None:
    end = time.monotonic() + LIMIT_SECONDS
    while not holds():  # type: ignore[operator]
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.05)


def _alive(process: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
