"""The HTTP side of the stand-in: requests taken apart, faults, and refusals in the real server's two shapes."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import Message
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tests.kubeflow.stand_in_bodies import RefusedError

GRPC_TO_WORDS = {3: "InvalidArgument", 5: "NotFound", 6: "AlreadyExists", 13: "Internal", 16: "Unauthenticated"}


@dataclass(kw_only=True)
class Fault:
    """Befalls the next `times` requests that start with `method` and `path`.

    `status` answers at once, with `body` where given; `lost` does what was asked and closes the connection without an
    answer; before anything is done, `delay` waits so many seconds and `until` for something to become true.
    """

    method: str = "POST"
    path: str = "/runs"
    times: int = 1
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: str = ""
    lost: bool = False
    delay: float = 0.0
    until: Callable[[], bool] = lambda: True


@dataclass(frozen=True, kw_only=True)
class Request:
    """What came in."""

    method: str
    path: str
    query: dict[str, str]
    authorization: str
    body: Any


class Handler(BaseHTTPRequestHandler):
    """One connection; the three functions are the server's."""

    protocol_version = "HTTP/1.1"
    wbufsize = 1 << 16  # an answer goes out as one packet
    fault_for: Callable[[Request], Fault | None]
    answer: Callable[[Request, bytes], Any]
    note: Callable[[Request], None]

    def do_GET(self) -> None:
        """Serves a GET."""
        self._serve()

    def do_POST(self) -> None:
        """Serves a POST."""
        self._serve()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the name in http.server
        """Says nothing."""

    def finish(self) -> None:
        """Ends the connection, which the client may have ended before."""
        try:
            super().finish()
        except OSError:
            self.close_connection = True

    def handle(self) -> None:
        """Serves requests until the connection ends, also where a killed client ended it."""
        try:
            super().handle()
        except OSError:
            self.close_connection = True

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = urlsplit(self.path)
        upload = str(self.headers.get("Content-Type")).startswith("multipart/")
        request = Request(
            method=self.command,
            path=parts.path,
            query=dict(parse_qsl(parts.query)),
            authorization=self.headers.get("Authorization", ""),
            body=json.loads(body) if body and not upload else None,
        )
        type(self).note(request)
        fault = type(self).fault_for(request) or Fault(times=0)
        time.sleep(fault.delay)
        while not fault.until():
            time.sleep(0.002)
        if fault.status:
            self._send(fault.status, fault.body or f"fault {fault.status}", fault.headers)
        else:
            self._do(request, _uploaded(self.headers, body) if upload else b"", lost=fault.lost)

    def _do(self, request: Request, file: bytes, *, lost: bool) -> None:
        try:
            status, answer = 200, type(self).answer(request, file)
        except RefusedError as refusal:
            status, answer = refusal.status, _refusal(refusal)
        if lost:
            self.close_connection = True
            self.connection.close()
        else:
            self._send(status, json.dumps(answer), {"Content-Type": "application/json"})

    def _send(self, status: int, text: str, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(text.encode())))
        self.end_headers()
        self.wfile.write(text.encode())


def handler_for(
    fault_for: Callable[[Request], Fault | None],
    answer: Callable[[Request, bytes], Any],
    note: Callable[[Request], None],
) -> type[Handler]:
    """A handler class for one server."""
    functions = {"fault_for": fault_for, "answer": answer, "note": note}
    return type("BoundHandler", (Handler,), {name: staticmethod(value) for name, value in functions.items()})


def _uploaded(headers: Message, body: bytes) -> bytes:
    """The file of a multipart body, as Go's FormFile("uploadfile") reads it."""
    head = f"Content-Type: {headers['Content-Type']}\r\n\r\n".encode()
    parts = message_from_bytes(head + body).get_payload()
    assert isinstance(parts, list)
    for part in parts:
        if isinstance(part, Message) and part.get_param("name", header="content-disposition") == "uploadfile":
            if not str(part.get_filename()).endswith((".yaml", ".yml")):
                return b""
            content = part.get_payload(decode=True)
            return content if isinstance(content, bytes) else b""
    return b""


def _refusal(refusal: RefusedError) -> dict[str, Any]:
    if refusal.code == 0:
        return {"error_message": refusal.message, "error_details": refusal.message}
    words = f"{GRPC_TO_WORDS.get(refusal.code, 'Unknown')}: {refusal.message}"
    return {"error": words, "code": refusal.code, "message": refusal.message, "details": []}
