"""A Kubeflow Pipelines server on loopback that refuses what the real one refuses; it runs nothing.

Made after kubeflow/pipelines' source (backend/src/apiserver); tests/kubeflow/test_stand_in.py drives it with kfp's own
client. Faults are ordered beforehand and happen once each: see `Fault`.
"""

from __future__ import annotations

import re
import threading
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from http.server import ThreadingHTTPServer
from types import TracebackType
from typing import Any
from urllib.parse import unquote

import yaml

from tests.kubeflow.stand_in_bodies import RefusedError, require_fields, require_parameters
from tests.kubeflow.stand_in_http import Fault, Request, handler_for
from tests.kubeflow.stand_in_lists import page_of

PREFIX = "/apis/v2beta1"
NO_TIME = "1970-01-01T00:00:00Z"  # what the server gives for a time that has not come
ENDED = ("SUCCEEDED", "FAILED", "CANCELED", "SKIPPED")

Record = dict[str, Any]


class StandIn:
    """The server; use as a context. `tokens` None is single-user mode, else what is accepted.

    `namespaces_required` is its setting REQUIRE_NAMESPACE_FOR_PIPELINES.
    """

    def __init__(self, *, tokens: set[str] | None = None, namespaces_required: bool = False) -> None:
        self.tokens = tokens
        self.namespaces_required = namespaces_required
        self.pipelines: list[Record] = []
        self.versions: list[Record] = []
        self.experiments: list[Record] = []
        self.runs: list[Record] = []
        self.requests: list[Request] = []
        self.faults: list[Fault] = []
        self.looks: list[Callable[[Record], None]] = []
        self.terminated: list[str] = []
        self.lock = threading.RLock()
        self._server = ThreadingHTTPServer(
            ("127.0.0.1", 0), handler_for(self.fault_for, self.answer, self.requests.append)
        )
        self._server.daemon_threads = True
        self.host = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> StandIn:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def run_named(self, name: str) -> list[Record]:
        """Runs of that display name."""
        with self.lock:
            return [run for run in self.runs if run["display_name"] == name]

    def change(self, run: Record, state: str, *tasks: tuple[str, str] | tuple[str, str, str]) -> None:
        """Puts a run into a state, with tasks given as (name, state[, error message])."""
        with self.lock:
            run["state"] = state
            run["finished_at"] = _now() if state in ENDED else NO_TIME
            run["run_details"] = {"task_details": [_task(run, number, *task) for number, task in enumerate(tasks)]}

    def then(self, state: str, *tasks: tuple[str, str] | tuple[str, str, str]) -> None:
        """The state that the next look at a run finds it in; looks go through these one by one."""
        self.looks.append(lambda run: self.change(run, state, *tasks))

    def answer(self, request: Request, file: bytes) -> Record:
        """What the server answers; RefusedError where it refuses."""
        self._require_identity(request)
        with self.lock:
            for method, pattern, answer in self._routes():
                found = re.fullmatch(PREFIX + pattern, request.path)
                if found and method == request.method:
                    return answer(request, file, *map(unquote, found.groups()))
        raise RefusedError(404, 5, "Not Found")

    def fault_for(self, request: Request) -> Fault | None:
        """The fault that befalls a request, counted down."""
        path = request.path.removeprefix(PREFIX)
        with self.lock:
            for fault in self.faults:
                if fault.times and fault.method == request.method and path.startswith(fault.path):
                    fault.times -= 1
                    return fault
        return None

    def _routes(self) -> list[tuple[str, str, Callable[..., Record]]]:
        return [
            ("GET", "/healthz", lambda *_: {"multi_user": self.tokens is not None}),
            ("GET", "/pipelines", lambda request, _: self._page(self.pipelines, "pipelines", request)),
            ("POST", "/pipelines", lambda request, _: self._create_pipeline(request.body)),
            ("POST", "/pipelines/upload", lambda request, file: self._upload(request.query, file)),
            ("POST", "/pipelines/upload_version", lambda request, file: self._upload_version(request.query, file)),
            ("GET", "/pipelines/names/([^/]+)", lambda request, _, name: self._pipeline(name, request)),
            ("GET", "/pipelines/([^/]+)/versions", lambda request, _, owner: self._versions(owner, request)),
            ("GET", "/experiments", lambda request, _: self._page(self.experiments, "experiments", request)),
            ("POST", "/experiments", lambda request, _: self._create_experiment(request.body)),
            ("GET", "/runs", lambda request, _: self._page(self.runs, "runs", request)),
            ("POST", "/runs", lambda request, _: self._create_run(request.body)),
            ("GET", "/runs/([^/:]+)", lambda request, _, run_id: self._look(run_id)),
            ("POST", "/runs/([^/:]+):terminate", lambda request, _, run_id: self._terminate(run_id)),
        ]

    def _require_identity(self, request: Request) -> None:
        if self.tokens is None or request.path.endswith("/healthz"):
            return
        if request.authorization.removeprefix("Bearer ") not in self.tokens:
            raise RefusedError(401, 16, "Failed to check authorization. User identity is empty in the request header")

    def _create_pipeline(self, body: Any) -> Record:
        require_fields(body, "V2beta1Pipeline")
        name = body.get("name") or body.get("display_name")
        if not name:
            raise RefusedError(400, 3, "name is required")
        namespace = self._kept_namespace(body.get("namespace", ""))
        if any(one["name"] == name and one["namespace"] == namespace for one in self.pipelines):
            raise RefusedError(409, 6, f"Failed to create a new pipeline. The name {name} already exists")
        record = {"pipeline_id": _id(), "name": name, "namespace": namespace, "created_at": _now()}
        self.pipelines.append({**record, "display_name": name, "description": body.get("description", "")})
        return self.pipelines[-1]

    def _upload(self, query: dict[str, str], file: bytes) -> Record:
        spec = _spec(file)
        pipeline = self._create_pipeline({key: query[key] for key in ("name", "namespace") if key in query})
        self._add_version(pipeline["pipeline_id"], pipeline["name"], query.get("description", ""), spec)
        return pipeline

    def _upload_version(self, query: dict[str, str], file: bytes) -> Record:
        spec, pipeline_id = _spec(file), query.get("pipelineid", "")
        if not any(one["pipeline_id"] == pipeline_id for one in self.pipelines):
            raise RefusedError(400, 0, "Failed to create a pipeline version")
        return self._add_version(pipeline_id, query["name"], query.get("description", ""), spec)

    def _add_version(self, pipeline_id: str, name: str, description: str, spec: Record) -> Record:
        if any(one["pipeline_id"] == pipeline_id and one["name"] == name for one in self.versions):
            raise RefusedError(409, 0, "Failed to create a pipeline version")
        record = {"pipeline_id": pipeline_id, "pipeline_version_id": _id(), "name": name, "display_name": name}
        # Times have whole seconds on the real server; a counter keeps their order here.
        created = {"created_at": f"2026-01-01T00:{len(self.versions) // 60:02}:{len(self.versions) % 60:02}Z"}
        self.versions.append({**record, **created, "description": description, "pipeline_spec": spec})
        return self.versions[-1]

    def _versions(self, pipeline_id: str, request: Request) -> Record:
        items = [one for one in self.versions if one["pipeline_id"] == pipeline_id]
        return page_of(items, "pipeline_versions", request.query)

    def _pipeline(self, name: str, request: Request) -> Record:
        wanted = self._kept_namespace(request.query.get("namespace", ""))
        if self.namespaces_required and not wanted:
            raise RefusedError(400, 3, "Namespace is required for pipeline operations")
        for one in self.pipelines:
            if one["name"] == name and one["namespace"] == wanted:
                return one
        raise RefusedError(404, 5, f'Failed to get a pipeline with name {name}: Pipeline "{name}" not found')

    def _create_experiment(self, body: Any) -> Record:
        require_fields(body, "V2beta1Experiment")
        name, namespace = body["display_name"], self._kept_namespace(body.get("namespace", ""))
        if any(one["display_name"] == name and one["namespace"] == namespace for one in self.experiments):
            raise RefusedError(409, 6, f"Failed to create a new experiment. The name {name} already exists")
        record = {"experiment_id": _id(), "display_name": name, "namespace": namespace, "created_at": _now()}
        self.experiments.append({**record, "storage_state": "AVAILABLE"})
        return self.experiments[-1]

    def _create_run(self, body: Any) -> Record:
        require_fields(body, "V2beta1Run")
        if not body.get("display_name"):
            raise RefusedError(500, 13, "Run name cannot be empty")
        experiments = [one for one in self.experiments if one["experiment_id"] == body.get("experiment_id")]
        if not experiments:
            raise RefusedError(404, 5, f"Experiment {body.get('experiment_id')} not found")
        wanted = body.get("pipeline_version_reference", {}).get("pipeline_version_id")
        versions = [one for one in self.versions if one["pipeline_version_id"] == wanted]
        if not versions:
            raise RefusedError(500, 13, "Failed to create a run due to error fetching manifest")
        parameters = body.get("runtime_config", {}).get("parameters", {})
        require_parameters(parameters, versions[0]["pipeline_spec"])
        record = {"run_id": _id(), "state": "PENDING", "storage_state": "AVAILABLE", "created_at": _now()}
        self.runs.append({**body, **record, "namespace": experiments[0]["namespace"], "finished_at": NO_TIME})
        return self.runs[-1]

    def _look(self, run_id: str) -> Record:
        for run in self.runs:
            if run["run_id"] == run_id:
                if self.looks:
                    self.looks.pop(0)(run)
                return run
        raise RefusedError(404, 5, f"Run {run_id} not found")

    def _terminate(self, run_id: str) -> Record:
        for run in self.runs:
            if run["run_id"] == run_id:
                self.terminated.append(run_id)
                self.change(run, "CANCELED")
                return {}
        raise RefusedError(404, 5, f"Run {run_id} not found")

    def _page(self, items: list[Record], field: str, request: Request) -> Record:
        namespace = self._kept_namespace(request.query.get("namespace", ""))
        return page_of([one for one in items if one["namespace"] == namespace], field, request.query)

    def _kept_namespace(self, namespace: str) -> str:
        """In single-user mode the server ignores namespaces."""
        return "" if self.tokens is None else namespace


def _spec(file: bytes) -> Record:
    try:
        documents = list(yaml.safe_load_all(file))
        require = (documents[0]["pipelineInfo"]["name"], documents[0]["root"])
        assert require
    except (yaml.YAMLError, LookupError, TypeError) as error:
        raise RefusedError(400, 0, "Failed to create a pipeline version as template is broken") from error
    return (
        documents[0] if len(documents) == 1 else dict(zip(("pipeline_spec", "platform_spec"), documents, strict=True))
    )


def _task(run: Record, number: int, name: str, state: str, message: str = "") -> Record:
    task = {
        "run_id": run["run_id"],
        "task_id": f"{run['run_id']}-{number}",
        "display_name": name,
        "create_time": run["created_at"],
        "start_time": run["created_at"],
        "end_time": f"2026-01-01T00:00:{number:02}Z" if state in ENDED else NO_TIME,
        "state": state,
    }
    return {**task, "error": {"code": 2, "message": message}} if message else task


def _id() -> str:
    return str(uuid.uuid4())


def _now() -> str:
    return f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
