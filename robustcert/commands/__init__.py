"""The commands of the command line, one file per subject; each imports what it needs when it runs."""

from __future__ import annotations

import typer


def register(app: typer.Typer) -> None:
    """Adds every command to `app`."""
    from robustcert.commands import data, keys, run, specification, store, verify

    for module in (specification, keys, data, run, verify, store):
        module.register(app)
