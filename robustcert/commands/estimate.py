"""robustcert estimate: what a run will cost on this machine, before it is started."""

from __future__ import annotations

import re
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from robustcert.commands.plain_console import plain_console
from robustcert.errors import InputError, expected

if TYPE_CHECKING:
    from robustcert.estimate.prediction import Estimate

UNITS = {"s": 1, "m": 60, "h": 3600}
MOST_SHARDS = 10_000
MEMORY_ROOM = 1.25
UNDECIDED = (
    "undecided    the method stops when it knows enough, which no one knows before: total, shards and time from start "
    "to end are guesses for samples of all kinds; certification alone can take what stands in brackets"
)


def register(app: typer.Typer) -> None:
    """Adds the commands of this file."""
    app.command(short_help="Predict hours, memory and shards of a run.")(estimate)


def estimate(
    specification: Annotated[Path, typer.Argument(help="The specification, a YAML file.")],
    shards: Annotated[
        int | None, typer.Option(min=1, max=MOST_SHARDS, help="Say what a run with so many shards takes.")
    ] = None,
    within: Annotated[
        str | None, typer.Option(help="Say how many shards end within this time, such as 90s, 30m or 2h.")
    ] = None,
) -> None:
    """Predict hours, memory and a sensible number of shards from a few seconds of work on this machine.

    The data set is built and the registered architecture is timed on it; nothing is stored.
    """
    from robustcert.estimate.prediction import estimate as estimated
    from robustcert.estimate.prediction import sensible_shards, shards_within
    from robustcert.extras import require_modules
    from robustcert.specification_file import read_specification

    if shards is not None and within is not None:
        raise InputError(expected("--shards or --within", got="both", remedy="leave one out"))
    limit = None if within is None else seconds_of(within)
    written = read_specification(specification).specification
    require_modules("torch", "sklearn")
    found = estimated(written, folder=specification.resolve().parent)
    chosen = shards or (shards_within(found, limit) if limit is not None else sensible_shards(found))
    _show(found, shards=min(chosen, found.blocks), console=plain_console())


def seconds_of(text: str) -> float:
    """Seconds of a time such as 90s, 30m or 1.5h; InputError for anything else.

    >>> seconds_of("30m")
    1800.0
    """
    match = re.fullmatch(r"([0-9]{1,6}(?:\.[0-9]{1,3})?)([smh])", text)
    if match is None or float(match[1]) == 0:
        remedy = "write a number and s, m or h"
        raise InputError(expected("a time such as 90s, 30m or 2h", got=repr(text), remedy=remedy))
    return float(match[1]) * UNITS[match[2]]


def duration(seconds: float) -> str:
    """Seconds for a person, two digits or so, rounded up.

    >>> duration(0.2), duration(59.1), duration(3601)
    ('1 s', '60 s', '1.01 h')
    """
    if seconds < 600:
        return f"{ceil(seconds)} s"
    if seconds < 3600:
        return f"{ceil(seconds / 6) / 10:g} min"
    return f"{ceil(seconds / 36) / 100:g} h"


def _show(found: Estimate, *, shards: int, console: Console) -> None:
    table = Table("step", "work", "on", "time", box=None, pad_edge=False)
    for step in found.steps:
        span = "" if step.span is None else f" ({duration(step.span[0])} to {duration(step.span[1])})"
        table.add_row(step.step, step.work, step.device, f"{duration(step.seconds)}{span}")
    table.add_row("process starts", f"{found.processes(shards)} processes", "cpu", duration(found.starts(shards)))
    table.add_row("total", f"with {shards} shard(s)", "", duration(found.total(shards)))
    console.print(table)
    memory = ceil(MEMORY_ROOM * found.memory_bytes / 2**20)
    wall = duration(found.wall(shards))
    console.print(f"shards       {shards} of at most {found.blocks}; from start to end {wall}", highlight=False)
    console.print(f"memory       {memory} MiB for each process, a quarter of it as room", highlight=False)
    if any(step.span is not None for step in found.steps):
        console.print(UNDECIDED, highlight=False)
    console.print(
        f"assumed      this machine ({found.device}), one core or GPU for each process, shards at the same time, "
        "every sample right and no attack successful, nothing finished before; image pulls and waiting are not in it",
        highlight=False,
    )
