"""What the interface answers with; the names that /openapi.json shows."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer
from pydantic.alias_generators import to_camel

from monitoring.recertification_webhook.requests import State
from robustcert.document import rfc3339

Moment = Annotated[datetime, PlainSerializer(rfc3339, return_type=str)]


class Answer(BaseModel):
    """Part of an answer; JSON names are lowerCamelCase."""

    model_config = ConfigDict(
        frozen=True,
        from_attributes=True,
        alias_generator=to_camel,
        validate_by_name=True,
        serialize_by_alias=True,
        json_schema_serialization_defaults_required=True,
    )


class OutcomeAnswer(Answer):
    """What was done with one alert or event."""

    episode: str = Field(description="What makes two deliveries of it the same.")
    result: str = Field(description="queued, merged, duplicate, delayed, escalated, resolved, ignored or refused.")
    model: str = ""
    version: str = ""
    request_id: str | None = None
    state: Annotated[str, Field(description="State of the request after this.")] = ""
    detail: Annotated[str, Field(description="Why it was ignored or refused.")] = ""


class DeliveryAnswer(Answer):
    """One outcome for each alert or event, in the order of the delivery; committed when this is sent."""

    alerts: tuple[OutcomeAnswer, ...]


class RequestAnswer(Answer):
    """One recertification request; texts are empty where nothing is known yet."""

    id: str
    model: str
    version: str = Field(description="First 12 hexadecimal digits of the model's SHA-256.")
    certificate_sha256: str = Field(description="The certificate to replace.")
    reasons: tuple[str, ...]
    state: State
    outcome: str
    attempts: int
    created_at: Moment
    updated_at: Moment
    finished_at: Moment | None
    not_before: Moment
    deadline: Moment | None
    run_name: str
    run_id: str
    run_url: str
    certificate: str = Field(description="The new certificate.")
    last_error: str
    suspended: bool = Field(description="Whether the certificate was suspended because of this request.")


class RequestsAnswer(Answer):
    """Requests, the newest first; `next` is the value of `after` for those that follow, null at the end."""

    requests: tuple[RequestAnswer, ...]
    next: str | None


class AuditAnswer(Answer):
    """One entry of the audit log."""

    sequence: int
    at: Moment
    actor: str
    action: str
    request_id: str
    detail: Mapping[str, str]
    sha256: str


class HistoryAnswer(Answer):
    """What the audit log says about a request, the first entry first."""

    entries: tuple[AuditAnswer, ...]


class HealthAnswer(Answer):
    """The process answers."""

    status: str


class ReadinessAnswer(Answer):
    """Whether the database can be written and the loop goes round."""

    ready: bool
    database_writable: bool
    loop_age_seconds: float | None = Field(description="Age of the loop's last finished pass; null before the first.")
