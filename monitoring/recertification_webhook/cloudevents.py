"""CloudEvents 1.0 over HTTP, structured (application/cloudevents+json) and binary (headers ce-*).

Source: https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md. An event is one
episode by its `source` and `id`, which the specification makes unique. Its data is JSON with the fields of EventData.
Three types are for us:

    io.robustcert.model.registered     a new version was registered            reason new-version
    io.robustcert.drift.detected       something outside observed drift        reason input-drift
    io.robustcert.incident.reported    a person or a system reports harm       reason incident
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal, TypeAlias
from urllib.parse import unquote

from pydantic import JsonValue, StringConstraints

from monitoring.recertification_webhook.alertmanager import DeliveredPart
from monitoring.recertification_webhook.labels import ReasonCode, Skipped, one_line
from monitoring.recertification_webhook.limits import parse
from monitoring.recertification_webhook.refusal import RefusalError
from monitoring.recertification_webhook.trigger import MODEL, VERSION, Trigger
from robustcert.errors import expected

STRUCTURED = "application/cloudevents+json"
BINARY = "application/json"

Source: TypeAlias = Literal["new-version", "cloudevent"]
KNOWN: dict[str, tuple[Source, str]] = {
    "io.robustcert.model.registered": ("new-version", "new-version"),
    "io.robustcert.drift.detected": ("cloudevent", "input-drift"),
    "io.robustcert.incident.reported": ("cloudevent", "incident"),
}

Attribute = Annotated[str, StringConstraints(min_length=1, max_length=1024)]


class EventData(DeliveredPart):
    """The data of an event that is for us."""

    model: Annotated[str, StringConstraints(pattern=f"^{MODEL.pattern}$")]
    version: Annotated[str, StringConstraints(pattern=f"^{VERSION.pattern}$")] = ""
    reason: ReasonCode | None = None
    text: str = ""
    suspend: bool = False


class CloudEvent(DeliveredPart):
    """An event in structured mode; extension attributes are ignored."""

    specversion: Literal["1.0"]
    id: Attribute
    source: Attribute
    type: Attribute
    data: JsonValue = None


# What pydantic's schema of CloudEvent can't say: data of a type that is for us is EventData.
CONDITION: dict[str, Any] = {
    "if": {"properties": {"type": {"enum": sorted(KNOWN)}}},
    "then": {"required": ["data"], "properties": {"data": {"$ref": "#/components/schemas/EventData"}}},
}


class _Envelope(DeliveredPart):
    """The data of an event that is for us, typed."""

    data: EventData


@dataclass(frozen=True, kw_only=True)
class Event:
    """What both modes say: which event, and what in it is for us."""

    episode: str
    outcome: Trigger | Skipped


def read_structured(body: bytes, *, received_at: datetime) -> Event:
    """The event in a body of STRUCTURED; RefusalError (400) where it is none."""
    event = parse(CloudEvent, body)
    data = parse(_Envelope, body, name=CloudEvent.__name__).data if event.type in KNOWN else None
    return _event(event, data, received_at=received_at)


def read_binary(headers: Mapping[str, str], body: bytes, *, received_at: datetime) -> Event:
    """The event in headers ce-* and a body of BINARY; RefusalError (400) where it is none."""
    event = parse(CloudEvent, _attributes(headers))
    data = parse(EventData, body) if event.type in KNOWN else None
    return _event(event, data, received_at=received_at)


def _attributes(headers: Mapping[str, str]) -> bytes:
    """The context attributes in the headers, percent-decoded, as JSON."""
    names = ("specversion", "id", "source", "type")
    given = {name: headers.get(f"ce-{name}") for name in names}
    missing = [name for name, value in given.items() if value is None]
    if missing:
        remedy = f"add it, or send {STRUCTURED}"
        raise RefusalError(400, expected(f"the header ce-{missing[0]}", got="none", remedy=remedy))
    return json.dumps({name: unquote(value or "") for name, value in given.items()}).encode()


def _event(event: CloudEvent, data: EventData | None, *, received_at: datetime) -> Event:
    episode = "event:" + hashlib.sha256(f"{event.source}\0{event.id}".encode()).hexdigest()
    if data is None:
        return Event(episode=episode, outcome=Skipped(result="ignored", why="no type that is for us"))
    source, reason = KNOWN[event.type]
    trigger = Trigger(
        source=source,
        model=data.model,
        version=data.version,
        episode=episode,
        reason=data.reason or reason,
        text=one_line(data.text) or one_line(f"{event.type} from {event.source}"),
        suspend=data.suspend,
        received_at=received_at,
    )
    return Event(episode=episode, outcome=trigger)
