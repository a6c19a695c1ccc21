"""From queued to running: the run's name is committed before the backend is asked for it.

Whatever is lost after that, a crash or an answer, the run is looked up by its name: found, it is adopted; not found
once the backend's settling time has passed, it is asked for again under the same name.
"""

from __future__ import annotations

import json
import sqlite3
import time
from dataclasses import asdict

from monitoring.recertification_webhook.backends.backend import BackendError, BackendRun, Order
from monitoring.recertification_webhook.certificates import require_published, status_of, verified
from monitoring.recertification_webhook.context import Context
from monitoring.recertification_webhook.endings import ACTOR, backoff, end_dead, succeed
from monitoring.recertification_webhook.fleet import InForce
from monitoring.recertification_webhook.labels_wait import window_of
from monitoring.recertification_webhook.moved_clock import boot_id
from monitoring.recertification_webhook.outcome import Outcome, outcome_of
from monitoring.recertification_webhook.request_rows import move
from monitoring.recertification_webhook.schema import milliseconds
from monitoring.recertification_webhook.transaction import Transaction
from robustcert.certificate.schema import Predicate
from robustcert.errors import VerificationError

PENDING = "submission"
LONGEST_REASON = 400


def start_request(context: Context, row: sqlite3.Row) -> None:
    """Starts the next run of a queued request that is due; StorageError, BackendError where the world fails."""
    if _issued_late(context, row):
        return
    in_force = None if context.fleet is None else context.fleet.in_force(row["model"], row["version"])
    if in_force is None:
        error = "no certificate is in force for this model and version any more"
        end_dead(context, row, outcome="unknown-model", error=error)
        return
    try:
        verified(context.store, in_force.certificate_sha256, keys=context.keys)
    except VerificationError as error:
        require_published(context.store, context.fleet)
        end_dead(context, row, outcome="certificate-refused", error=str(error))
        return
    reasons = _reasons(context, row)
    revoked = status_of(context.store, in_force.certificate_sha256, keys=context.keys) == "revoked"
    if revoked and not row["by_person"]:
        end_dead(context, row, outcome="revoked", error="the certificate is revoked; only a person revives it")
        return
    window = window_of(context, row, in_force, [code for code, _ in reasons])
    if window is None:
        return
    order = _order(row, in_force, reasons, window)
    if _commit_name(context, row, order):
        submit(context, _fresh(context, row["id"]), order)


def submit(context: Context, row: sqlite3.Row, order: Order) -> None:
    """Asks for a run whose name is committed."""
    try:
        run = context.backend.submit(order)
    except BackendError as error:
        if not error.transient:
            end_dead(context, row, outcome="refused", error=str(error))
        elif error.perhaps_done:
            _begin_wait(context, row)
        else:
            _back_to_queue(context, row)
        raise
    adopt(context, row, run, action="run-started")


def resume_submission(context: Context, row: sqlite3.Row) -> None:
    """Finds the run of a request that was being submitted, or asks for it again once it can't appear any more.

    One that ended and was collected meanwhile has left in the store what came of it.
    """
    name = row["run_name"]
    waited = waited_for(context, row)
    found = context.backend.find(name)
    if found:
        _end_rivals(context, found)
        adopt(context, row, standing(found), action="run-adopted")
    elif waited >= context.backend.settle_seconds and not _ended_unseen(context, row):
        order = Order(**json.loads(row["run_order"]))
        _begin_wait(context, row, action="run-asked-again")
        submit(context, row, order)


def adopt(context: Context, row: sqlite3.Row, run: BackendRun, *, action: str) -> None:
    """Keeps the run of a request; where a person cancelled it meanwhile, the loop ends that run by its name."""

    def work(transaction: Transaction) -> None:
        deadline = milliseconds(transaction.now + context.settings.run_deadline)
        columns = {"run_id": run.run_id, "run_url": run.url, "deadline": deadline, "failures": 0, "last_error": ""}
        if move(transaction, row["id"], before="submitting", to="running", **columns):
            transaction.audit(action, actor=ACTOR, request_id=row["id"], run=run.name, backend=run.run_id)

    context.database.write(work)


def standing(runs: list[BackendRun]) -> BackendRun:
    """Which of the runs of one name, the oldest first, stands for it: one that succeeded, else an active one."""
    by_state = {state: [run for run in runs if run.state == state] for state in ("succeeded", "active")}
    return next(iter((*by_state["succeeded"], *by_state["active"], *runs)))


def run_of(request_id: str, attempt: int) -> str:
    """The pipeline's run id of an attempt (from 1), under which the store keeps what came of it.

    >>> run_of("20261121T130511Z-0123456789", 2)
    '20261121T130511Z-0123456789-2'
    """
    return f"{request_id}-{attempt}"


