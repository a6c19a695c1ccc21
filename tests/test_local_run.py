"""The local run: progress becomes events, a failure one line, and the child ends with its parent."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from robustcert import local_run
from robustcert.errors import ClaimError, StepError
from robustcert.local_run import Progress, compiled_pipeline, run_pipeline

CHILD = """
import sys, json
from pathlib import Path
arguments = json.load(sys.stdin)
print(arguments["text"])
sys.exit(arguments["status"])
"""


def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, text: str, status: int) -> list[Progress]:
    """Runs a child that prints `text` in the place of kfp and ends with `status`."""
    package = tmp_path / "package"
    package.mkdir(exist_ok=True)
    (package / "stand_in.py").write_text(CHILD)
    original = subprocess.Popen

    def popen(command: list[str], **options: object) -> subprocess.Popen[str]:
        return original([sys.executable, str(package / "stand_in.py"), *command[4:]], **options)  # type: ignore[call-overload, no-any-return]

    monkeypatch.setattr(local_run.subprocess, "Popen", popen)
    seen: list[Progress] = []
    arguments = {"text": text, "status": status}
    run_pipeline("certified_training", arguments=arguments, log=tmp_path / "run.log", on_progress=seen.append)
    return seen


def test_progress_lines_become_events_also_when_indented_and_coloured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "noise\n   \x1b[96m::progress certification 3/7 shard 1/2\n::progress gate 1/1"
    assert run(tmp_path, monkeypatch, text=text, status=0) == [
        Progress(step="certification", done=3, total=7, text="shard 1/2"),
        Progress(step="gate", done=1, total=1, text=""),
    ]
    assert "noise" in (tmp_path / "run.log").read_text()


def test_a_failure_names_step_cause_and_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "  ::failure data_validation expected a file, got none; name one\nTraceback (most recent call last):"
    with pytest.raises(StepError, match=r"step data_validation failed: expected a file.*whole log is .*run\.log"):
        run(tmp_path, monkeypatch, text=text, status=1)


def test_an_unexpected_exception_is_named_with_its_task(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (
        "   ZeroDivisionError: division by zero\n12:00 - ERROR - Task 'certificate-issue' finished with status FAILURE"
    )
    with pytest.raises(StepError, match="step certificate_issue failed: ZeroDivisionError: division by zero"):
        run(tmp_path, monkeypatch, text=text, status=1)


def test_a_gate_that_is_not_passed_is_a_claim_that_does_not_hold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ClaimError, match=r"^1 criteria not met$"):
        run(tmp_path, monkeypatch, text="::failure gate 1 criteria not met", status=1)


def test_a_gate_that_could_not_run_is_no_claim(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "12:00 - ERROR - Task 'gate' finished with status FAILURE\nRuntimeError: Pipeline finished with FAILURE"
    with pytest.raises(StepError, match="step gate failed: RuntimeError: Pipeline finished"):
        run(tmp_path, monkeypatch, text=text, status=1)


def test_temporary_files_of_the_child_lie_in_its_own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.test_local_run.CHILD", "import os; print('::progress', os.environ['TMPDIR'], '1/1')")
    [event] = run(tmp_path, monkeypatch, text="", status=0)
    assert Path(event.step).name.startswith("robustcert-run-")
    assert not Path(event.step).exists()


def test_a_silent_death_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(StepError, match="the process ended with status 7"):
        run(tmp_path, monkeypatch, text="", status=7)


def test_the_compiled_pipeline_of_the_checkout_is_found(root: Path) -> None:
    assert compiled_pipeline("certified_training").is_file()
