"""What was asked for is remembered by the next process, and two processes never ask at once."""

from __future__ import annotations

import multiprocessing
import os
from pathlib import Path

import pytest

from robustcert.errors import StorageError
from robustcert.kubeflow.intents import Asked, held_intent


def test_what_is_written_is_read_by_the_next_one_until_it_is_cleared(tmp_path: Path) -> None:
    with held_intent(tmp_path / "a/b", "run") as intent:
        assert intent.read() is None
        intent.write(at=12.5, known={"x"})
    with held_intent(tmp_path / "a/b", "run") as intent:
        assert intent.read() == Asked(at=12.5, known=frozenset({"x"}))
        intent.clear()
        assert intent.read() is None
    with held_intent(tmp_path / "a/b", "other") as intent:
        assert intent.read() is None


@pytest.mark.parametrize("text", ["", "{", "[]", '{"at": 1}', '{"at": "x", "known": []}'])
def test_a_damaged_note_counts_as_none(tmp_path: Path, text: str) -> None:
    with held_intent(tmp_path, "run") as intent:
        intent.write(at=1, known=())
        (note,) = tmp_path.glob("*.json")
        note.write_text(text)
        assert intent.read() is None


def _append(folder: Path, log: Path) -> None:
    for _ in range(20):
        with held_intent(folder, "run"), log.open("a") as file:
            file.write(f"{os.getpid()} in\n")
            file.flush()
            file.write(f"{os.getpid()} out\n")


def test_processes_hold_it_one_by_one(tmp_path: Path) -> None:
    log = tmp_path / "log"
    processes = [multiprocessing.get_context("fork").Process(target=_append, args=(tmp_path, log)) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(20)
    lines = log.read_text().split("\n")[:-1]
    assert len(lines) == 3 * 20 * 2
    assert all(
        (into.split()[0], into.split()[1], out.split()[1]) == (out.split()[0], "in", "out")
        for into, out in zip(lines[::2], lines[1::2], strict=True)
    )


def test_a_folder_that_can_not_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(StorageError, match=r"expected a writable folder for what was submitted \(--state\), got"),
        held_intent(tmp_path / "file", "run"),
    ):
        raise AssertionError("never held")
