"""Rules of the lint about what runs: machines, images, installations, secrets, sizes.

A rule takes a compiled file and yields pairs: what is wrong and where, and what to do about it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from pipelines.node_pool import GPU_STEPS, SHARED_MEMORY
from tools.compiled_file import ROOT_NAME, CompiledFile, Executor, Parts, Task, read_compiled

Wrong = Iterator[tuple[str, str]]
Rule = Callable[[CompiledFile], Wrong]

# Which step alone has a secret, by the input that names it, and what hands it over.
SECRET_PARTS = ("secretAsEnv", "secretAsVolume")
OWN_SECRETS = {
    "signing_secret": ("certificate_issue", "signs"),
    "registry_secret": ("publish", "asks_registry"),
    "drift_secret": ("drift_monitoring", "signs_records"),
}

MOST_BYTES = 1 << 20  # Kubernetes refuses a workflow of 1.5 MiB, and the server adds to what it is given
MOST_ARGUMENT_BYTES = 128 << 10  # Linux: one argument of a program; Argo hands a driver each part as one
MOST_PARAMETER_BYTES = 10_000  # Kubeflow: all parameters of a run
SAMPLES, SHARDS = 500, 64  # what the sizes are computed for

INPUT = re.compile(r"\{\{\$\.inputs\.parameters\['((?:pipelinechannel--)?[\w-]+)'\]\}\}")
PINNED = re.compile(r"[\w.:/-]+(?::[\w.-]*\d[\w.-]*|(?::[\w.-]+)?@sha256:[0-9a-f]{64})")
INSTALLS = re.compile(
    r"\b(?:pip3?|conda|mamba|uv|apt|apt-get|apk|npm)\b(?:[^\n]*\b|['\",\s]{1,40})(?:install|add|sync)\b|-m\s+(?:pip|ensurepip)\b"
)
SECRET_NAME = re.compile(r"pass(?:word|wd|phrase)|secret|credential|(?:access|private|api)_?key|bearer", re.IGNORECASE)
SECRET_VARIABLE = re.compile(f"{SECRET_NAME.pattern}|token", re.IGNORECASE)
SECRET_VALUE = re.compile(
    r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b|-----BEGIN [A-Z ]*PRIVATE KEY|\bgh[pousr]_\w{30,}|\beyJ[\w-]{10,}\.eyJ"
    r"|\b[a-z][a-z0-9+.-]*://[^/\s:@'\"]+:[^/\s:@'\"]+@"
)


def gpu_pool_settings(compiled: CompiledFile) -> Wrong:
    """Every executor that computes on a GPU has all settings of a node pool, each from an input."""
    for executor in compiled.executors():
        if compiled.is_pipeline and (executor.function in GPU_STEPS or _resources(executor).get("accelerator")):
            for setting, given in _pool_settings(executor).items():
                if not given:
                    yield f"{executor.label} lacks {setting}", "hand the task to on_gpu_pool (pipelines/node_pool.py)"


def _resources(executor: Executor) -> Parts:
    found: Parts = executor.container.get("resources", {})
    return found


def _pool_settings(executor: Executor) -> dict[str, object]:
    resources, told = _resources(executor), executor.kubernetes
    accelerator = resources.get("accelerator", {})
    amounts = ("resourceCpuRequest", "resourceCpuLimit", "resourceMemoryRequest", "resourceMemoryLimit")
    shared = [item for item in told.get("emptyDirMounts", ()) if item.get("mountPath") == SHARED_MEMORY]
    return {
        "accelerator.resourceType": _is_input(accelerator.get("resourceType")),
        "accelerator.resourceCount": _is_input(accelerator.get("resourceCount")),
        **{name: _is_input(resources.get(name)) for name in amounts},
        "nodeSelectorJson": _from_input(told.get("nodeSelector", {}), "nodeSelectorJson"),
        "tolerationJson": any(_from_input(item, "tolerationJson") for item in told.get("tolerations", ())),
        "nodeAffinityJson": any(_from_input(item, "nodeAffinityJson") for item in told.get("nodeAffinity", ())),
        f"{SHARED_MEMORY} in memory": any(item.get("medium") == "Memory" and item.get("sizeLimit") for item in shared),
        "activeDeadlineSeconds": told.get("activeDeadlineSeconds"),
    }


def _is_input(value: object) -> bool:
    return isinstance(value, str) and INPUT.fullmatch(value) is not None


def _from_input(part: Parts, name: str) -> bool:
    return bool(part.get(name, {}).get("componentInputParameter"))


def node_settings(compiled: CompiledFile) -> Wrong:
    """Every executor of a pipeline takes its image and pull secret from inputs, and is not cached by address."""
    for executor in compiled.executors() if compiled.is_pipeline else ():
        remedy = "hand the task to on_any_node (pipelines/node_pool.py)"
        if not _is_input(executor.container.get("image")):
            yield f"{executor.label} takes its image from no input", remedy
        if not any(_from_input(item, "secretNameParameter") for item in executor.kubernetes.get("imagePullSecret", ())):
            yield f"{executor.label} lacks imagePullSecret", remedy
        for task in compiled.tasks_of(executor):
            if task.spec.get("cachingOptions", {}).get("enableCache"):
                yield f"{task.name} is cached by Kubeflow, which compares addresses, not contents", remedy


def pinned_image(compiled: CompiledFile) -> Wrong:
    """An image carries a version or a digest, also where it comes from a constant or the default of an input."""
    images = {where: image for executor in compiled.executors() for where, image in _images(compiled, executor)}
    for where, image in images.items():
        if not PINNED.fullmatch(str(image)):
            yield f"{where} has the image {image!r}", "name a version with a digit in it, or @sha256: and a digest"


def _images(compiled: CompiledFile, executor: Executor) -> Iterator[tuple[str, object]]:
    """Every text that an executor's image may come to, with its place."""
    image = str(executor.container.get("image", ""))
    if (source := INPUT.fullmatch(image)) is None:
        yield executor.label, image
        return
    for task in compiled.tasks_of(executor):
        yield from _texts_given(compiled, task, source[1])


