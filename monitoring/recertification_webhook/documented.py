"""What /openapi.json says about a route beyond what FastAPI sees: bodies read by ourselves, refusals, scopes."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from monitoring.recertification_webhook.authentication import Scope
from monitoring.recertification_webhook.refusal import RefusalBody

REFUSALS = {
    400: "The body or a parameter is not of the documented form.",
    401: "No known token, or no valid signature.",
    403: "The token lacks the scope, or a page of another origin asks.",
    404: "There is no such request.",
    408: "The body did not arrive in time.",
    409: "The request is not in a state in which that can be done.",
    413: "The body is too large.",
    415: "The body is of another type.",
    503: "The database can't be written at the moment; send the same again.",
}
WITH_BODY = (400, 408, 413, 415)
_PLACE = "#/components/schemas/{model}"
_CONTENT = {"application/json": {"schema": {"$ref": _PLACE.format(model=RefusalBody.__name__)}}}


def refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """`responses` of a route for these statuses and those that every route has."""
    known: dict[int | str, dict[str, Any]] = {
        status: {"description": REFUSALS[status], "content": _CONTENT} for status in statuses
    }
    for status in {401, 503} & {*statuses}:
        name = {401: "WWW-Authenticate", 503: "Retry-After"}[status]
        known[status]["headers"] = {name: {"schema": {"type": "string"}}}
    return known


def documented(scope: Scope | None, bodies: dict[str, type[BaseModel]] | None = None) -> dict[str, Any]:
    """`openapi_extra` of a route: what a caller needs, and media type -> model of its body."""
    extra: dict[str, Any] = {}
    if scope is not None:
        extra["security"] = [{"bearer": []}, {"basic": []}, {"clientCertificate": []}]
        extra["x-scope"] = scope.value
    if bodies:
        content = {kind: {"schema": {"$ref": _PLACE.format(model=model.__name__)}} for kind, model in bodies.items()}
        extra["requestBody"] = {"required": True, "content": content}
    return extra


def complete(
    app: FastAPI, models: tuple[type[BaseModel], ...], conditions: dict[type[BaseModel], dict[str, Any]]
) -> dict[str, Any]:
    """The OpenAPI document of `app` with the models of its bodies, conditions on them, and the ways to say who asks."""
    if app.openapi_schema is None:
        document = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
        _, bodies = models_json_schema([(model, "validation") for model in models], ref_template=_PLACE)
        components = document.setdefault("components", {})
        components["schemas"] = dict(sorted({**components.get("schemas", {}), **bodies["$defs"]}.items()))
        for model, condition in conditions.items():
            components["schemas"][model.__name__] |= condition
        components["securitySchemes"] = {
            "bearer": {"type": "http", "scheme": "bearer"},
            "basic": {"type": "http", "scheme": "basic", "description": "Any user name; the token is the password."},
            "clientCertificate": {"type": "mutualTLS"},
        }
        app.openapi_schema = _without_fastapi_s_own(document)
    return app.openapi_schema


def _without_fastapi_s_own(document: dict[str, Any]) -> dict[str, Any]:
    """Without the answer 422 that FastAPI announces for parameters: ours is 400."""
    for path in document["paths"].values():
        for route in path.values():
            route["responses"].pop("422", None)
    for name in ("HTTPValidationError", "ValidationError"):
        document["components"]["schemas"].pop(name, None)
    return document
