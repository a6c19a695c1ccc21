"""The folder of a local run: gone with it, and swept by the next one where it was killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from robustcert import work_folder as subject
from robustcert.work_folder import PREFIX, work_folder


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A place of its own for temporary files, in which every folder counts as old."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(subject, "YOUNG_SECONDS", -1.0)
    return tmp_path


def test_the_folder_is_there_while_it_is_used_and_then_gone(temporary: Path) -> None:
    with work_folder() as folder:
        (folder / "model").write_text("heavy")
        assert list(temporary.iterdir()) == [folder]
    assert list(temporary.iterdir()) == []


def test_the_folder_of_a_killed_run_is_removed_and_that_of_a_living_one_is_kept(temporary: Path) -> None:
    code = (
        "import time; from robustcert.work_folder import work_folder\n"
        "with work_folder() as folder: (folder / 'file').touch(); print(folder, flush=True); time.sleep(60)"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env={**os.environ, "TMPDIR": str(temporary)}
    )
    assert process.stdout is not None
    with process.stdout:
        other = Path(process.stdout.readline().strip())
    with work_folder():
        assert (other / "file").exists()
    process.send_signal(signal.SIGKILL)
    process.wait()
    with work_folder() as own:
        assert list(temporary.iterdir()) == [own]


def test_what_is_not_of_a_run_is_left_alone(temporary: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "mine").touch()
    (temporary / f"{PREFIX}link").symlink_to(elsewhere)
    (temporary / f"{PREFIX}file").touch()
    (temporary / "other").mkdir()
    with work_folder():
        pass
    assert {path.name for path in temporary.iterdir()} == {f"{PREFIX}link", f"{PREFIX}file", "other"}
    assert (elsewhere / "mine").exists()


def test_a_folder_that_was_just_made_is_left_alone(temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subject, "YOUNG_SECONDS", 60.0)
    (temporary / f"{PREFIX}new").mkdir()
    with work_folder():
        pass
    assert (temporary / f"{PREFIX}new").exists()
