"""Groups of inputs that pipelines share: written once, with type, default and the sentence that the form shows.

kfp reads a pipeline's inputs from a signature and their descriptions from a docstring. A parameter whose type is a
group of inputs stands for all of the group's inputs: `pipeline` puts them into both, and hands the function the group.
"""

import inspect
from collections.abc import Callable, Iterator, Sequence
from dataclasses import MISSING, Field, fields
from typing import Any

from kfp import dsl

NAMED = inspect.Parameter.KEYWORD_ONLY
REQUIRED = inspect.Parameter.empty


class InputGroup:
    """A frozen dataclass of inputs; inside a pipeline each field holds the input's channel."""

    def parameters(self) -> dict[str, Any]:
        """The channels by the names of their inputs, as a nested pipeline takes them."""
        return {part.name: getattr(self, part.name) for part in group_fields(type(self))}


def form(description: str) -> dict[str, str]:
    """A field's metadata: the sentence that describes the input where a person fills it in."""
    return {"description": description}


def group_fields(group: Any) -> Sequence[Field[Any]]:
    """The inputs of a group, in the order in which they are written."""
    return fields(group)


def pipeline(*, name: str) -> Callable[[Callable[..., Any]], Any]:
    """As kfp's decorator; a parameter whose type is an InputGroup is replaced by the group's inputs."""

    def decorate(function: Callable[..., Any]) -> Any:
        return dsl.pipeline(name=name)(_expanded(function))

    return decorate


def _expanded(function: Callable[..., Any]) -> Callable[..., Any]:
    signature = inspect.signature(function)
    written = list(signature.parameters.values())
    inputs = list(_inputs(written))

    def expanded(*channels: Any) -> Any:
        given = dict(zip((item.name for item in inputs), channels, strict=True))
        return function(**{item.name: _argument(item, given) for item in written})

    expanded.__name__ = function.__name__
    expanded.__doc__ = _docstring(function, written)
    expanded.__signature__ = signature.replace(parameters=inputs)  # type: ignore[attr-defined]
    return expanded


def _inputs(written: Sequence[inspect.Parameter]) -> Iterator[inspect.Parameter]:
    for item in written:
        if not _is_group(item):
            yield item.replace(kind=NAMED)
            continue
        for part in group_fields(item.annotation):
            yield inspect.Parameter(part.name, NAMED, default=_default(part), annotation=part.type)


def _default(part: Field[Any]) -> Any:
    if part.default_factory is not MISSING:
        return part.default_factory()
    return REQUIRED if part.default is MISSING else part.default


def _argument(item: inspect.Parameter, given: dict[str, Any]) -> Any:
    if not _is_group(item):
        return given[item.name]
    return item.annotation(**{part.name: given[part.name] for part in group_fields(item.annotation)})


def _is_group(item: inspect.Parameter) -> bool:
    return isinstance(item.annotation, type) and issubclass(item.annotation, InputGroup)


def _docstring(function: Callable[..., Any], written: Sequence[inspect.Parameter]) -> str:
    """The function's own, with a line for every input of its groups at the end of `Args:`, its last section."""
    text = str(inspect.getdoc(function))
    parts = [part for item in written if _is_group(item) for part in group_fields(item.annotation)]
    lines = [f"    {part.name}: {part.metadata['description']}" for part in parts]
    return "\n".join([text, *([] if "\nArgs:\n" in text else ["", "Args:"]), *lines])
