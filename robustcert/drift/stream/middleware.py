"""ASGI middleware: counts what a server answers, whatever server it is, as long as it speaks the protocol.

Around FastAPI: `app.add_middleware(ObservingMiddleware, observer=observer)`; around any other ASGI application:
`ObservingMiddleware(app, observer=observer)`. It reads requests and responses of the Open Inference Protocol in JSON,
and answers none itself. Looking into them happens after the response was sent, on another thread, so that a fault here
fails no prediction. Each response gets a header `ce-id` with the id that the payload log holds.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from robustcert.drift.stream.observe import Answer, Observer, answers_of_logits, observe, usable_id
from robustcert.drift.stream.open_inference import (
    InferenceRequest,
    Scores,
    input_rows,
    output_scores,
    parse_request,
    parse_response,
)
from robustcert.errors import DataError

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

INFER = re.compile(r"/v2/models/[^/]+(?:/versions/[^/]+)?/infer")
ID_HEADER, SEGMENT_HEADER = b"ce-id", b"robustcert-segment"
MOST_BYTES = 4 << 20
TOO_LARGE, UNREADABLE = "too-large", "unreadable"
SUCCESS, INVALID = range(200, 300), range(400, 500)


@dataclass
class Exchange:
    """One request and its response, as far as they have come; `None` in place of a body that is too large."""

    event_id: str
    segment: str
    most_bytes: int
    status: int = 500
    request: bytearray | None = field(default_factory=bytearray)
    response: bytearray | None = field(default_factory=bytearray)

    def keep(self, part: Literal["request", "response"], chunk: bytes) -> None:
        """Adds a piece of a body, or gives the body up."""
        held: bytearray | None = getattr(self, part)
        if held is not None and len(held) + len(chunk) <= self.most_bytes:
            held += chunk
        else:
            setattr(self, part, None)


class ObservingMiddleware:
    """`scores` says what the model's output of K numbers is; `most_bytes` of a body are looked into."""

    def __init__(
        self,
        app: Application,
        *,
        observer: Observer,
        scores: Literal["logits", "probabilities"] = "logits",
        most_bytes: int = MOST_BYTES,
    ) -> None:
        self.app, self.observer, self.scores, self.most_bytes = app, observer, scores, most_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes everything on, and looks at each request for an inference."""
        if scope["type"] != "http" or scope["method"] != "POST" or not INFER.fullmatch(scope["path"]):
            await self.app(scope, receive, send)
            return
        exchange, started = self._exchange(scope), time.perf_counter()
        try:
            await self.app(scope, _listening(receive, exchange), _telling(send, exchange))
        finally:
            self.observer.counters.took(time.perf_counter() - started)
            await asyncio.to_thread(self.look, exchange)

    def look(self, exchange: Exchange) -> None:
        """Counts one exchange and offers its rows to the log."""
        counters = self.observer.counters
        if exchange.status not in SUCCESS:
            counters.unanswered("invalid" if exchange.status in INVALID else "failed", segment=exchange.segment)
        elif exchange.request is None or exchange.response is None:
            counters.unobserved(TOO_LARGE)
        else:
            try:
                self._observe(exchange, bytes(exchange.request), bytes(exchange.response))
            except DataError:
                counters.unobserved(UNREADABLE)

    def _observe(self, exchange: Exchange, request: bytes, response: bytes) -> None:
        asked = parse_request(request)
        raw_BR = input_rows(asked, self.observer.rows)
        scores = output_scores(parse_response(response), self.observer.reference.classes)
        answers = _answers(scores, probabilities=self.scores == "probabilities")
        if len(answers) != len(raw_BR):
            raise DataError("expected an answer for each row")
        segment = exchange.segment or _segment(asked)
        observe(self.observer, raw_BR, answers, event_id=exchange.event_id, segment=segment)

    def _exchange(self, scope: Scope) -> Exchange:
        headers = dict(scope["headers"])
        event_id = headers.get(ID_HEADER, b"").decode("latin-1")
        segment = headers.get(SEGMENT_HEADER, b"").decode("latin-1")
        return Exchange(event_id=usable_id(event_id), segment=segment, most_bytes=self.most_bytes)


def _listening(receive: Receive, exchange: Exchange) -> Receive:
    async def listened() -> Message:
        message = await receive()
        if message["type"] == "http.request":
            exchange.keep("request", message.get("body", b""))
        return message

    return listened


def _telling(send: Send, exchange: Exchange) -> Send:
    async def told(message: Message) -> None:
        if message["type"] == "http.response.start":
            exchange.status = message["status"]
            own = [(ID_HEADER, exchange.event_id.encode("ascii"))]
            others = [(name, value) for name, value in message.get("headers", ()) if name.lower() != ID_HEADER]
            message = {**message, "headers": [*others, *own]}
        elif message["type"] == "http.response.body":
            exchange.keep("response", message.get("body", b""))
        await send(message)

    return told


def _answers(scores: Scores, *, probabilities: bool) -> list[Answer]:
    if scores.scores_BK is not None:
        return answers_of_logits(_logits(scores.scores_BK) if probabilities else scores.scores_BK)
    assert scores.labels_B is not None
    return [Answer(outcome="predicted", label=label) for label in scores.labels_B.tolist()]


def _logits(probabilities_BK: NDArray[np.float64]) -> NDArray[np.float64]:
    """Logarithms, whose differences are those of the logits; a probability of 0 counts as the smallest float64."""
    return np.log(np.maximum(probabilities_BK, np.finfo(np.float64).tiny))


def _segment(asked: InferenceRequest) -> str:
    found = asked.parameters.get("segment", "")
    return found if isinstance(found, str) else ""
