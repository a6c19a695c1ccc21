"""A server on loopback that answers what a test tells it to, in order, and remembers what it was asked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread


@dataclass(frozen=True, kw_only=True)
class Answer:
    """One answer; `announced` bytes are promised, by default as many as there are. Status 0 hangs up."""

    status: int = 200
    body: bytes = b""
    kind: str = "application/xml"
    announced: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Script:
    """What is still to be answered, the last answer for ever, and what was asked."""

    answers: list[Answer]
    endpoint: str = ""
    asked: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)

    def next(self) -> Answer:
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


def refusal(code: str, *, status: int = 400) -> Answer:
    """S3's way to say no."""
    return Answer(status=status, body=f"<Error><Code>{code}</Code><RequestId>tx-17</RequestId></Error>".encode())


@contextmanager
def scripted_server(*answers: Answer) -> Iterator[Script]:
    """The server; `script.endpoint` is where it answers."""
    script = Script(list(answers))

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            script.asked.append((self.command, self.path, {k.lower(): v for k, v in self.headers.items()}))
            answer = script.next()
            self.close_connection = True
            if answer.status:
                self.reply(answer)

        def reply(self, answer: Answer) -> None:
            length = len(answer.body) if answer.announced is None else answer.announced
            self.send_response(answer.status)
            for name, value in {"Content-Type": answer.kind, "Content-Length": str(length), **answer.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(b"" if self.command == "HEAD" else answer.body)

        do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = answer

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, args=(0.01,)).start()
        script.endpoint = f"http://127.0.0.1:{server.server_port}"
        try:
            yield script
        finally:
            server.shutdown()
