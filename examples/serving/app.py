"""Serves the model of a certificate, counts in the certificate's bins, and logs a sample of what it answers.

    python -m examples.serving.app --store out/store --certificate digits --trusted-key out/demo-key.pub --port 8080 \
        --payload-log out/payloads --metrics-port 9100

Ask it, in the Open Inference Protocol (a digit is 64 values from 0 to 16):

    POST /v2/models/digits/infer      {"inputs": [{"name": "x", "shape": [1, 64], "datatype": "FP32", "data": [...]}]}
    the same, smoothed                ... "parameters": {"smoothed": true}
    POST /v1/models/digits:smoothed   {"instances": [[...64 values...]]}
    GET /healthz, GET /metrics

A response repeats the request's header `ce-id` (or gets a new one): the payload log's key, by which true labels can be
joined later. Its headers `robustcert-certificate` and `robustcert-certificate-status` say how the certificate stands;
with --require-certificate any status but `active` is answered 503. Input that breaks the certificate's contract is
refused with 400 or 422 and one line, and counted. It listens on loopback unless told otherwise, in one process. What
the metrics mean: docs/serving.md.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, cast, get_args

import typer
import uvicorn
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest, start_http_server
from starlette.concurrency import run_in_threadpool

from examples.serving.served_model import Draws, open_model
from examples.serving.service import Caller, Reply, Service
from examples.serving.standing import CertificateWatch, open_trusted
from robustcert.certificate.trust import load_trusted_keys
from robustcert.drift.reference import build_reference, read_reference
from robustcert.drift.stream.counters import Margin, PredictionCounters
from robustcert.drift.stream.exposition import expose
from robustcert.drift.stream.observe import Observer
from robustcert.drift.stream.payload_log import PayloadLog, PayloadLogSettings
from robustcert.errors import DataError, InputError, RobustcertError, expected
from robustcert.storage.store import open_store

MOST_BYTES = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What is served and how; `payload_log` None logs nothing, `check_seconds` is how often the store is asked."""

    store: str
    certificate: str
    trusted_keys: Path
    reference: Path | None = None
    payload_log: Path | None = None
    log: PayloadLogSettings = field(default_factory=PayloadLogSettings)
    draws: Draws = field(default_factory=Draws)
    margin: Margin = "logits"
    require_certificate: bool = False
    check_seconds: float = 60.0
    factory: str | None = None


@dataclass(frozen=True, kw_only=True)
class Serving:
    """Everything that answers requests."""

    service: Service
    watch: CertificateWatch
    registry: CollectorRegistry
    settings: Settings

    def close(self) -> None:
        """Ends the checks and writes what the log still holds."""
        self.watch.stop()
        if self.service.observer.log is not None:
            self.service.observer.log.close()


def open_serving(settings: Settings) -> Serving:
    """Opens certificate, model and reference; RobustcertError, one line, where one of them can't be used."""
    store, keys = open_store(settings.store), load_trusted_keys(settings.trusted_keys)
    certified = open_trusted(store, settings.certificate, keys=keys)
    if settings.reference is None:
        reference = build_reference(store, certified, factory=settings.factory)
    else:
        reference = read_reference(settings.reference.read_bytes())
    if reference.model_sha256 != certified.predicate.model.sha256:
        remedy = "make it with `robustcert drift-reference`"
        raise DataError(expected("a drift reference of the served model", got="another model's", remedy=remedy))
    counters = PredictionCounters(reference, margin=settings.margin)
    folder = settings.payload_log
    log = None if folder is None else PayloadLog(folder, reference=reference, settings=settings.log)
    service = Service(
        open_model(store, certified, draws=settings.draws, factory=settings.factory),
        Observer(reference, counters=counters, log=log),
        certificate_sha256=certified.sha256,
        unit=certified.predicate.certification.unit,
    )
    watch = CertificateWatch(store, certified, keys=keys)
    return Serving(service=service, watch=watch, registry=expose(counters, log=log), settings=settings)


