"""The FastAPI application: routes, health, and one line of JSON for whatever is refused."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute, Route

from monitoring.recertification_webhook import deliveries, page_route, request_routes
from monitoring.recertification_webhook.answers import HealthAnswer, ReadinessAnswer
from monitoring.recertification_webhook.desk import Desk
from monitoring.recertification_webhook.documented import complete
from monitoring.recertification_webhook.log import tell
from monitoring.recertification_webhook.refusal import RefusalBody, RefusalError
from monitoring.recertification_webhook.requests import ConflictError, UnknownRequestError
from robustcert import __version__
from robustcert.errors import expected

# Path -> the source under which its refusals are counted; all others are those of "api".
SOURCES = {
    "/v1/alertmanager": "alert",
    "/v1/grafana": "grafana",
    "/v1/cloudevents": "cloudevent",
    "/v1/requests": "manual",
}
LOOP_SECONDS = 300.0  # the least age of the loop at which we are no longer ready
LOOP_PASSES = 10  # and how many of its intervals it may be late

DESCRIPTION = "From triggers to exactly one recertification for each episode and model version."


def make_app(desk: Desk, *, late_after_seconds: float = LOOP_SECONDS) -> FastAPI:
    """The application; pages that load scripts from elsewhere (FastAPI's own documentation) are left out."""
    app = FastAPI(
        title="Robustcert recertification controller",
        version=__version__,
        description=DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    health = _health(desk, late_after_seconds=late_after_seconds)
    routers = (deliveries.router(desk), request_routes.router(desk), page_route.router(desk), health)
    for router in routers:
        app.include_router(router)
    _add_refusals(app, desk, [route for router in routers for route in router.routes])
    models = (*deliveries.BODIES, *request_routes.BODIES)
    app.openapi = lambda: complete(app, models, deliveries.CONDITIONS)  # type: ignore[method-assign]
    return app


def _health(desk: Desk, *, late_after_seconds: float) -> APIRouter:
    routes = APIRouter(tags=["health"])

    @routes.get("/healthz")
    async def healthz() -> HealthAnswer:
        """The process answers."""
        return HealthAnswer(status="ok")

    not_ready: dict[int | str, Any] = {503: {"model": ReadinessAnswer | RefusalBody, "description": "Not ready."}}

    @routes.get("/readyz", responses=not_ready)
    async def readyz(response: Response) -> ReadinessAnswer:
        """Whether the database can be written and the loop goes round."""
        found = await desk.ask(desk.controller.readiness)
        age = found.loop_age_seconds
        ready = found.database_writable and age <= late_after_seconds
        response.status_code = 200 if ready else 503
        return ReadinessAnswer(
            ready=ready,
            database_writable=found.database_writable,
            loop_age_seconds=round(age, 3) if math.isfinite(age) else None,
        )

    return routes


def _add_refusals(app: FastAPI, desk: Desk, routes: Sequence[BaseRoute]) -> None:
    """One line of JSON, one in the log, and one more in the count for whatever is not answered as asked."""

    async def refuse(request: Request, error: Exception) -> Response:
        refusal = as_refusal(error)
        if refusal.status == 405:
            refusal.headers["Allow"] = ", ".join(allowed(request.url.path, routes))
        _note(desk, request, refusal)
        return JSONResponse({"error": str(refusal)}, status_code=refusal.status, headers=refusal.headers)

    for kind in (RefusalError, RequestValidationError, HTTPException, UnknownRequestError, ConflictError, Exception):
        app.add_exception_handler(kind, refuse)


def as_refusal(error: Exception) -> RefusalError:
    """What the sender is told of an error."""
    if isinstance(error, RefusalError):
        return error
    if isinstance(error, RequestValidationError):
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"][:2]))
        remedy = "see /openapi.json"
        return RefusalError(400, expected(f"{place} as documented", got=first["type"], remedy=remedy))
    if isinstance(error, UnknownRequestError | ConflictError):
        return RefusalError(404 if isinstance(error, UnknownRequestError) else 409, str(error))
    if isinstance(error, HTTPException):
        got = f"one that answers {error.status_code}"
        message = expected("a documented path and method", got=got, remedy="see /openapi.json")
        return RefusalError(error.status_code, message, headers=error.headers)
    return RefusalError(500, "an error on our side; the controller's log has it under the same time")


def allowed(path: str, routes: Sequence[BaseRoute]) -> list[str]:
    """The methods of a path, of all routes that have it; Starlette tells those of the first."""
    found = [route.methods or set() for route in routes if isinstance(route, Route) and route.path_regex.match(path)]
    return sorted({method for methods in found for method in methods})


def _note(desk: Desk, request: Request, refusal: RefusalError) -> None:
    source = SOURCES.get(request.url.path, "api") if request.method == "POST" else "api"
    desk.counts.add(source, "refused")
    tell(
        "refused",
        level=logging.WARNING,
        source=source,
        status=refusal.status,
        method=request.method,
        client=request.client.host if request.client else "",
        why=str(refusal),
    )
