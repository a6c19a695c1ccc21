"""Rules of the lint about how tasks connect: patterns that fail, or give another result, on one engine or the other.

Each was seen with kfp 2.17, in a local run or in what the compiler writes, or is said by the server's own source.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

from tools.compiled_file import ROOT_NAME, CompiledFile, Parts, Task
from tools.pipeline_rules import MOST_ARGUMENT_BYTES, Rule, Wrong

PARAMETER = re.compile(r"parameter_values\[['\"]([^'\"]+)['\"]\]")
CHANNEL = "pipelinechannel--"
PLAIN_IN_CONDITIONS = {"BOOLEAN", "NUMBER_INTEGER", "NUMBER_DOUBLE"}


def string_condition(compiled: CompiledFile) -> Wrong:
    """Local runs evaluate a condition's text as Python: a text that comes from data could run code there."""
    for task in compiled.tasks():
        condition = str(task.spec.get("triggerPolicy", {}).get("condition", ""))
        inputs = compiled.inputs(task.component)
        used = PARAMETER.findall(condition)
        texts = [name for name in used if inputs.get(name, {}).get("parameterType") not in PLAIN_IN_CONDITIONS]
        if condition and (texts or not used):
            yield f"{task.name} runs if {condition}", "compare a bool, an int or a float of a step of ours"


def loop_over_output(compiled: CompiledFile) -> Wrong:
    """Local runs give a loop's body the loop's item in place of a parameter that a task outside put out."""
    for task in compiled.tasks():
        if "parameterIterator" in task.spec or "artifactIterator" in task.spec:
            for name in task.parameters:
                if source := _producer(compiled, task, name):
                    remedy = "put the loop into a nested pipeline that takes the value as an input, or pass an artifact"
                    yield f"{task.name} takes {source} from a task outside", remedy


def _producer(compiled: CompiledFile, task: Task, name: str) -> str | None:
    """The task whose output a parameter is, unless it comes through an input that a pipeline declares."""
    source = task.parameters.get(name, {})
    if "taskOutputParameter" in source:
        output = source["taskOutputParameter"]
        return f"{output.get('outputParameterKey')} of {output.get('producerTask')}"
    passed = str(source.get("componentInputParameter", ""))
    if not passed.startswith(CHANNEL):
        return None
    callers = (caller for caller in compiled.tasks() if caller.component == task.parent)
    return next((found for caller in callers if (found := _producer(compiled, caller, passed))), None)


def undeclared_input(compiled: CompiledFile) -> Wrong:
    """What a task or its settings take from the graph around it must be an input of that graph; kfp forgets some."""
    for task in compiled.tasks():
        known = set(compiled.inputs(task.parent)) | set(_artifacts(compiled, task.parent))
        for name in sorted(set(_inputs_taken(task.spec)) - known):
            yield (
                f"{task.name} takes {name}, which {task.parent} does not declare",
                "register the channel with the task",
            )
    for executor in compiled.executors():
        for task in compiled.tasks_of(executor):
            for name in sorted(set(_inputs_taken(executor.kubernetes)) - set(compiled.inputs(task.parent))):
                yield (
                    f"settings of {task.name} take {name}, which {task.parent} does not declare",
                    "pass it as an input",
                )


def _artifacts(compiled: CompiledFile, name: str) -> Parts:
    found: Parts = compiled.definition(name).get("inputDefinitions", {}).get("artifacts", {})
    return found


def _inputs_taken(part: Any) -> Iterator[str]:
    if isinstance(part, Mapping):
        for key, value in part.items():
            if key in ("componentInputParameter", "componentInputArtifact"):
                yield str(value)
            else:
                yield from _inputs_taken(value)
    elif isinstance(part, list):
        yield from (name for item in part for name in _inputs_taken(item))


def not_a_number(compiled: CompiledFile) -> Wrong:
    """NaN and infinity are no JSON: a cluster refuses them."""
    for where, value in _values(compiled):
        if any(not math.isfinite(number) for number in _numbers(value)):
            yield f"{where} is {value}", "give a finite number"


def _values(compiled: CompiledFile) -> Iterator[tuple[str, Any]]:
    """Every default and every constant."""
    for name in (ROOT_NAME, *compiled.components):
        for key, item in compiled.inputs(name).items():
            yield f"default of {key} of {name}", item.get("defaultValue")
    for task in compiled.tasks():
        for key, item in task.parameters.items():
            yield f"{key} of {task.name}", item.get("runtimeValue", {}).get("constant")


def _numbers(value: Any) -> Iterator[float]:
    if isinstance(value, float):
        yield value
    elif isinstance(value, Mapping):
        yield from (number for item in value.values() for number in _numbers(item))
    elif isinstance(value, list):
        yield from (number for item in value for number in _numbers(item))


def container_component(compiled: CompiledFile) -> Wrong:
    """Local runs refuse container components and lose their artifacts."""
    for executor in compiled.executors():
        if not executor.function:
            yield (
                f"{executor.label} runs no component function",
                "write it with @dsl.component around a library function",
            )


def optional_without_default(compiled: CompiledFile) -> Wrong:
    """An Optional parameter that is left out fails in local runs."""
    for name in (ROOT_NAME, *compiled.components):
        for key, item in compiled.inputs(name).items():
            if item.get("isOptional") and "defaultValue" not in item:
                yield f"parameter {key} of {name} is optional without a default", "give it a plain default"


def large_inputs(compiled: CompiledFile) -> Wrong:
    """All inputs of a task travel on its command line."""
    for task in compiled.tasks():
        constants = [item.get("runtimeValue", {}).get("constant") for item in task.parameters.values()]
        defaults = [item.get("defaultValue") for item in compiled.inputs(task.component).values()]
        if (length := len(json.dumps([constants, defaults]))) > MOST_ARGUMENT_BYTES:
            yield f"{task.name} takes {length} bytes of inputs, more than {MOST_ARGUMENT_BYTES}", "pass an artifact"


def one_of_artifacts(compiled: CompiledFile) -> Wrong:
    """Local runs fail where an artifact comes from one of several branches."""
    for name in (ROOT_NAME, *compiled.components):
        for key, item in compiled.definition(name).get("dag", {}).get("outputs", {}).get("artifacts", {}).items():
            if len(item.get("artifactSelectors", ())) > 1:
                yield f"output {key} of {name} is one of several artifacts", "let one task make it"


def nested_without_parameter(compiled: CompiledFile) -> Wrong:
    """Local runs fail on a nested pipeline that takes artifacts and no parameter."""
    for name, item in compiled.components.items():
        if "dag" in item and _artifacts(compiled, name) and not compiled.inputs(name):
            yield f"{name} takes artifacts alone", "pass one parameter too"


PATTERNS: dict[str, Rule] = {
    "string-condition": string_condition,
    "loop-over-output": loop_over_output,
    "undeclared-input": undeclared_input,
    "not-a-number": not_a_number,
    "container-component": container_component,
    "optional-without-default": optional_without_default,
    "large-inputs": large_inputs,
    "one-of-artifacts": one_of_artifacts,
    "nested-without-parameter": nested_without_parameter,
}
