"""GET /: the status page."""

from __future__ import annotations

from collections.abc import Sequence

from fastapi import APIRouter, Depends
from fastapi.responses import HTMLResponse

from monitoring.recertification_webhook.authentication import Scope
from monitoring.recertification_webhook.desk import Desk
from monitoring.recertification_webhook.documented import documented, refusals
from monitoring.recertification_webhook.page import CONTENT_SECURITY_POLICY, status_page
from monitoring.recertification_webhook.requests import Figures, Readiness, RequestView

SHOWN = 100
HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
}


def router(desk: Desk) -> APIRouter:
    """The route."""
    routes = APIRouter(tags=["page"])

    @routes.get(
        "/",
        response_class=HTMLResponse,
        responses=refusals(401, 403, 503),
        openapi_extra=documented(Scope.READ),
        dependencies=[Depends(desk.admits(Scope.READ))],
    )
    async def show_page() -> HTMLResponse:
        """What the controller does now, for people; it runs no script and loads nothing."""
        requests, figures, readiness = await desk.ask(lambda: _look(desk))
        return HTMLResponse(status_page(requests, figures, readiness, now=desk.clock()), headers=HEADERS)

    return routes


def _look(desk: Desk) -> tuple[Sequence[RequestView], Figures, Readiness]:
    return desk.controller.requests(limit=SHOWN), desk.controller.figures(), desk.controller.readiness()
