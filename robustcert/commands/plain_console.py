"""The console that commands print to."""

from __future__ import annotations

from rich.console import Console

WIDTH = 200  # of tables in a file or a pipe, in columns, so that no cell is cut


def plain_console(*, stderr: bool = False) -> Console:
    """A console that prints text as it is: in a path, `[red]` is no colour and `:b:` no picture."""
    console = Console(stderr=stderr, soft_wrap=True, markup=False, emoji=False, highlight=False)
    if not console.is_terminal:
        console.width = WIDTH
    return console
