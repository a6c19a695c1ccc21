"""Alertmanager's webhook, version 4: what it sends, and the triggers in it.

Source: https://prometheus.io/docs/alerting/latest/configuration/#webhook_config. Newer releases add fields, so unknown
ones are ignored; those that we read are strictly typed. `commonLabels` of a group of one alert shows all of its labels:
each alert's own are read.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from monitoring.recertification_webhook import labels
from monitoring.recertification_webhook.labels import Skipped, trigger_of
from monitoring.recertification_webhook.limits import MOST_ALERTS
from monitoring.recertification_webhook.trigger import Trigger

Fingerprint = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{1,64}$")]
Labels = Annotated[dict[str, str], Field(max_length=200)]


def whole(value: object) -> object:
    """3.0 as 3, since JSON knows one kind of number; anything else as it is."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


Count = Annotated[int, Field(ge=0), BeforeValidator(whole)]


class DeliveredPart(BaseModel):
    """Part of a delivery: frozen, strict, unknown fields ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True, allow_inf_nan=False)


class AlertmanagerAlert(DeliveredPart):
    """One alert of a group."""

    status: Literal["firing", "resolved"]
    labels: Labels
    annotations: Labels = Field(default_factory=dict)
    startsAt: AwareDatetime
    fingerprint: Fingerprint


class AlertmanagerDelivery(DeliveredPart):
    """One group of alerts."""

    version: Literal["4"]
    groupKey: str = ""
    truncatedAlerts: Count = 0
    alerts: Annotated[list[AlertmanagerAlert], Field(max_length=MOST_ALERTS)]


def read_alert(alert: AlertmanagerAlert, *, received_at: datetime) -> Trigger | Skipped:
    """The trigger that an alert is, or why it is none."""
    common = labels.Alert(
        labels=alert.labels,
        annotations=alert.annotations,
        fingerprint=alert.fingerprint,
        starts_at=alert.startsAt,
        resolved=alert.status == "resolved",
    )
    return trigger_of(common, source="alert", received_at=received_at)
