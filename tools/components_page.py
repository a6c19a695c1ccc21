"""Writes docs/components.md: every component and pipeline with its inputs and outputs, from their compiled form."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields
from typing import Any

from google.protobuf import json_format

from components.image import IMAGE
from pipelines.compile import components, pipelines
from pipelines.node_pool import GPU_STEPS, CompileTime
from tools.pipeline_patterns import PATTERNS
from tools.pipeline_rules import RULES

KINDS = {
    "STRING": "text",
    "NUMBER_INTEGER": "whole number",
    "NUMBER_DOUBLE": "number",
    "BOOLEAN": "true or false",
    "LIST": "JSON list",
    "STRUCT": "JSON object",
}

HEAD = """\
# Components and pipelines

<!-- Made by tools/components_page.py (`make generate`); not edited by hand. -->

Every step is a Kubeflow component: a folder of `components/` with its source and its compiled `component.yaml`. They
exchange files (artifacts) and plain values; inputs of the same name mean the same everywhere. All of them run in one
image and install nothing when they start: `{image}`.

Each component is also a pipeline of its own, `pipelines/by_uri/<component>.yaml`, that the user interface can start: it
asks for the address of each artifact as `<name>_uri`, of a list of artifacts as `<name>_uris`.

Pipelines come in two forms: `pipelines/<name>.yaml` for upload, and `pipelines/custom_resources/<name>.yaml`, the
custom resources Pipeline and PipelineVersion for GitOps. A version never changes: each release brings one of its own
name. They are applied server-side because of their size, the Pipeline first.

Steps that compute run on the machines that the inputs `gpu_type`, `gpus`, `cpu`, `memory`, `node_selector`,
`tolerations` and `affinity` ask for, all others on any:

{gpu_steps}

What Kubeflow fixes when a pipeline is compiled is an argument of its factory, such as
`certified_training_pipeline(CompileTime(parallel_shards=8))` in `pipelines/certified_training.py`; compile what it
returns with `kfp.compiler.Compiler().compile(pipeline, "mine.yaml")`. The files here are compiled with:

{settings}
"""


def components_page() -> str:
    """The whole page."""
    values = ((item.name, getattr(CompileTime(), item.name)) for item in fields(CompileTime))
    settings = (f"- `{name}`: {'not set' if value is None else f'`{value}`'}" for name, value in values)
    steps = "\n".join(f"- `{name}`" for name in sorted(GPU_STEPS))
    parts = [
        HEAD.format(image=IMAGE, gpu_steps=steps, settings="\n".join(settings)),
        "## Inputs of pipelines",
        "An input without a default must be given.",
        *_pipelines(pipelines()),
        "## Components",
        *(part for name, item in components().items() for part in _component(name, item)),
        "## What is proved of the compiled files",
        "`make lint-pipelines` reads every compiled file and fails on a broken rule.",
        _table(
            ("rule", "what holds"), ((f"`{name}`", _first_line(rule)) for name, rule in {**RULES, **PATTERNS}.items())
        ),
    ]
    return "\n\n".join(part.strip("\n") for part in parts) + "\n"


def _pipelines(found: Mapping[str, Any]) -> Iterator[str]:
    for name, item in found.items():
        yield f"### {name}"
        yield f"{item.description}"
        yield _inputs(_definition(item.pipeline_spec.root))


def _component(name: str, item: Any) -> Iterator[str]:
    definition = _definition(item.pipeline_spec.components[f"comp-{name.replace('_', '-')}"])
    yield f"### {name}"
    yield f"{item.description}"
    yield _inputs(definition)
    if outputs := _rows(definition.get("outputDefinitions", {})):
        yield _table(("output", "kind", "what it is"), ((row[0], row[1], row[3]) for row in outputs))


def _inputs(definition: Mapping[str, Any]) -> str:
    return _table(("input", "kind", "default", "what it is"), _rows(definition.get("inputDefinitions", {})))


def _rows(part: Mapping[str, Any]) -> list[tuple[str, str, str, str]]:
    artifacts, parameters = (sorted(part.get(kind, {}).items()) for kind in ("artifacts", "parameters"))
    return [(f"`{name}`", _artifact(item), "", item.get("description", "")) for name, item in artifacts] + [
        (f"`{name}`", KINDS[item["parameterType"]], _default(item), item.get("description", ""))
        for name, item in parameters
    ]


def _artifact(item: Mapping[str, Any]) -> str:
    kind = item["artifactType"]["schemaTitle"].removeprefix("system.")
    return f"list of {kind}" if item.get("isArtifactList") else f"{kind}"


def _default(item: Mapping[str, Any]) -> str:
    if "defaultValue" not in item:
        return ""
    value = item["defaultValue"]
    number = item["parameterType"] == "NUMBER_INTEGER"
    return "empty" if value == "" else f"`{json.dumps(int(value) if number else value)}`"


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    written = [tuple(head), *(tuple(row) for row in rows)]
    lines = ["| " + " | ".join(" ".join(cell.split()).replace("|", "\\|") for cell in row) + " |" for row in written]
    return "\n".join([lines[0], "|" + "---|" * len(written[0]), *lines[1:]])


def _first_line(rule: Any) -> str:
    return str(rule.__doc__).splitlines()[0]


def _definition(message: Any) -> dict[str, Any]:
    found: dict[str, Any] = json_format.MessageToDict(message)
    return found
