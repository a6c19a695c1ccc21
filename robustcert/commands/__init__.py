"""The commands of the command line, one file per subject; each imports what it needs when it runs."""

from __future__ import annotations

import typer


def register(app: typer.Typer) -> None:
    """Adds every command to `app`."""
    from robustcert.commands import (
        audit,
        compare,
        data,
        drift,
        drift_reference,
        estimate,
        keys,
        prove,
        prove_trees,
        recertify,
        regressions,
        requests,
        run,
        specification,
        status,
        store,
        submit,
        train_job,
        upload,
        verify,
        verify_net,
    )

    for module in (
        specification,
        keys,
        data,
        estimate,
        run,
        recertify,
        regressions,
        requests,
        verify,
        audit,
        compare,
        prove,
        prove_trees,
        verify_net,
        drift,
        drift_reference,
        status,
        store,
        upload,
        submit,
        train_job,
    ):
        module.register(app)
