"""Puts a compiled pipeline and its version in place; doing so again changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from robustcert import __version__
from robustcert.errors import InputError, expected
from robustcert.kubeflow.answers import AnswerError
from robustcert.kubeflow.client import CONFLICT, KubeflowClient
from robustcert.kubeflow.compiled import CompiledPipeline
from robustcert.kubeflow.records import Experiment, Pipeline, PipelineVersion

# Waits between tries, in seconds, after an answer was lost.
PAUSES = (0.0, 1.0, 2.0, 4.0)

Missing = Literal["nothing", "version", "pipeline and version"]
Found = TypeVar("Found")


@dataclass(frozen=True, kw_only=True)
class Placed:
    """A pipeline and its version on the server, and what was missing there before."""

    pipeline: Pipeline
    version: PipelineVersion
    was_missing: Missing


def missing(client: KubeflowClient, compiled: CompiledPipeline) -> Missing:
    """What the server lacks; InputError where a version of that name has other content."""
    pipeline = client.pipeline(compiled.name)
    if pipeline is None:
        return "pipeline and version"
    return "version" if _version(client, pipeline, compiled) is None else "nothing"


def put_in_place(client: KubeflowClient, compiled: CompiledPipeline) -> Placed:
    """Makes the pipeline and its version where they are missing; InputError where the version has other content."""
    was_missing = missing(client, compiled)
    pipeline = once(
        client,
        look=lambda: client.pipeline(compiled.name),
        make=lambda: client.create_pipeline(compiled.name, description=_description(compiled)),
    )
    version = once(
        client,
        look=lambda: _version(client, pipeline, compiled),
        make=lambda: client.upload_version(
            pipeline.pipeline_id, compiled.version, description=_description(compiled), yaml=compiled.yaml
        ),
    )
    return Placed(pipeline=pipeline, version=version, was_missing=was_missing)


def experiment(client: KubeflowClient, name: str) -> Experiment:
    """The experiment of that name, made where there is none; InputError where it is archived."""
    found = once(client, look=lambda: client.experiment(name), make=lambda: client.create_experiment(name))
    if found.archived:
        remedy = "restore it in the user interface, or name another --experiment"
        raise InputError(expected(f"experiment '{name}' in use", got="an archived one", remedy=remedy))
    return found


def once(client: KubeflowClient, *, look: Callable[[], Found | None], make: Callable[[], Found]) -> Found:
    """What `look` finds, or else what `make` makes: looked for again where its answer was lost or its name was taken.

    Right for whatever has a name that the server keeps unique.
    """
    refusal: AnswerError | None = None
    for pause in PAUSES:
        client.pause(pause)
        if (found := look()) is not None:
            return found
        try:
            return make()
        except AnswerError as error:
            if not error.transient and error.status != CONFLICT:
                raise
            refusal = error
    assert refusal is not None
    raise refusal


def _version(client: KubeflowClient, pipeline: Pipeline, compiled: CompiledPipeline) -> PipelineVersion | None:
    found = client.version(pipeline.pipeline_id, compiled.version)
    if found is not None and compiled.sha256 not in found.description and plain(found.spec) != plain(compiled.spec):
        what = f"version '{found.name}' of '{compiled.name}' to be this release's"
        remedy = "somebody else uploaded it: delete that version, then upload again"
        raise InputError(expected(what, got="other content", remedy=remedy))
    return found


def _description(compiled: CompiledPipeline) -> str:
    return f"robustcert {__version__}, content SHA-256 {compiled.sha256}"


def plain(value: Any) -> Any:
    """A compiled pipeline without what a server changes in storing it: empty fields, and kinds of number.

    >>> plain({"a": 1, "b": {"c": ""}, "d": "2"}) == plain({"a": 1.0, "d": 2})
    True
    """
    if isinstance(value, Mapping):
        items = {key: plain(item) for key, item in value.items()}
        return {key: item for key, item in items.items() if item not in (None, "", "0", "False", {}, [])}
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if value is None else str(value)
