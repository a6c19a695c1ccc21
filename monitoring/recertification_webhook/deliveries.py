"""The three ways in which triggers are delivered; each is answered by 202 once everything in it is committed."""

from __future__ import annotations

import contextlib
import json
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel

from monitoring.recertification_webhook import alertmanager, cloudevents, grafana
from monitoring.recertification_webhook.alertmanager import AlertmanagerAlert, AlertmanagerDelivery
from monitoring.recertification_webhook.answers import DeliveryAnswer, OutcomeAnswer
from monitoring.recertification_webhook.authentication import Caller, Scope
from monitoring.recertification_webhook.cloudevents import BINARY, STRUCTURED, CloudEvent, EventData
from monitoring.recertification_webhook.desk import Desk
from monitoring.recertification_webhook.documented import WITH_BODY, documented, refusals
from monitoring.recertification_webhook.grafana import GrafanaAlert, GrafanaDelivery
from monitoring.recertification_webhook.labels import Skipped, moment
from monitoring.recertification_webhook.limits import JSON_TYPES, parse, read_body, require_type
from monitoring.recertification_webhook.log import tell
from monitoring.recertification_webhook.refusal import RefusalBody
from monitoring.recertification_webhook.requests import Offer
from monitoring.recertification_webhook.trigger import Source, Trigger

BODIES = (AlertmanagerDelivery, GrafanaDelivery, CloudEvent, EventData, RefusalBody)
CONDITIONS: dict[type[BaseModel], dict[str, Any]] = {CloudEvent: cloudevents.CONDITION}
_RESPONSES = refusals(*WITH_BODY, 401, 403, 503)


def router(desk: Desk) -> APIRouter:
    """The routes."""
    routes = APIRouter(tags=["deliveries"])
    for add in (_alertmanager, _grafana, _cloudevents):
        add(routes, desk)
    return routes


def _alertmanager(routes: APIRouter, desk: Desk) -> None:
    @routes.post(
        "/v1/alertmanager",
        status_code=202,
        response_model=DeliveryAnswer,
        responses=_RESPONSES,
        openapi_extra=documented(Scope.DELIVER, dict.fromkeys(JSON_TYPES, AlertmanagerDelivery)),
        dependencies=[Depends(desk.admits(Scope.DELIVER))],
    )
    async def deliver_alertmanager(request: Request) -> Response:
        """Takes a group of alerts from Alertmanager (webhook version 4); what is not for us is ignored."""
        require_type(request, *JSON_TYPES)
        delivery = parse(AlertmanagerDelivery, await read_body(request))
        read = [alertmanager.read_alert(alert, received_at=desk.clock()) for alert in delivery.alerts]
        return await take(desk, "alert", read, _episodes(delivery.alerts), truncated=delivery.truncatedAlerts)


def _grafana(routes: APIRouter, desk: Desk) -> None:
    @routes.post(
        "/v1/grafana",
        status_code=202,
        response_model=DeliveryAnswer,
        responses=_RESPONSES,
        openapi_extra=documented(Scope.DELIVER, dict.fromkeys(JSON_TYPES, GrafanaDelivery)),
        dependencies=[Depends(_grafana_caller(desk))],
    )
    async def deliver_grafana(request: Request) -> Response:
        """Takes a group of alerts from Grafana's unified alerting; signed where a secret is configured."""
        require_type(request, *JSON_TYPES)
        body = await read_body(request)
        signed = desk.signatures and desk.signatures.claim(request.headers, body)
        with signed or contextlib.nullcontext():
            delivery = parse(GrafanaDelivery, body)
            read = [grafana.read_alert(alert, received_at=desk.clock()) for alert in delivery.alerts]
            return await take(desk, "grafana", read, _episodes(delivery.alerts), truncated=delivery.truncatedAlerts)


def _cloudevents(routes: APIRouter, desk: Desk) -> None:
    @routes.post(
        "/v1/cloudevents",
        status_code=202,
        response_model=DeliveryAnswer,
        responses=_RESPONSES,
        openapi_extra=documented(Scope.DELIVER, {STRUCTURED: CloudEvent}),
        dependencies=[Depends(desk.admits(Scope.DELIVER))],
    )
    async def deliver_cloudevent(request: Request) -> Response:
        """Takes one CloudEvent 1.0: structured as below, or binary, with its attributes in headers (ce-specversion,
        ce-id, ce-source, ce-type) and EventData as the body, of type application/json.
        """
        kind = require_type(request, STRUCTURED, BINARY)
        body = await read_body(request)
        if kind == STRUCTURED:
            event = cloudevents.read_structured(body, received_at=desk.clock())
        else:
            event = cloudevents.read_binary(request.headers, body, received_at=desk.clock())
        return await take(desk, "cloudevent", [event.outcome], [event.episode])


async def take(
    desk: Desk, source: Source, read: Sequence[Trigger | Skipped], episodes: Sequence[str], *, truncated: int = 0
) -> Response:
    """Offers what is a trigger, and says what was done with each part of the delivery."""
    triggers = [one for one in read if isinstance(one, Trigger)]
    offers = iter(await desk.ask(lambda: desk.controller.offer(triggers)) if triggers else ())
    outcomes = tuple(
        skipped(one, episode) if isinstance(one, Skipped) else offered(one, next(offers))
        for one, episode in zip(read, episodes, strict=True)
    )
    for result, number in Counter(one.result for one in read if isinstance(one, Skipped)).items():
        desk.counts.add(source, result, number)
    results = Counter(one.result for one in outcomes)
    level = logging.WARNING if truncated else logging.INFO  # what was cut off never comes
    tell("delivery", level=level, source=source, truncated=truncated, results=json.dumps(results))
    return Response(DeliveryAnswer(alerts=outcomes).model_dump_json(), status_code=202, media_type="application/json")


def offered(trigger: Trigger, offer: Offer) -> OutcomeAnswer:
    """What was done with a trigger."""
    return OutcomeAnswer(
        episode=trigger.episode,
        result=offer.result,
        model=trigger.model,
        version=trigger.version,
        request_id=offer.request_id,
        state=offer.state,
    )


def skipped(one: Skipped, episode: str) -> OutcomeAnswer:
    """Why an alert was no trigger."""
    return OutcomeAnswer(episode=episode, result=one.result, detail=one.why)


def _grafana_caller(desk: Desk) -> Callable[[Request], Awaitable[Caller | None]]:
    """Who delivers from Grafana: by token, or nobody yet where the signature of the body will tell."""

    async def admit(request: Request) -> Caller | None:
        if desk.signatures is None:
            return desk.gate.admit(request.headers, Scope.DELIVER, method=request.method)
        desk.gate.refuse_foreign_pages(request.headers, method=request.method)
        return None

    return admit


def _episodes(alerts: Sequence[AlertmanagerAlert | GrafanaAlert]) -> list[str]:
    return [f"{alert.fingerprint}:{moment(alert.startsAt)}" for alert in alerts]
