"""Every component as a pipeline of its own that Kubeflow's UI can start: artifacts are given as URIs.

The UI asks for parameters only, so a component with an artifact among its inputs can't be started alone. Here each
artifact is asked for as `<name>_uri`, a list of artifacts as `<name>_uris`, and imported; the rest is the component's.
An address is one that Kubeflow itself reads: s3://, minio:// or gs://, or a path in a local run.
"""

import inspect
from collections.abc import Iterator
from typing import Any, List, get_args  # noqa: UP035  kfp reads this name, not the built-in one

from kfp import dsl

from pipelines.drift_monitoring import Records, RecordSecret, signs_records
from pipelines.input_group import NAMED, pipeline
from pipelines.inputs import Issue
from pipelines.node_pool import (
    GPU_STEPS,
    CompileTime,
    NodePool,
    asks_registry,
    on_any_node,
    on_gpu_pool,
    opens_store,
    signs,
)

DEFAULTS = {"signing_key": Issue.signing_key, "record_key": Records.record_key}
SIGNS_RECORDS = "drift_monitoring"
FILLED_IN = {"job_id": dsl.PIPELINE_JOB_ID_PLACEHOLDER}


def by_uri(component: Any, fixed: CompileTime) -> Any:
    """A pipeline of one component; its name is the component's with `-by-uri`."""

    def run(pool: NodePool, **given: Any) -> None:
        pool = fixed.on(pool)
        arguments = {name: _argument(component, name, given) for name in component.component_spec.inputs}
        task = component(**arguments)
        _placed(task, component.python_func.__name__, pool=pool, fixed=fixed)
        if "secret" in given:
            signs_records(task, given["secret"])

    run.__name__ = f"{component.python_func.__name__}_by_uri"
    run.__doc__ = _docstring(component)
    groups = [_SECRET, _POOL] if component.python_func.__name__ == SIGNS_RECORDS else [_POOL]
    run.__signature__ = inspect.Signature([*_parameters(component), *groups])  # type: ignore[attr-defined]
    return pipeline(name=run.__name__.replace("_", "-"))(run)


_POOL = inspect.Parameter("pool", NAMED, annotation=NodePool)
_SECRET = inspect.Parameter("secret", NAMED, annotation=RecordSecret)


def _parameters(component: Any) -> Iterator[inspect.Parameter]:
    for name, item in _asked(component):
        if _artifact(item) is None:
            yield item.replace(default=DEFAULTS.get(name, item.default), kind=NAMED)
        else:
            many = component.component_spec.inputs[name].is_artifact_list
            yield inspect.Parameter(_uri_name(component, name), NAMED, annotation=List[str] if many else str)  # noqa: UP006


def _asked(component: Any) -> Iterator[tuple[str, inspect.Parameter]]:
    written = inspect.signature(component.python_func).parameters
    return ((name, written[name]) for name in component.component_spec.inputs if name not in FILLED_IN)


def _artifact(item: inspect.Parameter) -> Any:
    """The class of an artifact, None for a parameter; an input artifact is Annotated[class or List[class], ...]."""
    parts = get_args(item.annotation)
    if not hasattr(item.annotation, "__metadata__"):
        return None
    return get_args(parts[0])[0] if get_args(parts[0]) else parts[0]


def _uri_name(component: Any, name: str) -> str:
    return f"{name}_uris" if component.component_spec.inputs[name].is_artifact_list else f"{name}_uri"


def _argument(component: Any, name: str, given: dict[str, Any]) -> Any:
    if name in FILLED_IN:
        return FILLED_IN[name]
    kind = _artifact(inspect.signature(component.python_func).parameters[name])
    if kind is None:
        return given[name]
    addresses = given[_uri_name(component, name)]
    if not component.component_spec.inputs[name].is_artifact_list:
        return dsl.importer(artifact_uri=addresses, artifact_class=kind).output
    with dsl.ParallelFor(items=addresses) as address:
        imported = dsl.importer(artifact_uri=address, artifact_class=kind)
    return dsl.Collected(imported.output)


def _placed(task: Any, name: str, *, pool: NodePool, fixed: CompileTime) -> None:
    if name in GPU_STEPS:
        on_gpu_pool(task, pool, fixed)
    else:
        on_any_node(task, pool)
    if name != "gate":
        opens_store(task, pool)
    if name == "certificate_issue":
        signs(task, pool)
    if name == "publish":
        asks_registry(task, pool)


def _docstring(component: Any) -> str:
    inputs = component.component_spec.inputs
    lines = [
        f"    {name}: {inputs[name].description}"
        if _artifact(item) is None
        else f"    {_uri_name(component, name)}: Where it lies. {inputs[name].description}"
        for name, item in _asked(component)
    ]
    return "\n".join([f"{component.description.splitlines()[0]}", "", "Args:", *lines])
