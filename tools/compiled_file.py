"""A compiled KFP file as the lint reads it: its specification, its platform part, its executors and its graphs.

Three forms: a component, a pipeline for REST upload, and the custom resources Pipeline and PipelineVersion. The schema
is that of https://github.com/kubeflow/pipelines, api/v2alpha1/pipeline_spec.proto and kubernetes_platform.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

Parts = Mapping[str, Any]

ROOT_NAME = "root"
MOST_DOCUMENTS = 2
FUNCTION = "--function_to_execute"


class UnreadableError(Exception):
    """A file that is no compiled component or pipeline; the text is one line."""


@dataclass(frozen=True, kw_only=True)
class Executor:
    """What runs in a pod: its label, its container, and what Kubernetes is told about it."""

    label: str
    container: Parts
    kubernetes: Parts

    @property
    def function(self) -> str:
        """The component function that it runs; "" for a container component."""
        args = [str(item) for item in self.container.get("args", ())]
        place = args.index(FUNCTION) + 1 if FUNCTION in args else len(args)
        return args[place] if place < len(args) else ""


@dataclass(frozen=True, kw_only=True)
class Task:
    """One task of a graph; `parent` is the component whose graph it is in, or root."""

    name: str
    parent: str
    spec: Parts

    @property
    def component(self) -> str:
        """Name of the component that it runs."""
        return str(self.spec.get("componentRef", {}).get("name", ""))

    @property
    def parameters(self) -> Parts:
        """Where each parameter comes from."""
        found: Parts = self.spec.get("inputs", {}).get("parameters", {})
        return found


@dataclass(frozen=True, kw_only=True)
class CompiledFile:
    """One compiled file."""

    path: Path
    size: int
    spec: Parts
    platform: Parts

    @property
    def is_pipeline(self) -> bool:
        """Whether it connects tasks; a component's file is a pipeline of the one task without settings of its own."""
        return self.path.name != "component.yaml"

    @property
    def components(self) -> Parts:
        """Every component by name."""
        found: Parts = self.spec.get("components", {})
        return found

    def definition(self, name: str) -> Parts:
        """The component of that name, or the pipeline itself for root."""
        found: Parts = self.spec["root"] if name == ROOT_NAME else self.components.get(name, {})
        return found

    def inputs(self, name: str) -> Parts:
        """Parameters that a component, or root, declares."""
        found: Parts = self.definition(name).get("inputDefinitions", {}).get("parameters", {})
        return found

    def executors(self) -> Iterator[Executor]:
        """Every executor with a container; importers have none."""
        kubernetes = self.platform.get("platforms", {}).get("kubernetes", {}).get("deploymentSpec", {})
        told = kubernetes.get("executors", {})
        for label, item in self.spec.get("deploymentSpec", {}).get("executors", {}).items():
            if "container" in item:
                yield Executor(label=label, container=item["container"], kubernetes=told.get(label, {}))

    def tasks(self) -> Iterator[Task]:
        """Every task of every graph, those in loops and nested pipelines included."""
        for parent in (ROOT_NAME, *self.components):
            for name, spec in self.definition(parent).get("dag", {}).get("tasks", {}).items():
                yield Task(name=name, parent=parent, spec=spec)

    def tasks_of(self, executor: Executor) -> Iterator[Task]:
        """The tasks that an executor runs for."""
        labels = {name: item.get("executorLabel") for name, item in self.components.items()}
        return (task for task in self.tasks() if labels.get(task.component) == executor.label)


def read_compiled(path: Path) -> CompiledFile:
    """Reads one file; UnreadableError where it is none of the three forms."""
    try:
        data = path.read_bytes()
        documents = [part for part in yaml.load_all(data, Loader=yaml.CSafeLoader) if part is not None]
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UnreadableError(f"{path}: {' '.join(str(error).split())}") from error
    spec, platform = _parts(documents) if len(documents) <= MOST_DOCUMENTS else ({}, {})
    if not isinstance(spec.get("root"), dict) or not isinstance(spec.get("deploymentSpec"), dict):
        raise UnreadableError(f"{path}: expected a compiled component or pipeline, got another document")
    return CompiledFile(path=path, size=len(data), spec=spec, platform=platform)


def _parts(documents: list[Any]) -> tuple[Parts, Parts]:
    """Specification and platform part of the documents of a file."""
    found = [part if isinstance(part, dict) else {} for part in documents]
    versions = [part.get("spec") or {} for part in found if part.get("kind") == "PipelineVersion"]
    if len(versions) == 1:
        return versions[0].get("pipelineSpec") or {}, versions[0].get("platformSpec") or {}
    padded: list[Parts] = [*found, {}, {}]
    return padded[0], padded[1]
