"""Which models Kubernetes serves: InferenceServices and Deployments, listed once and then watched.

Follows https://kubernetes.io/docs/reference/using-api/api-concepts/ ("Efficient detection of changes"): a list gives a
resource version, a watch goes on from it, bookmarks move it forward, and 410 Gone asks for a new list. What
drops is resumed where it was. The `kubernetes` package connects and authenticates; its own Watch is not used, for it
can't tell a resumed watch from a list.
"""

from __future__ import annotations

import json
import logging
import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from urllib3.exceptions import ReadTimeoutError

from monitoring.exporter.deployed import Deployed, deployed_by

PAGE = 500
MOST_LINE = 4 << 20  # bytes of one event; etcd holds no larger object
CHUNK = 1 << 16
MOST_DOUBLINGS = 10
GONE, NOT_FOUND = 410, 404
RANDOM = random.SystemRandom()
STEADY_SECONDS = 1.0  # a watch that ended sooner, without an event, is no reason to ask again at once

logger = logging.getLogger(__name__)

State = Literal["connected", "disconnected", "absent"]


@dataclass(frozen=True, kw_only=True)
class Watched:
    """One kind of object: what the metric calls it, and where the API serves it."""

    kind: str
    group: str
    version: str
    plural: str

    def path(self, namespace: str) -> str:
        """Of all objects in a namespace, or in every one where it is empty."""
        place = f"namespaces/{namespace}/" if namespace else ""
        return f"/apis/{self.group}/{self.version}/{place}{self.plural}"


KINDS = (
    Watched(kind="inferenceservices", group="serving.kserve.io", version="v1beta1", plural="inferenceservices"),
    Watched(kind="deployments", group="apps", version="v1", plural="deployments"),
)


@dataclass(frozen=True, kw_only=True)
class Pace:
    """Seconds: how long a watch lasts at most and may be silent, and the waits after failures."""

    watch: int = 300
    silence: float = 90.0
    first_wait: float = 1.0
    longest_wait: float = 60.0
    absent: float = 300.0


class Answer(Protocol):
    """The part of urllib3's response that is read."""

    def stream(self, amt: int) -> Iterator[bytes]: ...
    def read(self) -> bytes: ...
    def close(self) -> None: ...


# GET of a path with a query, and the seconds that it may be silent; ApiError where the server refuses.
Ask = Callable[[str, Mapping[str, str], float], Answer]


class ApiError(Exception):
    """The API server answered with an error."""

    def __init__(self, status: int) -> None:
        super().__init__(f"HTTP status {status}")
        self.status = status


