"""What a person may do to a request: end it, lay a dead letter aside, or have one tried again. All of it is audited."""

from __future__ import annotations

from monitoring.recertification_webhook.request_rows import Open, finish, move, row_of
from monitoring.recertification_webhook.requests import OPEN, ConflictError
from monitoring.recertification_webhook.schema import milliseconds
from monitoring.recertification_webhook.transaction import Transaction
from robustcert.errors import expected


def cancel(transaction: Transaction, request_id: str, *, by: str) -> None:
    """Ends an open request, whose runs the loop then ends, or lays a dead letter aside; ConflictError otherwise."""
    row = row_of(transaction, request_id)
    assert row is not None, "the caller has looked"
    if row["state"] not in (*OPEN, "dead"):
        raise _conflict("an open or dead request", row["state"])
    aside = row["state"] == "dead"
    finish(
        transaction,
        request_id,
        before=row["state"],
        to="cancelled",
        outcome="laid-aside" if aside else "cancelled",
        cleanup=int(not aside and bool(row["run_name"])),
        closed_at=milliseconds(transaction.now),
    )
    transaction.audit("request-cancelled", actor=f"person:{by}", request_id=request_id, state=row["state"])


def retry(transaction: Transaction, request_id: str, *, by: str, allowed: int) -> None:
    """Queues a dead request again, due at once, and no longer waiting for labels; ConflictError for another state."""
    row = row_of(transaction, request_id)
    assert row is not None, "the caller has looked"
    if row["state"] != "dead":
        raise _conflict("a dead request", row["state"])
    query = f"SELECT id FROM request WHERE model = ? AND version = ? AND state IN {Open}"
    if (other := transaction.one(query, row["model"], row["version"])) is not None:
        raise _conflict("no open request for that model version", f"request {other['id']}")
    columns = {
        "outcome": "",
        "finished_at": None,
        "closed_at": None,
        "deadline": None,
        "failures": 0,
        "run_id": "",
        "attempts_allowed": row["attempts"] + allowed,
        "by_person": 1,
        "not_before": milliseconds(transaction.now),
    }
    move(transaction, request_id, before="dead", to="queued", **columns)
    transaction.audit("request-retried", actor=f"person:{by}", request_id=request_id)


def _conflict(what: str, got: str) -> ConflictError:
    return ConflictError(expected(what, got=got, remedy="look at the request"))
