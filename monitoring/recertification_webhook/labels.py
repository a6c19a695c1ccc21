"""From one alert's own labels to a trigger, or to the reason why it is none.

Only `action="recertify"` and `action="suspend"` are for us; everything else is acknowledged and ignored. Values end in
names of runs and in labels of metrics, so each must match its pattern.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from monitoring.recertification_webhook import trigger
from monitoring.recertification_webhook.trigger import MODEL, VERSION, Trigger
from robustcert.errors import without_credentials
from robustcert.recertification import REASONS

ACTIONS = ("recertify", "suspend")
DEFAULT_REASON = "incident"  # of an alert that a person wrote without a label `reason`


@dataclass(frozen=True, kw_only=True)
class Skipped:
    """An alert that becomes no trigger: not for us, or wrong."""

    result: Literal["ignored", "refused"]
    why: str


@dataclass(frozen=True, kw_only=True)
class Alert:
    """What both kinds of alert have in common."""

    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    fingerprint: str
    starts_at: datetime
    resolved: bool


def trigger_of(alert: Alert, *, source: Literal["alert", "grafana"], received_at: datetime) -> Trigger | Skipped:
    """The trigger that an alert is; its episode is its fingerprint and the moment it began."""
    action = alert.labels.get("action", "")
    if action not in ACTIONS:
        return Skipped(result="ignored", why="no label action=recertify or action=suspend")
    model, version = alert.labels.get("model", ""), alert.labels.get("version", "")
    reason = alert.labels.get("reason", DEFAULT_REASON)
    if wrong := wrong_label(model=model, version=version, reason=reason):
        return Skipped(result="refused", why=f"label {wrong} is missing or has a form that it may not have")
    return Trigger(
        source=source,
        model=model,
        version=version,
        episode=f"{alert.fingerprint}:{moment(alert.starts_at)}",
        reason=reason,
        text=_text(alert),
        condition=alert.fingerprint,
        suspend=action == "suspend",
        resolved=alert.resolved,
        received_at=received_at,
    )


def known_reason(code: str) -> str:
    """The code; ValueError where no reason has it."""
    if code not in REASONS:
        raise ValueError("a code of robustcert/recertification.py")
    return code


ReasonCode = Annotated[str, AfterValidator(known_reason), Field(json_schema_extra={"enum": sorted(REASONS)})]


def wrong_label(*, model: str, version: str, reason: str) -> str:
    """The name of the first label that no trigger may have; empty where all are right."""
    right = {"model": MODEL.fullmatch(model), "version": VERSION.fullmatch(version), "reason": reason in REASONS}
    return next((name for name, holds in right.items() if not holds), "")


def moment(at: datetime) -> str:
    """UTC to the microsecond, so that one instant is one text in whatever zone it was written.

    >>> moment(datetime.fromisoformat("2026-11-21T14:05:11.5+01:00"))
    '2026-11-21T13:05:11.500000Z'
    """
    try:
        return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    except OverflowError:  # in UTC it lies before the year 1 or after 9999
        return at.isoformat()


def one_line(text: str) -> str:
    r"""A sender's text on one line, cut, and without the credentials of addresses in it.

    >>> one_line("PSI 0.4\nsee https://ann:word@example.org")
    'PSI 0.4 see https://***@example.org'
    """
    return trigger.one_line(without_credentials(text[:10_000]))


def _text(alert: Alert) -> str:
    summary = alert.annotations.get("summary") or alert.annotations.get("description") or ""
    name = alert.labels.get("alertname", "")
    return one_line(": ".join(part for part in (name, summary) if part)) or "an alert without a summary"
