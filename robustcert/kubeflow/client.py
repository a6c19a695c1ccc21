"""Kubeflow Pipelines' v2beta1 REST interface, as much of it as uploading pipelines and starting runs needs.

Bodies are snake_case and hold known fields only: the server refuses others. A GET is tried again after a connection
error or a 429, 502, 503, 504; a POST never is, since nobody knows whether it was done: its caller looks first.
TLS is always verified. Proxy, netrc and certificate settings of the environment are not used (`trust_env` is off).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from types import TracebackType
from typing import Any
from urllib.parse import quote

import httpx

from robustcert.errors import expected
from robustcert.kubeflow.answers import AnswerError, no_answer, read_answer, whole
from robustcert.kubeflow.connection import Connection, verification
from robustcert.kubeflow.filters import predicate, predicates
from robustcert.kubeflow.records import (
    Experiment,
    Pipeline,
    PipelineVersion,
    Run,
    read_experiment,
    read_list,
    read_pipeline,
    read_run,
    read_version,
)
from robustcert.kubeflow.tokens import TokenAuth, token_in

PREFIX = "/apis/v2beta1"
PAGE_SIZE = 100  # the server gives at most 200
VERSION_PAGE_SIZE = 10  # each brings its whole compiled pipeline
BAD_REQUEST = 400
NOT_FOUND = 404
CONFLICT = 409


class KubeflowClient:
    """Speaks to one server for one namespace; use as a context. All methods raise AnswerError where they fail."""

    def __init__(self, connection: Connection, *, pause: Callable[[float], None] = time.sleep) -> None:
        self.connection = connection
        self.pause = pause
        self._http = httpx.Client(
            base_url=connection.host.rstrip("/") + PREFIX,
            auth=TokenAuth(connection.token),
            verify=verification(connection.ca_file),
            timeout=httpx.Timeout(connection.answer_seconds, connect=connection.connect_seconds),
            trust_env=False,
            follow_redirects=False,
        )

    def __enter__(self) -> KubeflowClient:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def run_url(self, run_id: str) -> str:
        """The page of a run in the user interface."""
        return f"{self.connection.host.rstrip('/')}/#/runs/details/{run_id}"

    def pipeline(self, name: str) -> Pipeline | None:
        """The pipeline of that name: the namespace's own, or else the one that all namespaces share."""
        for namespace in dict.fromkeys((self.connection.namespace, "")):
            try:
                found = self.get(f"/pipelines/names/{quote(name, safe='')}", namespace=namespace)
            except AnswerError as error:
                # A server that requires namespaces of pipelines has none that all share, and says so by a 400.
                shares_none = error.status == BAD_REQUEST and self.connection.namespace != namespace
                if error.status != NOT_FOUND and not shares_none:
                    raise
            else:
                return read_pipeline(found)
        return None

    def create_pipeline(self, name: str, *, description: str) -> Pipeline:
        """A new pipeline without versions; AnswerError with status 409 where the name is taken."""
        body = {
            "display_name": name,
            "description": description,
        }  # newer servers take it as the name, older know no other
        return read_pipeline(self.post("/pipelines", self._in_namespace(body)))

    def latest_version(self, pipeline_id: str) -> PipelineVersion | None:
        """The version that was made last, as the server takes it where none is named."""
        path = f"/pipelines/{pipeline_id}/versions"
        page = read_list(self.get(path, page_size=1, sort_by="created_at desc"), "pipeline_versions")
        return read_version(page[0]) if page else None

    def version(self, pipeline_id: str, name: str) -> PipelineVersion | None:
        """The version of that name."""
        pages = self.pages(
            f"/pipelines/{pipeline_id}/versions",
            "pipeline_versions",
            page_size=VERSION_PAGE_SIZE,
            filter=predicates(("name", "EQUALS", name)),
        )
        return next((found for found in map(read_version, pages) if found.name == name), None)

    def upload_version(self, pipeline_id: str, name: str, *, description: str, yaml: bytes) -> PipelineVersion:
        """A new version with that compiled pipeline; AnswerError with status 409 where the name is taken."""
        query = {"name": name, "display_name": name, "pipelineid": pipeline_id, "description": description}
        files = {"uploadfile": (f"{name}.yaml", yaml, "application/yaml")}
        return read_version(self._send("POST", "/pipelines/upload_version", params=query, files=files))

    def experiment(self, name: str) -> Experiment | None:
        """The experiment of that name in the namespace."""
        pages = self.pages(
            "/experiments",
            "experiments",
            page_size=PAGE_SIZE,
            namespace=self.connection.namespace,
            filter=predicates(("display_name", "EQUALS", name)),
        )
        return next((found for found in map(read_experiment, pages) if found.name == name), None)

    def create_experiment(self, name: str) -> Experiment:
        """A new experiment; AnswerError with status 409 where the name is taken."""
        return read_experiment(self.post("/experiments", self._in_namespace({"display_name": name})))

    def runs(self, **conditions: str | tuple[str, ...]) -> Iterator[Run]:
        """Runs of the namespace that are not archived, the newest first.

        Conditions are those of `filters.predicate`; what comes back is to be compared again.
        """
        wanted = [("storage_state", "EQUALS", "AVAILABLE"), *(predicate(*one) for one in conditions.items())]
        for value in self.pages(
            "/runs",
            "runs",
            page_size=PAGE_SIZE,
            namespace=self.connection.namespace,
            sort_by="created_at desc",
            filter=predicates(*wanted),
        ):
            yield read_run(value)

    def run(self, run_id: str) -> Run:
        """A run with its tasks."""
        return read_run(self.get(f"/runs/{quote(run_id, safe='')}"))

    def create_run(self, body: Mapping[str, Any]) -> Run:
        """Starts a run; after an AnswerError that is transient it may have been started all the same."""
        return read_run(self.post("/runs", body))

    def terminate_run(self, run_id: str) -> None:
        """Asks for the end of a run."""
        self.post(f"/runs/{quote(run_id, safe='')}:terminate", {})

    def get(self, path: str, **query: str | int) -> dict[str, Any]:
        """The JSON at `path`, tried again while the server can't answer."""
        for pause in self.connection.retry_pauses:
            try:
                return self._send("GET", path, params=query)
            except AnswerError as error:
                if not error.transient:
                    raise
            self.pause(pause)
        return self._send("GET", path, params=query)

    def post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """The JSON answer to a body that is sent once."""
        return self._send("POST", path, json=body)

    def pages(self, path: str, field: str, **query: str | int) -> Iterator[Mapping[str, Any]]:
        """Every item of a list that the server gives page by page."""
        token = ""
        while True:
            page = self.get(path, **query, **({"page_token": token} if token else {}))
            yield from read_list(page, field)
            before, token = token, str(page.get("next_page_token") or "")
            if not token:
                return
            if token == before:
                remedy = "check that --host is Kubeflow Pipelines 2"
                raise AnswerError(expected(f"a next page of '{field}'", got="the same one again", remedy=remedy))

    def _in_namespace(self, body: dict[str, str]) -> dict[str, str]:
        namespace = self.connection.namespace
        return {**body, "namespace": namespace} if namespace else body

    def _send(self, method: str, path: str, **request: Any) -> dict[str, Any]:
        try:
            with self._http.stream(method, path, **request) as response:
                content = whole(response, seconds=self.connection.whole_answer_seconds)
        except httpx.RequestError as error:
            raise no_answer(error, host=self.connection.host) from error
        return read_answer(response, content, secret=token_in(response.request))
