"""A stand-in for a Kubernetes API server on loopback: lists in pages, watches as chunked JSON lines, and can misbehave.

Follows https://kubernetes.io/docs/reference/using-api/api-concepts/: a watch begins after its resourceVersion, is told
410 Gone where that is no longer kept, and gets bookmarks. Everything it was asked is kept in `asked`.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

Object = dict[str, Any]
SERVICES = "/apis/serving.kserve.io/v1beta1/inferenceservices"
DEPLOYMENTS = "/apis/apps/v1/deployments"
PLURALS = ("inferenceservices", "deployments")


class ApiServer:
    """A context manager; objects and faults may be changed from the test's thread at any time."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.version, self.oldest = 100, 0  # versions before `oldest` are gone
        self.objects: dict[tuple[str, str, str], Object] = {}
        self.events: list[tuple[int, str, Object]] = []
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.authorizations: list[str] = []
        self.refused: dict[str, int] = {}  # plural -> HTTP status
        self.page = 2
        self.epoch = 0  # watches of an earlier epoch end
        self.break_off = False  # such watches end without their last chunk
        self.garbage: list[bytes] = []  # sent once, in place of an event
        self.paused = threading.Event()
        self.paused.set()

    def __enter__(self) -> ApiServer:
        outer = self

        class Handler(_Handler):
            api = outer

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.paused.set()
        self.drop_watches()
        self._server.shutdown()
        self._server.server_close()

    def put(self, plural: str, item: Object) -> None:
        """Creates or changes an object."""
        metadata = item["metadata"]
        key = (plural, metadata["namespace"], metadata["name"])
        with self.changed:
            self.version += 1
            kind = "MODIFIED" if key in self.objects else "ADDED"
            self.objects[key] = item | {"metadata": metadata | {"resourceVersion": str(self.version)}}
            self.events.append((self.version, kind, self.objects[key] | {"plural": plural}))
            self.changed.notify_all()

    def delete(self, plural: str, namespace: str, name: str) -> None:
        with self.changed:
            self.version += 1
            item = self.objects.pop((plural, namespace, name))
            gone = item | {"metadata": item["metadata"] | {"resourceVersion": str(self.version)}}
            self.events.append((self.version, "DELETED", gone | {"plural": plural}))
            self.changed.notify_all()

    def bookmark(self) -> None:
        """Tells every watch how far it is, without a change."""
        with self.changed:
            self.version += 1
            for plural in PLURALS:
                item = {"metadata": {"resourceVersion": str(self.version)}, "plural": plural}
                self.events.append((self.version, "BOOKMARK", item))
            self.changed.notify_all()

    def compact(self) -> None:
        """Forgets all history, as etcd does every few minutes; running watches get 410 as an event."""
        with self.changed:
            self.version += 1
            self.oldest = self.version
            self.changed.notify_all()

    def drop_watches(self, *, break_off: bool = False) -> None:
        """Ends the watches; with `break_off` in the middle of their answer, as when a connection is lost."""
        with self.changed:
            self.break_off, self.epoch = break_off, self.epoch + 1
            self.changed.notify_all()

    def watches(self, plural: str) -> list[dict[str, str]]:
        """The queries of the watches so far."""
        return [query for path, query in self.asked if path.endswith(plural) and "watch" in query]

    def lists(self, plural: str) -> list[dict[str, str]]:
        """The queries of the lists so far."""
        return [query for path, query in self.asked if path.endswith(plural) and "watch" not in query]


class _Handler(BaseHTTPRequestHandler):
    api: ApiServer
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        query, plural = dict(parse_qsl(parts.query)), parts.path.rpartition("/")[2]
        self.api.asked.append((parts.path, query))
        self.api.authorizations.append(self.headers.get("Authorization", ""))
        self.api.paused.wait()
        if plural in self.api.refused:
            self._json({"kind": "Status", "code": self.api.refused[plural]}, status=self.api.refused[plural])
        elif "watch" in query:
            self._watch(plural, int(query["resourceVersion"]))
        else:
            self._list(parts.path, plural, query)

    def log_message(self, *_: object) -> None:
        pass

    def _list(self, path: str, plural: str, query: dict[str, str]) -> None:
        namespace = path.split("/namespaces/")[1].split("/")[0] if "/namespaces/" in path else ""
        with self.api.changed:
            found = [
                item
                for (kind, place, _), item in sorted(self.api.objects.items())
                if kind == plural and namespace in ("", place)
            ]
            version = self.api.version
        start = int(query.get("continue", "0"))
        page, rest = found[start : start + self.api.page], found[start + self.api.page :]
        metadata = {"resourceVersion": str(version)} | ({"continue": str(start + self.api.page)} if rest else {})
        self._json({"kind": "List", "metadata": metadata, "items": page})

    def _watch(self, plural: str, version: int) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for line in self._lines(plural, version):
            self.wfile.write(b"%x\r\n%b\r\n" % (len(line), line))
            self.wfile.flush()
        if self.api.break_off:
            self.close_connection = True
        else:
            self.wfile.write(b"0\r\n\r\n")

    def _lines(self, plural: str, version: int) -> Iterator[bytes]:
        """What happened since the version, as it happens; the lock is free while a line is sent."""
        api, epoch = self.api, self.api.epoch
        while True:
            with api.changed:
                api.changed.wait_for(partial(self._news, plural, version, epoch), timeout=60)
                garbage, api.garbage = api.garbage, []
                fresh = [event for event in api.events if event[0] > version and event[2]["plural"] == plural]
                gone, over = version < api.oldest, api.epoch != epoch
                version = max([version, *(number for number, _, _ in fresh)])
            if garbage:
                yield from garbage
                return
            if gone:
                yield _line("ERROR", {"kind": "Status", "code": 410, "reason": "Expired"})
                return
            for _, kind, item in fresh:
                yield _line(kind, {key: value for key, value in item.items() if key != "plural"})
            if over:
                return

    def _news(self, plural: str, version: int, epoch: int) -> bool:
        api = self.api
        fresh = any(number > version and item["plural"] == plural for number, _, item in api.events)
        return bool(fresh or api.garbage or version < api.oldest or api.epoch != epoch)

    def _json(self, value: Object, *, status: int = 200) -> None:
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _line(kind: str, item: Object) -> bytes:
    return json.dumps({"type": kind, "object": item}).encode() + b"\n"
