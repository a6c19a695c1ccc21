"""What a body may be: JSON of at most 1 MiB that arrives within ten seconds, counted while it is read.

What a body means is checked after that, by pydantic: at most 200 levels of nesting (its parser's own limit), strict
types, fields that we do not know ignored.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from functools import lru_cache
from typing import TypeVar, get_args

from pydantic import BaseModel, ValidationError
from starlette.requests import ClientDisconnect, Request

from monitoring.recertification_webhook.refusal import RefusalError
from robustcert.errors import expected

MOST_BYTES = 2**20
MOST_DISCARDED_BYTES = 16 * 2**20  # read and forgotten after the limit, so that the sender gets to read our answer
BODY_SECONDS = 10.0
MOST_ALERTS = 1000
JSON_TYPES = ("application/json",)

Model = TypeVar("Model", bound=BaseModel)


def require_type(request: Request, *types: str) -> str:
    """The media type of the body; RefusalError (415) where it is none of `types`."""
    given = request.headers.get("content-type", "")
    kind = given.partition(";")[0].strip().lower()
    if kind not in types:
        wanted = " or ".join(types)
        got = "another" if kind else "none"
        raise RefusalError(415, expected(f"a body of type {wanted}", got=got, remedy="set the header Content-Type"))
    return kind


async def read_body(request: Request, *, most_bytes: int = MOST_BYTES, seconds: float = BODY_SECONDS) -> bytes:
    """The whole body; RefusalError where it is too large (413), too slow (408) or breaks off (400)."""
    _require_length(request.headers.get("content-length"), most_bytes)
    try:
        async with asyncio.timeout(seconds):
            return await _collect(request.stream(), most_bytes)
    except TimeoutError as error:
        what = f"the whole body within {seconds:g} s"
        refusal = RefusalError(408, expected(what, got="a part of it", remedy="send it again"), headers=_CLOSE)
        raise refusal from error
    except ClientDisconnect as error:
        raise RefusalError(400, expected("a whole body", got="a part of it", remedy="send it again")) from error


def parse(model: type[Model], body: bytes, *, name: str = "") -> Model:
    """The body as `model`; RefusalError (400) that names the place of what is wrong, never its value.

    `name` is that of the documented form, where it is not the model's own.
    """
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        raise RefusalError(400, wrong(error, model, name=name)) from error


def wrong(error: ValidationError, model: type[BaseModel], *, name: str = "") -> str:
    """One line about the first of several errors: place and kind. Names and values that the sender chose stay out."""
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    if "recursion limit" in first["msg"]:
        return expected("JSON of at most 200 levels", got="more", remedy="send the documented form, /openapi.json")
    if first["type"] == "json_invalid":
        return expected("JSON", got="bytes that are none", remedy="send the documented form, /openapi.json")
    known = _field_names(model)
    place = ".".join(str(part) if isinstance(part, int) or part in known else "*" for part in first["loc"])
    got = f"{first['type']} at {place or 'the top'} ({error.error_count()} error(s) in all)"
    what = f"a body as {name or model.__name__} in /openapi.json"
    return expected(what, got=got, remedy="correct it and send it again")


_CLOSE = {"Connection": "close"}


def _require_length(declared: str | None, most_bytes: int) -> None:
    """Refuses by the declared length alone what is too much even to read and forget."""
    if declared is not None and declared.isdigit() and int(declared) > most_bytes + MOST_DISCARDED_BYTES:
        raise _too_large(most_bytes)


async def _collect(stream: AsyncIterator[bytes], most_bytes: int) -> bytes:
    """The bytes of the stream; keeps `most_bytes` of them at most, whatever its length was declared to be."""
    body, size = bytearray(), 0
    async for chunk in stream:
        size += len(chunk)
        if size > most_bytes + MOST_DISCARDED_BYTES:
            break
        if size > most_bytes:
            body.clear()
        else:
            body += chunk
    if size > most_bytes:
        raise _too_large(most_bytes)
    return bytes(body)


def _too_large(most_bytes: int) -> RefusalError:
    remedy = "group alerts by model and version, or set max_alerts"
    return RefusalError(413, expected(f"at most {most_bytes} bytes", got="more", remedy=remedy), headers=_CLOSE)


@lru_cache
def _field_names(model: type[BaseModel]) -> frozenset[str]:
    """Names of the fields of a model and of the models in it, as JSON writes them."""
    annotations = [field.annotation for field in model.model_fields.values()]
    inner = [part for annotation in annotations for part in _models(annotation)]
    return frozenset(model.model_fields).union(*map(_field_names, inner))


def _models(annotation: object) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _models(part)
