"""Runs the command line in this process, as the console script does."""

from __future__ import annotations

import sys
from dataclasses import dataclass

import pytest

from robustcert import cli


@dataclass(frozen=True)
class Done:
    """Exit status and what was printed."""

    status: int
    out: str
    err: str


@dataclass(frozen=True)
class CommandLine:
    """`command_line("check", "spec.yaml")` runs `robustcert check spec.yaml`."""

    patch: pytest.MonkeyPatch
    capture: pytest.CaptureFixture[str]

    def __call__(self, *arguments: object) -> Done:
        self.patch.setattr(sys, "argv", ["robustcert", *map(str, arguments)])
        self.capture.readouterr()
        with pytest.raises(SystemExit) as ended:
            cli.main()
        printed = self.capture.readouterr()
        return Done(int(ended.value.code or 0), printed.out, printed.err)


@pytest.fixture
def command_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> CommandLine:
    """The command line; it ends with an exit status, as a process does."""
    return CommandLine(monkeypatch, capsys)
