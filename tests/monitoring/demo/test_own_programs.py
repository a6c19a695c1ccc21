"""Our own programs: started, ready when they say so, ended; and a program that can't start says why."""

from __future__ import annotations

from pathlib import Path

import pytest

from monitoring.demo.own_programs import OwnProgram
from robustcert.errors import WorldError


def test_a_module_runs_until_the_context_ends(tmp_path: Path) -> None:
    (tmp_path / "file.txt").write_text("served")
    program = OwnProgram(tmp_path / "log", "http.server", ready_path="/file.txt")
    program.arguments = ["--bind", "127.0.0.1", "--directory", str(tmp_path), str(program.port)]
    with program:
        assert program.is_ready()
    assert not program.is_ready()


def test_a_module_that_does_not_start_shows_the_end_of_its_log(tmp_path: Path) -> None:
    program = OwnProgram(tmp_path / "log", "no_module_of_this_name", ready_path="/")
    with pytest.raises(WorldError, match="No module named no_module_of_this_name"):
        program.start()
