"""The tree of errors: it is the drawn one, every branch has its exit status, and a sentence has its three parts."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from robustcert import cli, errors
from robustcert.errors import ClaimError, InputError, RobustcertError, WorldError, expected
from tests.command_line import CommandLine

DRAWN = re.compile(r"^(?P<indent>[ │├└─]*)(?P<name>[A-Z]\w*Error)(?P<meaning> {2,}\S.*)?$", re.MULTILINE)
STATUS = {InputError: 2, ClaimError: 1, WorldError: 2}


def drawn() -> Iterator[tuple[str, str]]:
    """(error, the one above it) of the tree in the module's docstring."""
    above: dict[int, str] = {}
    for line in DRAWN.finditer(str(errors.__doc__)):
        depth = (len(line["indent"]) - 4) // 4
        above[depth] = line["name"]
        yield line["name"], above.get(depth - 1, "Exception")


def defined() -> list[type[RobustcertError]]:
    found = [value for value in vars(errors).values() if isinstance(value, type)]
    return [value for value in found if issubclass(value, RobustcertError)]


def test_the_tree_is_the_drawn_one() -> None:
    assert dict(drawn()) == {error.__name__: error.__bases__[0].__name__ for error in defined()}
    assert len(defined()) == 12


def test_every_error_says_what_it_is_for() -> None:
    assert all(str(error.__doc__).endswith(".") for error in defined())


@pytest.mark.parametrize("branch", STATUS)
def test_each_branch_has_the_exit_status_that_the_tree_names(branch: type[RobustcertError]) -> None:
    (line,) = [line for line in str(errors.__doc__).splitlines() if f" {branch.__name__} " in line]
    assert re.findall(r"\(exit code (\d)\)", line) == [str(STATUS[branch])]


@pytest.mark.parametrize("error", defined())
def test_the_command_line_ends_with_it_and_one_line(
    command_line: CommandLine, monkeypatch: pytest.MonkeyPatch, error: type[RobustcertError]
) -> None:
    def failing(**_: object) -> None:
        raise error("what was expected, what came, what to do")

    monkeypatch.setattr(cli, "application", lambda: failing)
    found = command_line()
    wanted = next((status for branch, status in STATUS.items() if issubclass(error, branch)), 2)
    assert (found.status, found.out) == (wanted, "")
    assert found.err == "robustcert: what was expected, what came, what to do\n"


def test_a_sentence_names_what_was_expected_what_came_and_what_to_do() -> None:
    assert expected("a folder", got=7, remedy="name one") == "expected a folder, got 7; name one"


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("https://user:hunter2@example.org/a", "https://***@example.org/a"),
        ("'S3://AKIA:hunter2@bucket'", "'S3://***@bucket'"),
        ("https:/:hunter2@example.org", "https:/***@example.org"),
        ("s3://bucket/key?endpoint=http://u:hunter2@host", "s3://bucket/key?endpoint=http://***@host"),
        ("name@example.org in file:/a/b@c", "name@example.org in file:/a/b@c"),
    ],
)
def test_no_sentence_repeats_the_credentials_of_an_address(text: str, safe: str) -> None:
    assert expected("data", got=text, remedy="move it") == f"expected data, got {safe}; move it"
