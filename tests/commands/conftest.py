"""A pipeline for commands that run one, without kfp's processes; test_run.py runs the compiled one under kfp."""

from __future__ import annotations

from pathlib import Path

import pytest

from robustcert.commands import pipeline_run
from tests.components.in_process import InProcess


@pytest.fixture
def in_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> InProcess:
    """Takes the place of kfp for one test, and tells what the pipeline was given."""
    found = InProcess(tmp_path / "artifacts")
    monkeypatch.setattr(pipeline_run, "run_pipeline", found.run)
    return found
