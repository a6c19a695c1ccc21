"""Arguments that nobody meant: one line and exit status 2, of both programs."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tools.release import __main__ as release
from tools.release import check


@pytest.mark.parametrize(
    ("program", "arguments", "said"),
    [
        (release.main, [], "python -m tools.release: the following arguments are required: version; see --help\n"),
        (
            release.main,
            ["1.2.3", "--nothing"],
            "python -m tools.release: unrecognized arguments: --nothing; see --help\n",
        ),
        (check.main, [], "python -m tools.release.check: the following arguments are required: folder; see --help\n"),
    ],
)
def test_a_wrong_argument_is_one_line_and_exit_2(
    program: Callable[[list[str]], int], arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        program(arguments)
    assert ended.value.code == 2
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("", said)