def make_app(serving: Serving) -> FastAPI:
    """The ASGI application."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        serving.watch.start(seconds=serving.settings.check_seconds)
        yield
        await run_in_threadpool(serving.close)

    app = FastAPI(title="robustcert serving example", lifespan=lifespan, docs_url=None, redoc_url=None)
    service = serving.service

    @app.post("/v2/models/{name}/infer")
    async def infer(name: str, request: Request) -> Response:
        return await _answered(serving, name, request, service.infer)

    @app.post("/v1/models/{name}:smoothed")
    async def smoothed(name: str, request: Request) -> Response:
        return await _answered(serving, name, request, service.infer_smoothed)

    @app.get("/healthz")
    async def healthz() -> Response:
        return JSONResponse({"status": "ok"}, headers=_standing_headers(serving))

    @app.get("/metrics")
    async def metrics() -> Response:
        return Response(generate_latest(serving.registry), media_type=CONTENT_TYPE_LATEST)

    return app


async def _answered(serving: Serving, name: str, request: Request, answer: Callable[..., Reply]) -> Response:
    headers = _standing_headers(serving)
    if name != serving.service.observer.reference.name:
        return _error(404, f"expected the model {serving.service.observer.reference.name!r}, got another", headers)
    status = headers["robustcert-certificate-status"]
    if serving.settings.require_certificate and status != "active":
        return _error(503, f"expected a certificate in force, got one that is {status}; recertify the model", headers)
    caller = Caller(event_id=request.headers.get("ce-id", ""), segment=request.headers.get("robustcert-segment", ""))
    body = await _body(request)
    if body is None:
        serving.service.observer.counters.unanswered("invalid", segment=caller.segment)
        return _error(413, f"expected at most {MOST_BYTES} bytes, got more; send fewer rows", headers)
    reply = await run_in_threadpool(answer, body, caller=caller)
    return JSONResponse(reply.body, status_code=reply.status, headers={**headers, "ce-id": reply.event_id})


async def _body(request: Request) -> bytes | None:
    """The body, None where it is too large; no more of it is read than that."""
    held = bytearray()
    async for chunk in request.stream():
        held += chunk
        if len(held) > MOST_BYTES:
            return None
    return bytes(held)


def _standing_headers(serving: Serving) -> dict[str, str]:
    standing = serving.watch.standing()
    return {
        "robustcert-certificate": standing.certificate_sha256[:12],
        "robustcert-certificate-status": standing.status,
    }


def _error(status: int, reason: str, headers: dict[str, str]) -> Response:
    return JSONResponse({"error": reason}, status_code=status, headers=headers)


def serve(
    store: Annotated[str, typer.Option(help="Folder or s3://bucket/prefix of the store.")],
    certificate: Annotated[str, typer.Option(help="SHA-256 of the certificate, or its published name.")],
    trusted_key: Annotated[Path, typer.Option(help="Public key of the issuer, or a folder of such keys.")],
    port: Annotated[int, typer.Option(help="Port to answer on.")] = 8080,
    host: Annotated[str, typer.Option(help="Address to answer on.")] = "127.0.0.1",
    metrics_port: Annotated[int, typer.Option(help="Port for /metrics alone; 0: none but /metrics here.")] = 0,
    payload_log: Annotated[Path | None, typer.Option(help="Folder for the payload log; none without it.")] = None,
    sample_ratio: Annotated[float, typer.Option(help="Share of the requests that are logged, 0 to 1.")] = 1.0,
    seconds_per_file: Annotated[float, typer.Option(help="A file of the log is written at least this often.")] = 60.0,
    reference: Annotated[Path | None, typer.Option(help="Drift reference; made anew without it.")] = None,
    draws: Annotated[int, typer.Option(help="Noisy copies that decide a smoothed answer.")] = 1000,
    margin: Annotated[str, typer.Option(help="What the margin's bins are of: logits or votes.")] = "logits",
    require_certificate: Annotated[
        bool, typer.Option("--require-certificate", help="Answer 503 unless the certificate is in force.")
    ] = False,
    check_seconds: Annotated[float, typer.Option(help="How often the certificate's status is looked up.")] = 60.0,
    factory: Annotated[str | None, typer.Option(help="package.module:function of a model that has one.")] = None,
) -> None:
    """Serve the model of a certificate until interrupted."""
    try:
        settings = Settings(
            store=store, certificate=certificate, trusted_keys=trusted_key, reference=reference,
            payload_log=payload_log,
            log=PayloadLogSettings(sample_ratio=sample_ratio, seconds_per_file=seconds_per_file),
            draws=Draws(n=draws, radius_n=draws), margin=margin_of(margin),
            require_certificate=require_certificate, check_seconds=check_seconds, factory=factory,
        )  # fmt: skip
        serving = open_serving(settings)
    except RobustcertError as error:  # one line, as the command line of robustcert prints it
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from error
    _listen(serving, host=host, port=port, metrics_port=metrics_port)


def margin_of(text: str) -> Margin:
    """The kind of margin of that name; InputError for another."""
    found = next((kind for kind in get_args(Margin) if kind == text), None)
    if found is None:
        raise InputError(expected("logits or votes as --margin", got=repr(text), remedy="choose one"))
    return cast("Margin", found)


def _listen(serving: Serving, *, host: str, port: int, metrics_port: int) -> None:
    metrics: tuple[Any, ...] = ()
    if metrics_port:
        metrics = start_http_server(metrics_port, addr=host, registry=serving.registry)
    reference = serving.service.observer.reference
    typer.echo(f"serving {reference.name} {reference.version} on http://{host}:{port}", err=True)
    uvicorn.run(make_app(serving), host=host, port=port, log_level="warning", access_log=False)
    if metrics:
        metrics[0].shutdown()


if __name__ == "__main__":
    typer.run(serve)
