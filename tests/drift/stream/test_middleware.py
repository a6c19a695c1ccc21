"""Around a FastAPI server and a bare ASGI application, through httpx; what was sent is the oracle."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pyarrow.parquet as pq
import pytest
from fastapi import FastAPI, Request, Response

from robustcert.drift.reference import DriftReference
from robustcert.drift.stream.counters import Counts
from robustcert.drift.stream.middleware import Application, ObservingMiddleware
from robustcert.drift.stream.observe import Observer
from robustcert.drift.stream.payload_log import PayloadLog

INFER = "/v2/models/digits/infer"
Ask = Callable[..., httpx.Response]


def request_body(rows: list[list[float]], **more: Any) -> dict[str, Any]:
    data = [value for row in rows for value in row]
    return {"inputs": [{"name": "x", "shape": [len(rows), 4], "datatype": "FP32", "data": data}]} | more


def server() -> FastAPI:
    """Logits are the first three values of each row; 13 as a first value crashes it, 12 is answered with nonsense."""
    app = FastAPI()

    @app.post("/v2/models/{name}/infer")
    async def infer(request: Request) -> Response:
        document = await request.json()
        rows = np.reshape(document["inputs"][0]["data"], document["inputs"][0]["shape"])
        if rows[0, 0] == 13:
            raise RuntimeError("the model fell over")
        if rows[0, 0] == 12:
            return Response("no JSON")
        if rows[0, 0] == 11:
            return Response('{"error": "no"}', status_code=400)
        scores = {"name": "s", "shape": [len(rows), 3], "datatype": "FP32", "data": rows[:, :3].ravel().tolist()}
        return Response(json.dumps({"model_name": "digits", "outputs": [scores]}))

    @app.get("/")
    async def root() -> str:
        return "here"

    return app


def asked(app: Any, method: str, path: str, **options: Any) -> httpx.Response:
    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return await client.request(method, path, **options)

    return asyncio.run(ask())


def counted(reference: DriftReference, document: Any, **options: Any) -> Counts:
    """Counts after one request to the server."""
    observer = Observer(reference)
    asked(ObservingMiddleware(server(), observer=observer, **options), "POST", INFER, json=document)
    return observer.counters.counts()


def test_answers_pass_unchanged_and_are_counted(image_reference: DriftReference, tmp_path: Path) -> None:
    log = PayloadLog(tmp_path, reference=image_reference)
    observer = Observer(image_reference, log=log)
    app = server()
    app.add_middleware(ObservingMiddleware, observer=observer)
    body = request_body([[4, 1, 0, 0], [1, 2, 8, 0]], parameters={"segment": "ward"})
    found = asked(app, "POST", INFER, json=body, headers={"ce-id": "e-7"})
    assert found.json() == asked(server(), "POST", INFER, json=body).json()
    assert found.headers["ce-id"] == "e-7"
    log.close()
    counts = observer.counters.counts()
    assert counts.outcomes["predicted"] == 2
    assert counts.classes == {"a": 1, "b": 0, "c": 1}
    assert counts.margin == (0, 0, 0, 2)
    assert counts.segments == {("ward", "predicted"): 2}
    assert sum(counts.seconds) == 1
    rows = [row for path in tmp_path.iterdir() for row in pq.read_table(path).to_pylist()]
    assert [(row["id"], row["prediction"], row["x"]) for row in rows] == [
        ("e-7/0", 0, [4, 1, 0, 0]),
        ("e-7/1", 2, [1, 2, 8, 0]),
    ]


def test_a_request_without_an_id_gets_one(image_reference: DriftReference) -> None:
    app = ObservingMiddleware(server(), observer=Observer(image_reference))
    found = asked(app, "POST", INFER, json=request_body([[1, 0, 0, 0]]))
    assert len(found.headers["ce-id"]) == 32


def test_a_segment_may_stand_in_a_header(image_reference: DriftReference) -> None:
    observer = Observer(image_reference)
    app = ObservingMiddleware(server(), observer=observer)
    asked(app, "POST", INFER, json=request_body([[1, 0, 0, 0]]), headers={"robustcert-segment": "north"})
    assert observer.counters.counts().segments == {("north", "predicted"): 1}


def test_a_row_outside_the_contract_is_invalid_whatever_was_answered(image_reference: DriftReference) -> None:
    counts = counted(image_reference, request_body([[1, 0, 0, 0], [1, 0, 0, 9]]))
    assert counts.outcomes == {"predicted": 1, "abstained": 0, "invalid": 1, "failed": 0}
    assert sum(counts.distance) == 1


@pytest.mark.parametrize(("first", "outcome"), [(11, "invalid"), (13, "failed")])
def test_refusals_and_crashes_are_told_apart(image_reference: DriftReference, first: int, outcome: Any) -> None:
    counts = counted(image_reference, request_body([[first, 0, 0, 0]]))
    assert counts.outcomes[outcome] == sum(counts.outcomes.values()) == 1


def test_an_answer_that_cannot_be_read_is_counted_as_unobserved(image_reference: DriftReference) -> None:
    assert counted(image_reference, request_body([[12, 0, 0, 0]])).unobserved == {"unreadable": 1}


def test_a_body_that_is_too_large_passes_and_is_counted_as_unobserved(image_reference: DriftReference) -> None:
    observer = Observer(image_reference)
    app = ObservingMiddleware(server(), observer=observer, most_bytes=100)
    found = asked(app, "POST", INFER, json=request_body([[1, 0, 0, 0]] * 20))
    assert len(found.json()["outputs"][0]["data"]) == 60
    assert observer.counters.counts().unobserved == {"too-large": 1}


def test_probabilities_have_the_margin_of_the_logits_they_came_from(image_reference: DriftReference) -> None:
    logits = np.array([1.5, 0.0, 0.75])
    probabilities = np.exp(logits) / np.exp(logits).sum()
    counts = counted(image_reference, request_body([[*probabilities.tolist(), 0]]), scores="probabilities")
    assert counts.margin == (0, 1, 0, 0), "0.75 lies between the edges 0.5 and 1"
    assert counted(image_reference, request_body([[1.0, 0, 0, 0]]), scores="probabilities").margin == (0, 0, 0, 1)


def test_other_paths_and_methods_are_left_alone(image_reference: DriftReference) -> None:
    observer = Observer(image_reference)
    app = ObservingMiddleware(server(), observer=observer)
    assert asked(app, "GET", "/").json() == "here"
    assert "ce-id" not in asked(app, "GET", INFER).headers
    assert sum(observer.counters.counts().seconds) == 0


def test_a_bare_application_that_answers_in_pieces_and_only_classes(image_reference: DriftReference) -> None:
    answer = json.dumps({"outputs": [{"name": "y", "shape": [1], "datatype": "BYTES", "data": ["b"]}]}).encode()

    async def bare(scope: Any, receive: Any, send: Any) -> None:
        while (await receive()).get("more_body"):
            pass
        await send({"type": "http.response.start", "status": 200, "headers": [(b"ce-id", b"theirs")]})
        for number in range(0, len(answer), 7):
            await send({"type": "http.response.body", "body": answer[number : number + 7], "more_body": True})
        await send({"type": "http.response.body"})

    observer = Observer(image_reference)
    app: Application = ObservingMiddleware(bare, observer=observer)
    found = asked(app, "POST", "/v2/models/digits/versions/1/infer", json=request_body([[1, 0, 0, 0]]))
    assert found.content == answer
    assert found.headers.get_list("ce-id") != ["theirs"]
    counts = observer.counters.counts()
    assert counts.classes == {"a": 0, "b": 1, "c": 0}
    assert (sum(counts.margin), sum(counts.distance)) == (0, 1)