def _issued_late(context: Context, row: sqlite3.Row) -> bool:
    """Whether an earlier run of the request issued after all; then another one would issue twice."""
    for attempt in range(1, row["attempts"] + 1):
        found = _outcome(context, row, attempt)
        if found.verdict == "certified":
            succeed(context, row, certificate=found.certificate, run_id=run_of(row["id"], attempt))
            return True
    return False


def _ended_unseen(context: Context, row: sqlite3.Row) -> bool:
    """Whether the run that was asked for has ended, and was collected before anybody saw it."""
    found = _outcome(context, row, row["attempts"])
    if found.verdict == "claim-failed":
        end_dead(context, row, outcome="claim-failed", error=found.text)
    return found.verdict == "claim-failed" or _issued_late(context, row)


def _outcome(context: Context, row: sqlite3.Row, attempt: int) -> Outcome:
    run_id, old = run_of(row["id"], attempt), certified_before(context, row)
    return outcome_of(context.store, run_id, model=row["model"], old=old, keys=context.keys, now=context.clock())


def certified_before(context: Context, row: sqlite3.Row) -> Predicate | None:
    """What the certificate says that is to be replaced; None where it is none to be trusted any more."""
    try:
        return verified(context.store, row["certificate_sha256"], keys=context.keys)
    except VerificationError:
        return None


def _order(row: sqlite3.Row, in_force: InForce, reasons: list[tuple[str, str]], window: tuple[str, str]) -> Order:
    run_id = run_of(row["id"], row["attempts"] + 1)
    codes = [code for code, _ in reasons]
    place, digest = window
    return Order(
        name=f"recertification-{row['model']}-{run_id}",
        model=row["model"],
        version=row["version"],
        certificate_sha256=in_force.certificate_sha256,
        reason=f"{', '.join(codes)}: {reasons[0][1]}"[:LONGEST_REASON] if reasons else "recertification",
        run_id=run_id,
        window_uri=place,
        window_sha256=digest,
    )


def _commit_name(context: Context, row: sqlite3.Row, order: Order) -> bool:
    def work(transaction: Transaction) -> bool:
        columns = {
            "attempts": row["attempts"] + 1,
            "run_name": order.name,
            "run_order": json.dumps(asdict(order)),
            "certificate_sha256": order.certificate_sha256,
            "run_id": "",
            "run_url": "",
            "asked_at": time.monotonic(),
            "asked_boot": boot_id(),
        }
        if not move(transaction, row["id"], before="queued", to="submitting", **columns):
            return False
        transaction.audit("run-named", actor=ACTOR, request_id=row["id"], run=order.name, window=order.window_sha256)
        return True

    return context.database.write(work)


def waited_for(context: Context, row: sqlite3.Row) -> float:
    """Seconds since the run was asked for; since it was first seen here, where the machine was booted meanwhile."""
    seen = context.waits.seconds(PENDING, row["run_name"])
    same_boot = row["asked_boot"] and row["asked_boot"] == boot_id()
    return time.monotonic() - float(row["asked_at"]) if same_boot else seen


def _begin_wait(context: Context, row: sqlite3.Row, *, action: str = "run-not-answered") -> None:
    """The wait begins anew: before the backend is asked again, and once it gave no answer."""

    def work(transaction: Transaction) -> None:
        statement = "UPDATE request SET asked_at = ?, asked_boot = ? WHERE id = ?"
        transaction.run(statement, time.monotonic(), boot_id(), row["id"])
        transaction.audit(action, actor=ACTOR, request_id=row["id"], run=row["run_name"])

    context.database.write(work)
    context.waits.begin(PENDING, row["run_name"])


def _back_to_queue(context: Context, row: sqlite3.Row) -> None:
    """Nothing was done: the same attempt waits a little; an outage of the backend uses up no attempts."""
    failures = row["failures"] + 1
    pause = backoff(context, failures)

    def work(transaction: Transaction) -> None:
        columns = {"attempts": row["attempts"] - 1, "failures": failures}
        not_before = milliseconds(transaction.now + pause)
        move(transaction, row["id"], before="submitting", to="queued", not_before=not_before, **columns)

    context.database.write(work)


def _end_rivals(context: Context, found: list[BackendRun]) -> None:
    """Where two runs bear one name, one of them is ended."""
    kept = standing(found)
    for run in found:
        if run.state == "active" and run.run_id != kept.run_id:
            context.backend.cancel(run.run_id)


def _reasons(context: Context, row: sqlite3.Row) -> list[tuple[str, str]]:
    statement = "SELECT code, text FROM reason WHERE request_id = ? ORDER BY rowid"
    return context.database.read(lambda one: [tuple(found) for found in one.execute(statement, (row["id"],))])


def _fresh(context: Context, request_id: str) -> sqlite3.Row:
    row: sqlite3.Row = context.database.read(
        lambda connection: connection.execute("SELECT * FROM request WHERE id = ?", (request_id,)).fetchone()
    )
    return row
