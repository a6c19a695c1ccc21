"""The exporter's HTTP side: /metrics, /healthz and /readyz on one port, without TLS: keep it inside the cluster."""

from __future__ import annotations

import threading
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from monitoring.exporter.loop import Exporter
from robustcert.errors import InputError, expected

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
SILENT_SECONDS = 10.0  # a client that sends nothing for so long is left
MOST_CLIENTS = 32


class Server(ThreadingHTTPServer):
    """Answers for one exporter; more clients at a time than MOST_CLIENTS are turned away."""

    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = MOST_CLIENTS

    def __init__(self, exporter: Exporter, *, address: str, port: int) -> None:
        self.exporter, self._places = exporter, threading.BoundedSemaphore(MOST_CLIENTS)
        try:
            super().__init__((address, port), _Handler)
        except OSError as error:
            got = f"{address}:{port}: {error.strerror or type(error).__name__}"
            raise InputError(expected("a free address and port", got=got, remedy="choose others")) from error

    def process_request(self, request: object, client_address: object) -> None:
        """In a thread of its own, where there is a place."""
        if self._places.acquire(blocking=False):
            super().process_request(request, client_address)  # type: ignore[arg-type]
        else:
            self.shutdown_request(request)  # type: ignore[arg-type]

    def process_request_thread(self, request: object, client_address: object) -> None:
        """Answers, then frees the place."""
        try:
            super().process_request_thread(request, client_address)  # type: ignore[arg-type]
        finally:
            self._places.release()

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that went away is no error of ours."""


class _Handler(BaseHTTPRequestHandler):
    server: Server
    timeout = SILENT_SECONDS
    server_version, sys_version = "robustcert-exporter", ""

    def do_GET(self) -> None:
        """Answers one request."""
        page = PAGES.get(self.path.partition("?")[0])
        if page is None:
            self._answer(HTTPStatus.NOT_FOUND, b"expected /metrics, /healthz or /readyz\n")
        else:
            page(self)

    def log_message(self, *_: object) -> None:
        """Nothing: every scrape would be a line."""

    def metrics(self) -> None:
        compressed = "gzip" in self.headers.get("Accept-Encoding", "")
        self._answer(HTTPStatus.OK, self.server.exporter.metrics(compressed=compressed), compressed=compressed)

    def healthz(self) -> None:
        self._state(self.server.exporter.alive, "the loop hangs\n")

    def readyz(self) -> None:
        self._state(self.server.exporter.ready, "no scan succeeded lately\n")

    def _state(self, holds: bool, otherwise: str) -> None:
        status = HTTPStatus.OK if holds else HTTPStatus.SERVICE_UNAVAILABLE
        self._answer(status, b"ok\n" if holds else otherwise.encode())

    def _answer(self, status: HTTPStatus, body: bytes, *, compressed: bool = False) -> None:
        self.send_response(status)
        self.send_header("Content-Type", CONTENT_TYPE)
        self.send_header("Content-Length", str(len(body)))
        if compressed:
            self.send_header("Content-Encoding", "gzip")
        self.end_headers()
        self.wfile.write(body)


PAGES: dict[str, Callable[[_Handler], None]] = {
    "/metrics": _Handler.metrics,
    "/healthz": _Handler.healthz,
    "/readyz": _Handler.readyz,
}
