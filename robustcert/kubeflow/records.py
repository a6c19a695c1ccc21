"""Pipelines, versions, experiments and runs as the server describes them, read from its JSON.

The server leaves out fields that are empty and gives 1970-01-01 for times that have not come yet (kubeflow/pipelines,
backend/src/apiserver/server/api_converter.go).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from robustcert.errors import expected
from robustcert.kubeflow.answers import AnswerError

ACTIVE = ("PENDING", "RUNNING", "CANCELING", "PAUSED")
SUCCEEDED = "SUCCEEDED"
FINISHED = (SUCCEEDED, "SKIPPED", "FAILED", "CANCELED")
_UNKNOWN = "RUNTIME_STATE_UNSPECIFIED"  # a run that was made this moment


@dataclass(frozen=True, kw_only=True)
class Pipeline:
    """A named pipeline; `namespace` is empty for one that all namespaces share."""

    pipeline_id: str
    name: str
    namespace: str


@dataclass(frozen=True, kw_only=True)
class PipelineVersion:
    """One version of a pipeline, with its compiled form where the server gave it."""

    pipeline_id: str
    pipeline_version_id: str
    name: str
    description: str
    spec: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """A group of runs."""

    experiment_id: str
    name: str
    archived: bool


@dataclass(frozen=True, kw_only=True)
class Task:
    """One node of a run's graph; the same step of a loop appears once for each turn."""

    name: str
    state: str
    ended_at: str
    error: str


@dataclass(frozen=True, kw_only=True)
class Run:
    """A run and, where the server gave them, its tasks."""

    run_id: str
    display_name: str
    experiment_id: str
    state: str
    created_at: str
    error: str
    tasks: tuple[Task, ...]

    @property
    def active(self) -> bool:
        """Whether it has not ended."""
        return self.state not in FINISHED

    @property
    def succeeded(self) -> bool:
        """Whether it ended well."""
        return self.state == SUCCEEDED

    @property
    def age_key(self) -> tuple[str, str]:
        """Orders runs from the oldest to the newest; creation times have seconds only, so the id decides a tie."""
        return (self.created_at, self.run_id)


def read_pipeline(value: Mapping[str, Any]) -> Pipeline:
    """A pipeline of the server's JSON."""
    return Pipeline(
        pipeline_id=_required(value, "pipeline_id"),
        name=str(value.get("name") or value.get("display_name", "")),
        namespace=str(value.get("namespace", "")),
    )


def read_version(value: Mapping[str, Any]) -> PipelineVersion:
    """A pipeline version of the server's JSON; servers before 2.15 call its name display_name only."""
    return PipelineVersion(
        pipeline_id=str(value.get("pipeline_id", "")),
        pipeline_version_id=_required(value, "pipeline_version_id"),
        name=str(value.get("name") or value.get("display_name", "")),
        description=str(value.get("description", "")),
        spec=_object(value.get("pipeline_spec") or {}, "pipeline_spec"),
    )


def read_experiment(value: Mapping[str, Any]) -> Experiment:
    """An experiment of the server's JSON."""
    return Experiment(
        experiment_id=_required(value, "experiment_id"),
        name=str(value.get("display_name", "")),
        archived=value.get("storage_state") == "ARCHIVED",
    )


def read_run(value: Mapping[str, Any]) -> Run:
    """A run of the server's JSON."""
    details = _object(value.get("run_details") or {}, "run_details")
    return Run(
        run_id=_required(value, "run_id"),
        display_name=str(value.get("display_name", "")),
        experiment_id=str(value.get("experiment_id", "")),
        state=_state(value),
        created_at=str(value.get("created_at", "")),
        error=_error(value),
        tasks=tuple(map(_task, read_list(details, "task_details"))),
    )


def read_list(value: Mapping[str, Any], field: str) -> list[Mapping[str, Any]]:
    """The objects under `field`, none where it is absent."""
    items = value.get(field) or []
    if not isinstance(items, list):
        raise _another_form("a list", field)
    return [_object(item, field) for item in items]


def _task(value: Mapping[str, Any]) -> Task:
    return Task(
        name=str(value.get("display_name", "")),
        state=_state(value),
        ended_at=str(value.get("end_time", "")),
        error=_error(value),
    )


def _object(value: object, field: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise _another_form("an object", field)
    return value


def _state(value: Mapping[str, Any]) -> str:
    state = str(value.get("state") or _UNKNOWN)
    return "PENDING" if state == _UNKNOWN else state


def _error(value: Mapping[str, Any]) -> str:
    return " ".join(str(_object(value.get("error") or {}, "error").get("message", "")).split())


def _required(value: Mapping[str, Any], field: str) -> str:
    text = value.get(field)
    if not isinstance(text, str) or not text:
        remedy = "check that --host is Kubeflow Pipelines 2"
        raise AnswerError(expected(f"'{field}' in the server's answer", got="none", remedy=remedy))
    return text


def _another_form(form: str, field: str) -> AnswerError:
    remedy = "check that --host is Kubeflow Pipelines 2"
    return AnswerError(expected(f"{form} as '{field}' in the server's answer", got="another form", remedy=remedy))
