"""The window that a recertification is judged on besides the certified test data: that of the newest drift record."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from monitoring.recertification_webhook.context import Context
from monitoring.recertification_webhook.fleet import InForce
from robustcert.drift.record import DriftRecord, newest_record, parse_record, record_folder
from robustcert.errors import VerificationError

DRIFTED = ("drifted", "gross")
MOST_RECORDS = 100  # that are looked through for labels, the newest first
BY_DRIFT = frozenset({"input-drift", "output-drift", "abstention", "accuracy", "data-quality"})
DOUBTED = BY_DRIFT | {"incident"}  # reasons of a suspension that repeating the certified test alone can't answer


def window_for(
    context: Context, in_force: InForce, codes: Sequence[str], *, since: datetime | None = None
) -> tuple[str, str]:
    """Place and SHA-256 of the window, empty texts for none.

    Only where drift is a reason, the record is signed by a trusted key, and the window is one file with labels that the
    backend can read: pods see no path of this machine. With `since`, the newest of those that drifted since the
    certificate was issued, or were judged later.
    """
    if not BY_DRIFT & set(codes):
        return "", ""
    records = _newest(context, in_force) if since is None else _of_this_drift(context, in_force, since)
    found = next((record for record in records if _usable(context, record)), None)
    return ("", "") if found is None else (found.window.place, found.window.sha256)


def _newest(context: Context, in_force: InForce) -> Iterator[DriftRecord]:
    try:
        record = newest_record(context.store, in_force.model, in_force.model_sha256, keys=context.keys)
    except VerificationError:
        context.errors["drift-record"] += 1
        return
    if record is not None:
        yield record


def _of_this_drift(context: Context, in_force: InForce, since: datetime) -> Iterator[DriftRecord]:
    """The newest first; not the newest alone, since labels come late and later windows have none yet.

    An older certificate's drift was answered by the one in force, and says nothing of what drifts now.
    """
    folder = record_folder(in_force.model, in_force.model_sha256)
    for name in sorted(context.store.list_documents(folder), reverse=True)[:MOST_RECORDS]:
        try:
            record = parse_record(context.store.read_document(name) or b"", keys=context.keys)
        except VerificationError:
            continue
        judged = datetime.fromisoformat(record.evaluated_at)
        if judged >= since or (record.verdict in DRIFTED and judged > in_force.certified_at):
            yield record


def _usable(context: Context, record: DriftRecord) -> bool:
    remote = record.window.place.startswith("s3://")
    readable = remote or context.settings.backend.kubeflow is None
    return bool(record.window.place and record.window.sha256 and record.window.labelled and readable)
