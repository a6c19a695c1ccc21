"""A pipeline run on this machine: the compiled pipeline of the cluster, through kfp.local, in a child process.

The log of the child is kept whole; its progress lines become events, its failure one line: which step, which cause,
where the log is.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from robustcert.errors import ClaimError, StepError
from robustcert.work_folder import work_folder

PROGRESS = re.compile(r"^::progress (?P<step>\S+) (?P<done>\d+)/(?P<total>\d+) ?(?P<text>.*)$")
FAILURE = re.compile(r"^::failure (?P<step>\S+) (?P<cause>.*)$")
TASK_FAILED = re.compile(r"Task .*?'(?P<step>[\w-]+)'.* finished with status .*FAILURE")
EXCEPTION = re.compile(r"^(?P<cause>(?:[\w.]+\.)?[A-Z]\w*(?:Error|Exception|Interrupt|Exit)\b.*)$")
COLOUR = re.compile(r"\x1b\[[0-9;]*m")


@dataclass(frozen=True, kw_only=True)
class Progress:
    """One progress line of a step; `text` may name a shard."""

    step: str
    done: int
    total: int
    text: str


@dataclass(kw_only=True)
class _Failure:
    step: str = ""
    cause: str = ""
    exception: str = ""


def compiled_pipeline(name: str) -> Path:
    """The compiled pipeline `name`: inside the installed package, or beside it in a checkout."""
    packaged = Path(str(resources.files("robustcert"))) / "pipelines" / f"{name}.yaml"
    return packaged if packaged.is_file() else Path(__file__).parent.parent / "pipelines" / f"{name}.yaml"


def run_pipeline(
    name: str, *, arguments: Mapping[str, object], log: Path, on_progress: Callable[[Progress], None]
) -> None:
    """Runs the compiled pipeline to its end; StepError names step and cause, ClaimError a gate that was not passed."""
    failure = _Failure()
    with (
        work_folder() as work,
        log.open("w") as kept,
        _start(compiled_pipeline(name), work, arguments) as child,
    ):
        try:
            for line in child.stdout or ():
                kept.write(line)
                _read(COLOUR.sub("", line).strip(), failure, on_progress)
            status = child.wait()
        finally:
            _end(child)
    if status != 0:
        raise _error(failure, status, log)


def _start(pipeline: Path, work: Path, arguments: Mapping[str, object]) -> subprocess.Popen[str]:
    child = subprocess.Popen(
        [sys.executable, "-u", "-m", "robustcert.local_pipeline", str(pipeline), str(work)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
        cwd=work,
        env={**os.environ, "TMPDIR": str(work)},  # kfp leaves a file there for every task
    )
    assert child.stdin is not None
    with child.stdin as stdin:
        json.dump(dict(arguments), stdin)
    return child


def _end(child: subprocess.Popen[str]) -> None:
    if child.poll() is None:
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()


def _read(line: str, failure: _Failure, on_progress: Callable[[Progress], None]) -> None:
    if found := PROGRESS.match(line):
        on_progress(
            Progress(step=found["step"], done=int(found["done"]), total=int(found["total"]), text=found["text"])
        )
    elif found := FAILURE.match(line):
        failure.step, failure.cause = found["step"], found["cause"]
    elif found := TASK_FAILED.search(line):
        failure.step = failure.step or found["step"].replace("-", "_")
    elif found := EXCEPTION.match(line):
        failure.exception = failure.exception or found["cause"]


def _error(failure: _Failure, status: int, log: Path) -> StepError | ClaimError:
    if failure.step == "gate" and failure.cause:
        return ClaimError(failure.cause)
    cause = failure.cause or failure.exception or f"the process ended with status {status}"
    return StepError(f"step {failure.step or 'of the pipeline'} failed: {cause}; the whole log is {log}")
