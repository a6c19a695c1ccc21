"""The window that a recertification is judged on besides the certified test data: that of the newest drift record."""

from __future__ import annotations

from collections.abc import Sequence

from monitoring.recertification_webhook.context import Context
from monitoring.recertification_webhook.fleet import InForce
from robustcert.drift.record import newest_record
from robustcert.errors import VerificationError

BY_DRIFT = frozenset({"input-drift", "output-drift", "abstention", "accuracy", "data-quality"})


def window_for(context: Context, in_force: InForce, codes: Sequence[str]) -> tuple[str, str]:
    """Place and SHA-256 of the window, empty texts for none.

    Only where drift is a reason, the record is signed by a trusted key, and the window is one file with labels that the
    backend can read: pods see no path of this machine.
    """
    if not BY_DRIFT & set(codes):
        return "", ""
    try:
        record = newest_record(context.store, in_force.model, in_force.model_sha256, keys=context.keys)
    except VerificationError:
        context.errors["drift-record"] += 1
        return "", ""
    if record is None or not record.window.sha256 or not record.window.labelled:
        return "", ""
    remote = record.window.source.startswith("s3://")
    if context.settings.backend.kubeflow is not None and not remote:
        return "", ""
    return record.window.source, record.window.sha256
