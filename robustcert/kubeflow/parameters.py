"""Values for a pipeline's inputs, checked against the pipeline's own definitions before anything is sent."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NoReturn

from robustcert.errors import InputError, expected
from robustcert.kubeflow.compiled import Input
from robustcert.suggestion import did_you_mean

# What the server takes for all parameters of a run together (MAX_PARAMETER_BYTES of Kubeflow Pipelines).
MOST_BYTES = 10_000
AT_LEAST_ONE = {"shards", "workers", "processes"}

_KINDS: Mapping[str, tuple[str, Callable[[object], bool]]] = {
    "STRING": ("a text", lambda value: isinstance(value, str)),
    "NUMBER_INTEGER": ("an integer", lambda value: isinstance(value, int) and not isinstance(value, bool)),
    "NUMBER_DOUBLE": ("a finite number", lambda value: _is_number(value)),
    "BOOLEAN": ("true or false", lambda value: isinstance(value, bool)),
    "LIST": ('a list in JSON, such as ["a", "b"]', lambda value: isinstance(value, list)),
    "STRUCT": ('an object in JSON, such as {"pool": "gpu"}', lambda value: isinstance(value, dict)),
}


def read_settings(settings: Iterable[str], inputs: Mapping[str, Input]) -> dict[str, Any]:
    """Values of texts `name=value`, each read as its input's type; InputError on unknown names and other types."""
    found: dict[str, Any] = {}
    for setting in settings:
        name, separator, text = setting.partition("=")
        if not separator:
            raise InputError(expected("name=value after --set", got=repr(setting), remedy="write it so"))
        if name in found:
            raise InputError(expected(f"input '{name}' once", got="it twice", remedy="keep one --set"))
        known = _known(name, inputs)
        found[name] = text if known.kind == "STRING" else _read(text)
        _require_kind(found[name], known, got=text)
    _require_amounts(found)
    return found


def checked(values: Mapping[str, Any], inputs: Mapping[str, Input]) -> dict[str, Any]:
    """`values` themselves where every input is known, of its type, and none that is required is missing."""
    for name, value in values.items():
        _require_kind(value, _known(name, inputs), got=json.dumps(value))
    missing = [known.name for known in inputs.values() if known.required and known.name not in values]
    if missing:
        remedy = f"add --set {missing[0]}=..."
        raise InputError(expected(f"a value for the input '{missing[0]}'", got="none", remedy=remedy))
    size = size_in_bytes(values)
    if size > MOST_BYTES:
        remedy = "shorten the longest, or put it into the store and give its URI"
        raise InputError(expected(f"at most {MOST_BYTES} bytes of parameters", got=size, remedy=remedy))
    return dict(values)


def size_in_bytes(values: Mapping[str, Any]) -> int:
    """Bytes of the values in the server's own JSON at its longest: with spaces, and `<`, `>`, `&` as \\u003c.

    >>> size_in_bytes({"a": "<"})
    15
    """
    text = json.dumps(dict(values))
    return len(text) + 5 * sum(text.count(character) for character in "<>&")


def _known(name: str, inputs: Mapping[str, Input]) -> Input:
    if name not in inputs:
        remedy = did_you_mean(name, inputs, otherwise="it has " + ", ".join(inputs))
        raise InputError(expected("an input of the pipeline", got=repr(name), remedy=remedy))
    return inputs[name]


def _require_amounts(values: Mapping[str, Any]) -> None:
    for name in values.keys() & AT_LEAST_ONE:
        if values[name] < 1:
            raise InputError(expected(f"1 or more for the input '{name}'", got=values[name], remedy="correct it"))
    if not re.fullmatch("[0-9]{1,4}", values.get("gpus", "0")):
        raise InputError(expected("a number of GPUs for the input 'gpus'", got=repr(values["gpus"]), remedy="write 1"))


def _read(text: str) -> Any:
    try:
        return json.loads(text, parse_constant=_no_number)
    except (ValueError, RecursionError):
        return None


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text}, which is no JSON")


def _require_kind(value: object, known: Input, *, got: str) -> None:
    what, fits = _KINDS.get(known.kind, ("a value", lambda _: True))
    if not fits(value):
        got = got if len(got) <= 80 else f"{got[:80]}..."
        raise InputError(expected(f"{what} for the input '{known.name}'", got=got, remedy="correct it"))


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