class KubernetesWatch:
    """Watches one kind until it is stopped; `found` and `state` may be read from any thread."""

    def __init__(self, watched: Watched, ask: Ask, *, namespace: str = "", pace: Pace | None = None) -> None:
        self.kind = watched.kind
        self.state: State = "disconnected"
        self._ask, self._path, self._pace = ask, watched.path(namespace), pace or Pace()
        self._objects: dict[str, Deployed] = {}
        self._version = ""
        self._stop, self._failures = threading.Event(), 0
        self._lock = threading.Lock()

    def found(self) -> list[Deployed]:
        """What is deployed, as last told."""
        with self._lock:
            return list(self._objects.values())

    def start(self) -> None:
        """Watches in a thread of its own."""
        threading.Thread(target=self.run, name=f"watch-{self.kind}", daemon=True).start()

    def stop(self) -> None:
        """Ends the thread after what it is reading."""
        self._stop.set()

    def run(self) -> None:
        """Lists and watches until it is stopped; no answer of a server ends it."""
        while not self._stop.is_set():
            try:
                if not self._version:
                    self._list()
                self._watch()
            except ApiError as error:
                self._refused(error)
            except Exception as error:  # noqa: BLE001  whatever a server answers or breaks, the watch goes on
                self._back_off(type(error).__name__)

    def _list(self) -> None:
        """All objects, a page at a time; the old ones are replaced only when the last page has come."""
        objects: dict[str, Deployed] = {}
        query = {"limit": str(PAGE)}
        while True:
            page = self._page(query)
            for item in page.get("items") or ():
                self._put(objects, item)
            metadata = page["metadata"]
            if not metadata.get("continue"):
                break
            query = {"limit": str(PAGE), "continue": str(metadata["continue"])}
        with self._lock:
            self._objects = objects
        self._version = str(metadata["resourceVersion"])

    def _page(self, query: Mapping[str, str]) -> dict[str, Any]:
        answer = self._ask(self._path, query, self._pace.silence)
        try:
            page = json.loads(answer.read())
        finally:
            answer.close()
        if not isinstance(page, dict) or not isinstance(page.get("metadata"), dict):
            raise ValueError("no list")
        return page

    def _watch(self) -> None:
        """Takes events until the server ends the watch, or is silent for too long."""
        began, events = time.monotonic(), 0
        seconds = self._pace.watch + int(RANDOM.uniform(0, self._pace.watch))  # many watchers don't return together
        query = {"watch": "true", "allowWatchBookmarks": "true", "timeoutSeconds": str(seconds)}
        answer = self._ask(self._path, {**query, "resourceVersion": self._version}, self._pace.silence)
        try:
            self.state = "connected"
            for event in _events(answer):
                self._apply(event)
                events, self._failures = events + 1, 0
        except ReadTimeoutError:
            return  # nothing came: the connection may be dead, so another one goes on from here
        finally:
            answer.close()
        if not events and time.monotonic() - began < STEADY_SECONDS:
            self._back_off("a watch that ended at once")

    def _apply(self, event: Mapping[str, Any]) -> None:
        item = event["object"]
        if event["type"] == "ERROR":
            raise ApiError(int(item.get("code") or 0))
        with self._lock:
            if event["type"] in ("ADDED", "MODIFIED"):
                self._put(self._objects, item)
            elif event["type"] == "DELETED":
                self._objects.pop(_key(item), None)
        self._version = str(item["metadata"]["resourceVersion"])

    def _put(self, objects: dict[str, Deployed], item: Mapping[str, Any]) -> None:
        found = deployed_by(item)
        if found is None:
            objects.pop(_key(item), None)
        else:
            objects[_key(item)] = found

    def _refused(self, error: ApiError) -> None:
        if error.status == GONE:
            self._version = ""
            if self._failures == 0:  # one is usual, and a list at once is the answer; several in a row are not
                self._failures = 1
                return
        if error.status == NOT_FOUND:
            self._absent()
        else:
            self._back_off(f"HTTP status {error.status}")

    def _absent(self) -> None:
        """The cluster has no such kind (KServe is not installed): nothing of it is deployed, and that is no failure."""
        with self._lock:
            self._objects = {}
        self.state, self._version = "absent", ""
        self._stop.wait(self._pace.absent)

    def _back_off(self, why: str) -> None:
        self.state = "disconnected"
        wait = min(self._pace.longest_wait, self._pace.first_wait * 2**self._failures) * RANDOM.uniform(0.5, 1)
        self._failures = min(self._failures + 1, MOST_DOUBLINGS)
        logger.warning("watching %s: %s; trying again in %.1f s", self.kind, why, wait)
        self._stop.wait(wait)


def _key(item: Mapping[str, Any]) -> str:
    return f"{item['metadata'].get('namespace', '')}/{item['metadata']['name']}"


def _events(answer: Answer) -> Iterator[dict[str, Any]]:
    """One JSON object a line, as they come; ValueError on anything else."""
    rest = b""
    for chunk in answer.stream(CHUNK):
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            if line.strip():
                yield _event(line)
        if len(rest) > MOST_LINE:
            raise ValueError("an endless line")


def _event(line: bytes) -> dict[str, Any]:
    event = json.loads(line)
    item = event.get("object") if isinstance(event, dict) else None
    if not isinstance(item, dict) or not isinstance(event.get("type"), str):
        raise ValueError("no event")
    if event["type"] != "ERROR" and not isinstance(item.get("metadata"), dict):
        raise ValueError("an object without metadata")
    return dict(event)
