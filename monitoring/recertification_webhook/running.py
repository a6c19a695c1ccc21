"""From running to an end: what the backend says of the run, and then what the store says came of it."""

from __future__ import annotations

import sqlite3
from datetime import timedelta

from monitoring.recertification_webhook.backends.backend import BackendRun
from monitoring.recertification_webhook.context import Context
from monitoring.recertification_webhook.endings import attempt_failed, end_dead, remember_error, succeed
from monitoring.recertification_webhook.outcome import Outcome, outcome_of
from monitoring.recertification_webhook.schema import moment_of
from monitoring.recertification_webhook.submission import certified_before, run_of, waited_for
from robustcert.errors import RobustcertError

GONE = "gone"


def watch_run(context: Context, row: sqlite3.Row) -> None:
    """Looks at a run, and settles the request once it has ended."""
    run = context.backend.look(row["run_id"])
    late = context.clock() - moment_of(row["deadline"])
    if run is not None:
        context.waits.end(GONE, row["id"])
    if run is not None and run.state == "active":
        _hold_to_deadline(context, row, late=late)
        return
    try:
        found = _outcome(context, row)
    except RobustcertError as error:
        remember_error(context, row, "store", str(error))
        if late > context.settings.run_deadline:
            end_dead(context, row, outcome="stuck", error=str(error))
        return
    _settle(context, row, run, found)


def clean_up(context: Context, row: sqlite3.Row) -> None:
    """Ends the runs of a cancelled request, found by name; done once none is active and none can appear any more."""
    found = context.backend.find(row["run_name"])
    active = [run for run in found if run.state == "active"]
    for run in active:
        context.backend.cancel(run.run_id)
    if not active and (found or waited_for(context, row) >= context.backend.settle_seconds):
        context.database.write(
            lambda transaction: transaction.run("UPDATE request SET cleanup = 0 WHERE id = ?", row["id"])
        )


def _hold_to_deadline(context: Context, row: sqlite3.Row, *, late: timedelta) -> None:
    """Asks for the end of a run that takes too long; the next one waits until it has ended, so that two never meet."""
    if late < timedelta(0):
        return
    if late > context.settings.run_deadline:
        error = f"run {row['run_name']} did not end when asked to; end it by hand, then retry"
        end_dead(context, row, outcome="stuck", error=error)
        return
    error = f"the run passed its deadline of {context.settings.run_deadline}; it was asked to end"
    remember_error(context, row, "deadline", error)
    context.backend.cancel(row["run_id"])


def _outcome(context: Context, row: sqlite3.Row) -> Outcome:
    run_id = run_of(row["id"], row["attempts"])
    return outcome_of(
        context.store,
        run_id,
        model=row["model"],
        old=certified_before(context, row),
        keys=context.keys,
        now=context.clock(),
    )


def _settle(context: Context, row: sqlite3.Row, run: BackendRun | None, found: Outcome) -> None:
    if found.verdict == "certified":
        succeed(context, row, certificate=found.certificate, run_id=run_of(row["id"], row["attempts"]))
    elif found.verdict == "claim-failed":
        end_dead(context, row, outcome="claim-failed", error=found.text)
    elif run is None:
        if context.waits.seconds(GONE, row["id"]) >= context.backend.settle_seconds:
            attempt_failed(context, row, error=f"the backend has forgotten the run, and {found.text}")
    elif run.refused:
        end_dead(context, row, outcome="input-refused", error=run.error or found.text)
    else:
        attempt_failed(context, row, error=run.error or found.text)
