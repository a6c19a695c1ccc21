"""The program itself: help, version, and one line for whatever goes wrong."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from robustcert import __version__
from tests.command_line import CommandLine


def test_the_version_is_the_librarys(command_line: CommandLine) -> None:
    assert command_line("--version").out == f"robustcert {__version__}\n"


def test_help_names_every_command_with_a_sentence(command_line: CommandLine) -> None:
    text = command_line("--help").out
    for name in ("init", "check", "keys", "run", "verify", "export-bundle", "inventory", "lineage", "replay", "schema"):
        assert f"\n  {name} " in text
    assert "robustcert run spec.yaml --key issuer" in text


@pytest.mark.parametrize("command", ["init", "check", "run", "verify", "check-data", "replay", "lineage"])
def test_every_command_explains_itself(command_line: CommandLine, command: str) -> None:
    found = command_line(command, "--help")
    assert found.status == 0
    assert len(found.out.splitlines()) > 5


@pytest.mark.parametrize(
    "arguments",
    [
        ["check", "nothing.yaml"],
        ["run", "nothing.yaml", "--key", "nokey"],
        ["verify", "nothing", "--key", "nokey.pub"],
        ["check-data", "nothing.yaml"],
        ["keys", "show", "nokey.pub"],
        ["export-bundle", "00000000", "--out", "out", "--store", "nostore"],
        ["inventory", "--store", "ftp://example.org"],
    ],
)
def test_bad_input_is_one_line_and_exit_2(
    command_line: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    found = command_line(*arguments)
    assert found.status == 2
    assert len(found.err.strip().splitlines()) == 1, found.err
    assert "Traceback" not in found.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["frobnicate"], "robustcert: No such command 'frobnicate'; see `robustcert --help`\n"),
        (["run", "spec.yaml"], "robustcert: Missing option '--key'; see `robustcert run --help`\n"),
        (["run", "spec.yaml", "--kye", "issuer"], "robustcert: No such option: --kye"),
        (["keys", "new", "issuer", "--kind", "rsa"], "robustcert: Invalid value for '--kind'"),
    ],
)
def test_wrong_usage_is_one_line_that_names_the_help(
    command_line: CommandLine, arguments: list[str], message: str
) -> None:
    found = command_line(*arguments)
    assert (found.status, len(found.err.splitlines())) == (2, 1)
    assert found.err.startswith(message)


@pytest.mark.parametrize(
    ("signal_number", "status", "word"), [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated")]
)
def test_an_interruption_is_one_line_with_its_own_status(signal_number: int, status: int, word: str) -> None:
    code = (
        "import signal, sys, time; from robustcert import cli; sys.argv = ['robustcert', 'wait'];"
        "signal.signal(signal.SIGINT, signal.default_int_handler);"  # a background job may inherit it ignored
        "wait = lambda: (print('ready', flush=True), time.sleep(60)); "
        "cli.register = lambda app: app.command('wait')(wait); cli.main()"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    process.stdout.readline()
    process.send_signal(signal_number)
    _, said = process.communicate(timeout=20)
    assert (process.returncode, len(said.splitlines())) == (status, 1), said
    assert said.startswith(f"robustcert: {word}; finished steps are kept")


def test_an_unwritable_place_is_one_line(command_line: CommandLine) -> None:
    found = command_line("init", "--out", "/proc/nothing/spec.yaml")
    assert (found.status, len(found.err.strip().splitlines())) == (2, 1)


def test_the_module_runs_as_a_program() -> None:
    done = subprocess.run([sys.executable, "-m", "robustcert.cli", "--version"], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, f"robustcert {__version__}\n")
