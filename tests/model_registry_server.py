"""A stand-in for Kubeflow's model registry on loopback, as strict as the real one.

Shapes and codes are those of api/openapi/model-registry.yaml (kubeflow/model-registry, v1alpha3, April 2026) and of its
Go server: unknown fields 400, a name twice 409, nothing found 404, a wrong token 401; custom properties are
replaced as a whole. `lose_answers` makes it do what a POST asks and then close the connection without a word.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

API = "/api/model_registry/v1alpha3/"
RESOURCE = {"name", "description", "externalId", "customProperties"}
MODEL = {
    "readme", "maturity", "language", "tasks", "provider", "logo", "license", "licenseLink", "libraryName", "owner",
    "state",
}  # fmt: skip
VERSION = {"state", "author"}
DOC = {"artifactType", "uri", "state"}
MODEL_FILE = DOC | {
    "modelFormatName", "modelFormatVersion", "storageKey", "storagePath", "serviceAccountName", "modelSourceKind",
    "modelSourceClass", "modelSourceGroup", "modelSourceId", "modelSourceName",
}  # fmt: skip

Answer = tuple[int, dict[str, Any]]


@dataclass
class Registry:
    """What the server holds: (kind, parent, name) -> resource; and every change that was asked of it."""

    token: str = ""
    lose_answers: int = 0
    url: str = ""
    held: dict[tuple[str, str, str], dict[str, Any]] = field(default_factory=dict)
    changes: list[str] = field(default_factory=list)

    def resource(self, kind: str) -> list[dict[str, Any]]:
        """All resources of a kind."""
        return [item for (found, _, _), item in self.held.items() if found == kind]

    def get(self, path: str, query: dict[str, str]) -> Answer:
        if set(query) - {"name", "parentResourceId", "externalId"}:
            return _error(400, "unknown query parameter")
        if path not in ("registered_model", "model_version", "artifact"):
            return _error(404, f"no such path {path}")
        parent = query.get("parentResourceId", "")
        if path != "registered_model" and not ("name" in query and parent):
            return _error(400, "supply name and parentResourceId")
        item = self.held.get((path, parent, query["name"]))
        return (200, item) if item else _error(404, "not found")

    def post(self, path: str, body: dict[str, Any]) -> Answer:
        self.changes.append(f"POST {path}")
        if path == "registered_models":
            return self._create("registered_model", "", body, RESOURCE | MODEL)
        if path == "model_versions":
            parent = str(body.get("registeredModelId"))
            if parent not in [item["id"] for item in self.resource("registered_model")]:
                return _error(404, "no such registered model")
            return self._create("model_version", parent, body, RESOURCE | VERSION | {"registeredModelId"})
        known = {"model-artifact": MODEL_FILE, "doc-artifact": DOC}.get(str(body.get("artifactType")))
        parts = path.split("/")
        if known is None or [parts[0], *parts[2:]] != ["model_versions", "artifacts"]:
            return _error(400, f"no such path or artifact type: {path}")
        return self._create("artifact", parts[1], body, RESOURCE | known)

    def patch(self, path: str, body: dict[str, Any]) -> Answer:
        self.changes.append(f"PATCH {path}")
        wrong = _wrong(body, (RESOURCE - {"name"}) | VERSION)
        found = [item for item in self.resource("model_version") if f"model_versions/{item['id']}" == path]
        if wrong or not found:
            return _error(400, wrong or "no such version")
        found[0].update(body)
        return 200, found[0]

    def _create(self, kind: str, parent: str, body: dict[str, Any], known: set[str]) -> Answer:
        key = (kind, parent, str(body.get("name")))
        if wrong := _wrong(body, known):
            return _error(400, wrong)
        if not body.get("name") or key in self.held:
            return _error(409 if body.get("name") else 400, f"{kind} with name {body.get('name')} already exists")
        self.held[key] = {"id": str(len(self.held) + 1), "createTimeSinceEpoch": "1", **body}
        return 201, self.held[key]


def _wrong(body: dict[str, Any], known: set[str]) -> str:
    if unknown := set(body) - known:
        return f'json: unknown field "{sorted(unknown)[0]}"'
    for value in body.get("customProperties", {}).values():
        if set(value) != {"metadataType", "string_value"} or value["metadataType"] != "MetadataStringValue":
            return "a custom property that is no MetadataStringValue"
    return ""


def _error(status: int, message: str) -> Answer:
    return status, {"code": str(status), "message": message}


@contextmanager
def model_registry(**settings: Any) -> Iterator[Registry]:
    """A running registry; `url` is its address."""
    registry = Registry(**settings)

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *args: object) -> None:
            """Nothing on standard error."""

        def _handle(self) -> None:
            parts = urlsplit(self.path)
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else {}
            if registry.token and self.headers.get("Authorization") != f"Bearer {registry.token}":
                return self._send(*_error(401, "no token, or a wrong one"))
            query = {name: values[0] for name, values in parse_qs(parts.query).items()}
            given = query if self.command == "GET" else body
            answer = getattr(registry, self.command.lower())(parts.path.removeprefix(API), given)
            if self.command == "POST" and registry.lose_answers:
                registry.lose_answers -= 1
                return None
            return self._send(*answer)

        def _send(self, status: int, document: dict[str, Any]) -> None:
            data = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_PATCH = _handle

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    registry.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield registry
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