def _texts_given(compiled: CompiledFile, task: Task, name: str) -> Iterator[tuple[str, object]]:
    """Constants and defaults that a parameter of a task may have, through all graphs around it."""
    source = task.parameters.get(name, {"componentInputParameter": name})
    outer = source.get("componentInputParameter")
    if outer is None:
        yield f"{name} of {task.name}", source.get("runtimeValue", {}).get("constant", "of a task's output")
    elif task.parent == ROOT_NAME:
        yield f"input {outer}", compiled.inputs(ROOT_NAME).get(outer, {}).get("defaultValue")
    else:
        for caller in compiled.tasks():
            if caller.component == task.parent:
                yield from _texts_given(compiled, caller, outer)


def no_installation(compiled: CompiledFile) -> Wrong:
    """Nothing is installed when a task starts: the image holds everything."""
    for executor in compiled.executors():
        text = " ".join(str(item) for part in ("command", "args") for item in executor.container.get(part, ()))
        if found := INSTALLS.search(text):
            yield (
                f"{executor.label} runs {found.group()[:60]!r}",
                "put the package into the image (components/Dockerfile)",
            )


def no_secret(compiled: CompiledFile) -> Wrong:
    """No secret travels as a parameter or as text of an executor; an input may name a Secret, and no step sees it."""
    for executor in compiled.executors():
        for name in _environment(executor):
            yield f"{executor.label} sets {name} to a text", "take it from a Secret with use_secret_as_env"
    for name in (ROOT_NAME, *compiled.components):
        for parameter in _secret_parameters(compiled, name):
            yield f"parameter {parameter} of {name}", "mount a Secret, and pass the path of its file"
    for value in _texts([compiled.spec, compiled.platform]):
        if found := SECRET_VALUE.search(value):
            yield f"a text that looks like a secret: {found.group()[:8]}...", "remove it, and revoke it"


def _environment(executor: Executor) -> list[str]:
    names = [str(item.get("name", "")) for item in executor.container.get("env", ())]
    return [name for name in names if SECRET_VARIABLE.search(name)]


def _secret_parameters(compiled: CompiledFile, component: str) -> list[str]:
    found = [name for name in compiled.inputs(component) if SECRET_NAME.search(name)]
    return [name for name in found if not _names_a_secret(compiled, component, name)]


