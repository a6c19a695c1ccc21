"""The two listening sockets of the controller, and how it ends: requests in progress are answered first."""

from __future__ import annotations

import signal
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import uvicorn

from monitoring.recertification_webhook.app import LOOP_PASSES, LOOP_SECONDS, make_app
from monitoring.recertification_webhook.authentication import Gate, is_loopback
from monitoring.recertification_webhook.controller import Controller
from monitoring.recertification_webhook.desk import Desk
from monitoring.recertification_webhook.grafana import Signatures
from monitoring.recertification_webhook.log import tell
from monitoring.recertification_webhook.metrics import ControllerCollector, serve_metrics
from monitoring.recertification_webhook.settings import Settings, TlsSettings
from monitoring.recertification_webhook.tls_files import follow_files
from robustcert.errors import InputError, WorldError, expected

MOST_CONNECTIONS = 256  # beyond them 503, so that bodies in memory stay below 256 MiB
GRACE_SECONDS = 15
HEADERS = [("X-Content-Type-Options", "nosniff"), ("Cache-Control", "no-store")]


@dataclass(frozen=True, kw_only=True)
class Address:
    """Where to listen."""

    host: str
    port: int


def address(text: str, *, key: str) -> Address:
    """host:port or [v6]:port; InputError where it is neither.

    >>> address("127.0.0.1:8090", key="listen")
    Address(host='127.0.0.1', port=8090)
    """
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit() or not int(port) < 65536:
        raise InputError(expected(f"host:port as {key}", got=repr(text[:80]), remedy="write it as 127.0.0.1:8090"))
    return Address(host=host.removeprefix("[").removesuffix("]"), port=int(port))


def make_desk(settings: Settings, controller: Controller) -> Desk:
    """Who may ask, by the settings; InputError where that would be everybody, or where a secret can't be read."""
    with_certificates = settings.tls is not None and settings.tls.client_ca is not None
    listen = address(settings.listen, key="listen")
    if settings.bearer_token_file is None and not with_certificates and not is_loopback(listen.host):
        got = f"neither, and listen: {settings.listen}"
        remedy = "set one of them, or listen on 127.0.0.1"
        raise InputError(expected("bearerTokenFile or tls.clientCa", got=got, remedy=remedy))
    gate = Gate(token_file=settings.bearer_token_file, client_certificates=with_certificates)
    gate.check()
    signatures = None if settings.grafana_secret_file is None else Signatures(settings.grafana_secret_file)
    if signatures is not None:
        signatures.check()
    return Desk(controller=controller, gate=gate, signatures=signatures)


def make_server(settings: Settings, desk: Desk) -> uvicorn.Server:
    """The server of the interface; InputError where its certificates are none."""
    listen = address(settings.listen, key="listen")
    late = max(LOOP_SECONDS, LOOP_PASSES * settings.reconcile_interval.total_seconds())
    config = uvicorn.Config(
        make_app(desk, late_after_seconds=late),
        host=listen.host,
        port=listen.port,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        ws="none",
        lifespan="off",
        headers=HEADERS,
        limit_concurrency=MOST_CONNECTIONS,
        timeout_graceful_shutdown=GRACE_SECONDS,
        **({} if settings.tls is None else tls_options(settings.tls)),
    )
    try:
        config.load()
    except (OSError, ssl.SSLError) as error:
        got = type(error).__name__ + (f" ({error.strerror})" if error.strerror else "")
        raise InputError(expected("certificates and a key in PEM as tls", got=got, remedy="check the files")) from error
    if settings.tls is not None and config.ssl is not None:
        follow_files(config.ssl, settings.tls)
    return uvicorn.Server(config)


def tls_options(tls: TlsSettings) -> dict[str, Any]:
    """uvicorn's options; with `client_ca` a client without a certificate by it is refused in the handshake."""
    options: dict[str, Any] = {"ssl_certfile": str(tls.certificate), "ssl_keyfile": str(tls.key)}
    if tls.client_ca is not None:
        options |= {"ssl_ca_certs": str(tls.client_ca), "ssl_cert_reqs": ssl.CERT_REQUIRED}
    return options


def check(settings: Settings, controller: Controller) -> None:
    """InputError where something of the interface's settings can't be as it is."""
    make_server(settings, make_desk(settings, controller))
    address(settings.metrics, key="metrics")


def serve(settings: Settings, controller: Controller) -> None:
    """Runs until SIGTERM or SIGINT; then answers what is in progress and stops the loop. Running runs go on."""
    desk = make_desk(settings, controller)
    server = make_server(settings, desk)
    with (
        listening(address(settings.listen, key="listen"), key="listen") as interface,
        _ended_by_signals(server),
        _started(controller),
        _metrics(settings, desk) as metrics_port,
    ):
        host, port = interface.getsockname()[:2]
        tell("listening", host=host, port=port, metrics_port=metrics_port, tls=settings.tls is not None)
        server.run(sockets=[interface])
    tell("stopped")


@contextmanager
def listening(place: Address, *, key: str) -> Iterator[socket.socket]:
    """A bound socket; WorldError where the address can't be had."""
    try:
        family = socket.getaddrinfo(place.host, place.port, type=socket.SOCK_STREAM)[0][0]
        made = socket.create_server((place.host, place.port), family=family, backlog=1024)
    except OSError as error:
        got = f"an error ({error.strerror})"
        message = expected(f"{key} to be an address to listen on", got=got, remedy=f"free it, or change {key}")
        raise WorldError(message) from error
    # Opened again by its number it knows that it is TCP; asyncio sets TCP_NODELAY for no other, and answers wait 40 ms.
    with socket.socket(fileno=made.detach()) as bound:
        yield bound


@contextmanager
def _started(controller: Controller) -> Iterator[None]:
    controller.start()
    try:
        yield
    finally:
        controller.stop()


@contextmanager
def _metrics(settings: Settings, desk: Desk) -> Iterator[int]:
    """Serves /metrics; the port."""
    place = address(settings.metrics, key="metrics")
    collector = ControllerCollector(desk.controller.figures, skipped=desk.counts.read)
    try:
        server, thread = serve_metrics(collector, host=place.host, port=place.port)
    except OSError as error:
        got = f"an error ({error.strerror})"
        message = expected("metrics to be an address to listen on", got=got, remedy="free it, or change metrics")
        raise WorldError(message) from error
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def _ended_by_signals(server: uvicorn.Server) -> Iterator[None]:
    """A signal ends the server, also before it runs; uvicorn raises it again at its end, for nothing."""

    def end(number: int, frame: object) -> None:
        server.should_exit = True

    before = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
