"""A compiled pipeline: its name, the inputs that a run may set, its steps, and the version under which it is uploaded.

A version's name is the release and a short digest of the content, so that another content never bears the same name.
Parsed YAML is digested, since the header comment of a compiled file is not stable to the byte.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

import yaml

from robustcert import __version__
from robustcert.errors import InputError, expected
from robustcert.local_run import compiled_pipeline
from robustcert.provenance.digests import sha256_bytes

SHORT_DIGEST = 12
BY_URI = "-by-uri"
MOST_BYTES = 16 * 2**20  # more than any server takes for one pipeline
MOST_DEPTH = 64

_NAME = re.compile(r"^pipelineInfo:\n(?:  .*\n)*?  name: (\S+)$", re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class Input:
    """One input of a pipeline; `kind` is STRING, NUMBER_INTEGER, NUMBER_DOUBLE, BOOLEAN, LIST or STRUCT."""

    name: str
    kind: str
    required: bool


@dataclass(frozen=True, kw_only=True)
class CompiledPipeline:
    """A compiled file; `spec` is what the server gives back as `pipeline_spec`."""

    name: str
    spec: Mapping[str, Any]
    sha256: str
    yaml: bytes

    @property
    def version(self) -> str:
        """The name of its version."""
        return f"{__version__}-{self.sha256[:SHORT_DIGEST]}"


def read_compiled(path: Path) -> CompiledPipeline:
    """The compiled pipeline in a file; InputError where it holds none."""
    try:
        data = path.read_bytes()
        documents = _documents(data)
        name = str(documents[0]["pipelineInfo"]["name"])
        content = json.dumps(documents, sort_keys=True, separators=(",", ":")).encode()
    except OSError as error:
        got = f"'{path}', which can't be read ({error.strerror})"
        raise InputError(expected("a compiled pipeline", got=got, remedy="check the name")) from error
    except (yaml.YAMLError, LookupError, TypeError, ValueError) as error:
        got = f"'{path}', which is none"
        raise InputError(expected("a compiled pipeline", got=got, remedy="compile it with kfp 2")) from error
    return CompiledPipeline(name=name, spec=_merged(documents), sha256=sha256_bytes(content), yaml=data)


def shipped(*, by_uri: bool) -> list[CompiledPipeline]:
    """The compiled pipelines that come with this release; with `by_uri` also those that run one component alone."""
    return [read_compiled(path) for name, path in _files().items() if by_uri or not name.endswith(BY_URI)]


def shipped_pipeline(name: str) -> CompiledPipeline:
    """The compiled pipeline of that name in this release; InputError where there is none."""
    files = _files()
    if name not in files:
        remedy = "name one of " + ", ".join(files)
        raise InputError(expected("a pipeline of this release", got=repr(name), remedy=remedy))
    return read_compiled(files[name])


def inputs_of(spec: Mapping[str, Any]) -> dict[str, Input]:
    """Name -> input of a compiled pipeline, in the order of the file."""
    definitions = _part(_part(_part(pipeline_part(spec), "root"), "inputDefinitions"), "parameters")
    return {
        name: Input(
            name=name,
            kind=str(definition.get("parameterType", "STRING")),
            required=not definition.get("isOptional") and "defaultValue" not in definition,
        )
        for name in definitions
        for definition in (_part(definitions, name),)
    }


def steps_of(spec: Mapping[str, Any]) -> list[str]:
    """Names of the tasks that run a container, loops and nested pipelines opened, in the order of their needs."""
    part = pipeline_part(spec)
    return list(dict.fromkeys(_steps(part, _part(part, "root"))))


def pipeline_part(spec: Mapping[str, Any]) -> Mapping[str, Any]:
    """The pipeline itself, without the settings for Kubernetes that may stand beside it."""
    return _part(spec, "pipeline_spec") if "pipeline_spec" in spec else spec


def _part(value: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """What stands under `name` if it is an object, as in every pipeline; empty in what a server made up."""
    part = value.get(name)
    return part if isinstance(part, Mapping) else {}


def _files() -> dict[str, Path]:
    """Name of the pipeline -> compiled file of this release; custom resources and other files are left out."""
    folder = compiled_pipeline("certified_training").parent
    found = {path: _NAME.search(path.read_text()) for path in sorted(folder.rglob("*.yaml"))}
    return {name[1]: path for path, name in found.items() if name is not None}


def _steps(spec: Mapping[str, Any], component: Mapping[str, Any]) -> Iterator[str]:
    tasks = _part(_part(component, "dag"), "tasks")
    needs = {name: [need for need in _part(tasks, name).get("dependentTasks") or () if need in tasks] for name in tasks}
    for name in TopologicalSorter(needs).static_order():
        inner = _part(_part(spec, "components"), _part(_part(tasks, name), "componentRef").get("name", ""))
        if "dag" in inner:
            yield from _steps(spec, inner)
        else:
            yield name


def _documents(data: bytes) -> list[dict[str, Any]]:
    """The one or two documents of a compiled file; ValueError for a file that kfp never writes."""
    if len(data) > MOST_BYTES:
        raise ValueError(f"{len(data)} bytes")
    depth = 0
    for event in yaml.parse(data, Loader=yaml.CSafeLoader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if isinstance(event, yaml.AliasEvent) or depth > MOST_DEPTH:
            raise ValueError("an alias, or nested too deeply")
    documents = list(yaml.load_all(data, Loader=yaml.CSafeLoader))
    if not 1 <= len(documents) <= 2 or not all(isinstance(document, dict) for document in documents):
        raise ValueError(f"{len(documents)} documents")
    return documents


def _merged(documents: list[Any]) -> Mapping[str, Any]:
    """As the server puts the two documents of a compiled file together (kfp's client does the same)."""
    if len(documents) == 1:
        return dict(documents[0])
    return {"pipeline_spec": documents[0], "platform_spec": documents[1]}
