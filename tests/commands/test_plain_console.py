"""What stands in a path or a message is printed as it stands there."""

from __future__ import annotations

import pytest
from rich.table import Table

from robustcert.commands.plain_console import plain_console
from tests.command_line import CommandLine

TEXT = "out/[/x][red]:b: 12"


def test_texts_and_cells_are_printed_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    table = Table("a", box=None, pad_edge=False)
    table.add_row(TEXT)
    table.add_row("x" * 150)
    plain_console().print(TEXT)
    plain_console().print(table)
    assert [line.rstrip() for line in capsys.readouterr().out.splitlines()] == [TEXT, "a", TEXT, "x" * 150]


def test_an_error_repeats_what_was_typed(command_line: CommandLine) -> None:
    done = command_line("check", TEXT)
    assert (done.status, f"got no file '{TEXT}'" in done.err) == (2, True)
