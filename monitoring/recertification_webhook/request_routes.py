"""/v1/requests: what the controller does and did, and what a person or a schedule asks of it."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Header, Path, Query, Request, Response
from pydantic import Field, StringConstraints

from monitoring.recertification_webhook.alertmanager import DeliveredPart
from monitoring.recertification_webhook.answers import (
    AuditAnswer,
    HistoryAnswer,
    OutcomeAnswer,
    RequestAnswer,
    RequestsAnswer,
)
from monitoring.recertification_webhook.authentication import Caller, Scope
from monitoring.recertification_webhook.deliveries import offered
from monitoring.recertification_webhook.desk import Desk
from monitoring.recertification_webhook.documented import WITH_BODY, documented, refusals
from monitoring.recertification_webhook.labels import ReasonCode, one_line
from monitoring.recertification_webhook.limits import JSON_TYPES, parse, read_body, require_type
from monitoring.recertification_webhook.log import tell
from monitoring.recertification_webhook.refusal import RefusalError
from monitoring.recertification_webhook.requests import State
from monitoring.recertification_webhook.trigger import LONGEST_TEXT, MODEL, VERSION, Trigger
from robustcert.errors import expected

MOST_LISTED = 500

ModelName = Annotated[str, StringConstraints(pattern=f"^{MODEL.pattern}$")]
RequestId = Annotated[str, Path(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$", description="Id of a request.")]
Key = Annotated[
    str,
    Header(
        alias="Idempotency-Key",
        pattern=r"^[A-Za-z0-9._:/+=-]{1,100}$",
        description="The same key for the same model version is the same request, however often it is sent.",
    ),
]


class RequestBody(DeliveredPart):
    """A recertification that a person or a schedule asks for."""

    model: ModelName
    version: Annotated[
        str,
        StringConstraints(pattern=f"^{VERSION.pattern}$"),
        Field(description="12 hexadecimal digits; the one in force where empty."),
    ] = ""
    source: Literal["manual", "schedule"] = "manual"
    reason: ReasonCode | None = None
    text: Annotated[str, StringConstraints(max_length=LONGEST_TEXT)] = ""
    suspend: Annotated[bool, Field(description="Suspend the certificate in force too.")] = False


BODIES = (RequestBody,)


def router(desk: Desk) -> APIRouter:
    """The routes."""
    routes = APIRouter(tags=["requests"], prefix="/v1/requests")
    for add in (_list, _show, _history, _create, _cancel, _retry):
        add(routes, desk)
    return routes


def _list(routes: APIRouter, desk: Desk) -> None:
    @routes.get(
        "",
        response_model=RequestsAnswer,
        responses=refusals(400, 401, 403, 404, 503),
        openapi_extra=documented(Scope.READ),
        dependencies=[Depends(desk.admits(Scope.READ))],
    )
    async def list_requests(
        state: Annotated[State | None, Query(description="Only those in this state.")] = None,
        model: Annotated[ModelName | None, Query(description="Only those of this model.")] = None,
        after: Annotated[
            str | None, Query(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$", description="`next` of the page before.")
        ] = None,
        limit: Annotated[int, Query(ge=1, le=MOST_LISTED)] = 100,
    ) -> Response:
        """Requests, the newest first."""
        found = await desk.ask(lambda: desk.controller.requests(state=state, model=model, after=after, limit=limit + 1))
        page = tuple(map(RequestAnswer.model_validate, found[:limit]))
        answer = RequestsAnswer(requests=page, next=page[-1].id if len(found) > limit else None)
        return Response(answer.model_dump_json(), media_type="application/json")


def _show(routes: APIRouter, desk: Desk) -> None:
    @routes.get(
        "/{request_id}",
        response_model=RequestAnswer,
        responses=refusals(400, 401, 403, 404, 503),
        openapi_extra=documented(Scope.READ),
        dependencies=[Depends(desk.admits(Scope.READ))],
    )
    async def show_request(request_id: RequestId) -> RequestAnswer:
        """One request."""
        found = await desk.ask(lambda: desk.controller.request(request_id))
        if found is None:
            raise _unknown()
        return RequestAnswer.model_validate(found)


def _history(routes: APIRouter, desk: Desk) -> None:
    @routes.get(
        "/{request_id}/history",
        response_model=HistoryAnswer,
        responses=refusals(400, 401, 403, 404, 503),
        openapi_extra=documented(Scope.READ),
        dependencies=[Depends(desk.admits(Scope.READ))],
    )
    async def show_history(request_id: RequestId) -> HistoryAnswer:
        """What the audit log says about a request."""
        if await desk.ask(lambda: desk.controller.request(request_id)) is None:
            raise _unknown()
        entries = await desk.ask(lambda: desk.controller.history(request_id))
        return HistoryAnswer(entries=tuple(map(AuditAnswer.model_validate, entries)))


def _create(routes: APIRouter, desk: Desk) -> None:
    operator = Depends(desk.admits(Scope.OPERATE))

    @routes.post(
        "",
        status_code=202,
        response_model=OutcomeAnswer,
        responses=refusals(*WITH_BODY, 401, 403, 503),
        openapi_extra=documented(Scope.OPERATE, dict.fromkeys(JSON_TYPES, RequestBody)),
    )
    async def create_request(request: Request, key: Key, caller: Caller = operator) -> Response:
        """Asks for a recertification; answered once it is committed."""
        require_type(request, *JSON_TYPES)
        wanted = trigger_of(parse(RequestBody, await read_body(request)), key=key, caller=caller, desk=desk)
        (offer,) = await desk.ask(lambda: desk.controller.offer([wanted]))
        tell("request", source=wanted.source, model=wanted.model, result=offer.result, by=caller.name)
        place = {"Location": f"/v1/requests/{offer.request_id}"} if offer.request_id else {}
        body = offered(wanted, offer).model_dump_json()
        return Response(body, status_code=202, media_type="application/json", headers=place)


def _cancel(routes: APIRouter, desk: Desk) -> None:
    operator = Depends(desk.admits(Scope.OPERATE))

    @routes.post(
        "/{request_id}/cancel",
        response_model=RequestAnswer,
        responses=refusals(400, 401, 403, 404, 409, 503),
        openapi_extra=documented(Scope.OPERATE),
    )
    async def cancel_request(request_id: RequestId, caller: Caller = operator) -> RequestAnswer:
        """Ends an open request."""
        done = await desk.ask(lambda: desk.controller.cancel(request_id, by=caller.name))
        tell("cancelled", request=request_id, by=caller.name)
        return RequestAnswer.model_validate(done)


def _retry(routes: APIRouter, desk: Desk) -> None:
    operator = Depends(desk.admits(Scope.OPERATE))

    @routes.post(
        "/{request_id}/retry",
        response_model=RequestAnswer,
        responses=refusals(400, 401, 403, 404, 409, 503),
        openapi_extra=documented(Scope.OPERATE),
    )
    async def retry_request(request_id: RequestId, caller: Caller = operator) -> RequestAnswer:
        """Queues a dead request again."""
        done = await desk.ask(lambda: desk.controller.retry(request_id, by=caller.name))
        tell("queued again", request=request_id, by=caller.name)
        return RequestAnswer.model_validate(done)


def trigger_of(body: RequestBody, *, key: str, caller: Caller, desk: Desk) -> Trigger:
    """The trigger that a request is; one key is one episode for each model version."""
    return Trigger(
        source=body.source,
        model=body.model,
        version=body.version,
        episode=f"{key}:{body.model}:{body.version}",
        reason=body.reason or body.source,
        text=one_line(body.text or f"asked for by {caller.name}"),
        suspend=body.suspend,
        received_at=desk.clock(),
    )


def _unknown() -> RefusalError:
    return RefusalError(
        404, expected("the id of a request", got="one that there is not", remedy="list them: /v1/requests")
    )