def _names_a_secret(compiled: CompiledFile, component: str, parameter: str) -> bool:
    """Whether an input is the name of a Secret or of an image pull secret, which only the platform part uses."""
    return parameter.endswith("_secret") and "executorLabel" not in compiled.definition(component)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        yield from (text for item in value.items() for text in _texts(item))
    elif isinstance(value, list | tuple):
        yield from (text for item in value for text in _texts(item))


def secrets_in_place(compiled: CompiledFile) -> Wrong:
    """A secret is named by an input and reaches its own step alone; every step that opens the store has the store's."""
    for executor in compiled.executors() if compiled.is_pipeline else ():
        named = set(_secret_inputs(executor))
        for name, (owner, function) in OWN_SECRETS.items():
            if (name in named) != (executor.function == owner):
                yield f"{executor.label} and the {name}", f"hand {owner}, and nothing else, to {function}"
        if "" in named:
            yield f"{executor.label} has a secret of a fixed name", "take its name from an input"
        opens = any("store" in compiled.inputs(task.component) for task in compiled.tasks_of(executor))
        given = [part for part in SECRET_PARTS if "store_secret" in _secret_inputs(executor, part)]
        if given != (list(SECRET_PARTS) if opens else []):
            yield (
                f"{executor.label} and the store's secret",
                "hand every task with a store, and no other, to opens_store",
            )


def _secret_inputs(executor: Executor, *parts: str) -> Iterator[str]:
    for part in parts or SECRET_PARTS:
        for item in executor.kubernetes.get(part, ()):
            source = item.get("secretNameParameter", {}).get("componentInputParameter", "")
            yield source.removeprefix("pipelinechannel--")


def size(compiled: CompiledFile) -> Wrong:
    """File and arguments stay below what Kubernetes, Argo and Kubeflow take, for 500 samples in 64 shards."""
    names = json.dumps([f"{shard}/{SHARDS}" for shard in range(1, SHARDS + 1)])
    whole = compiled.size + MOST_PARAMETER_BYTES + SHARDS * len(names)
    if whole > MOST_BYTES:
        yield f"{whole} bytes with its arguments, more than {MOST_BYTES}", "pass what is large as an artifact"
    parts = {**compiled.components, **compiled.spec.get("deploymentSpec", {}).get("executors", {})}
    for name, part in parts.items():
        if (length := len(json.dumps(part)) + len(names)) > MOST_ARGUMENT_BYTES:
            remedy = "import what the component does from the image, and pass what is large as an artifact"
            yield f"{name} takes {length} bytes, more than the {MOST_ARGUMENT_BYTES} of one argument", remedy
    defaults = {key: item.get("defaultValue") for key, item in compiled.inputs(ROOT_NAME).items()}
    if (length := len(json.dumps(defaults))) > MOST_PARAMETER_BYTES:
        yield f"defaults of {length} bytes, more than {MOST_PARAMETER_BYTES}", "take a URI in place of a text"


def described(compiled: CompiledFile) -> Wrong:
    """Every input says what it is, where a person fills it in."""
    for name, item in compiled.inputs(ROOT_NAME).items():
        if not str(item.get("description", "")).strip():
            yield f"input {name} has no description", "write it under Args: in the docstring"


def same_in_both_forms(compiled: CompiledFile) -> Wrong:
    """A custom resource holds what the form for REST holds, so that both ways start the same pipeline."""
    if compiled.path.parent.name == "custom_resources":
        twin = read_compiled(compiled.path.parent.parent / compiled.path.name)
        if (twin.spec, twin.platform) != (compiled.spec, compiled.platform):
            yield "the pipeline differs from that of the form for REST", "run `make generate`"


RULES: dict[str, Rule] = {
    "gpu-pool-settings": gpu_pool_settings,
    "node-settings": node_settings,
    "pinned-image": pinned_image,
    "no-installation": no_installation,
    "no-secret": no_secret,
    "secrets-in-place": secrets_in_place,
    "size": size,
    "described": described,
    "same-in-both-forms": same_in_both_forms,
}
