"""Says what is wrong with values of the chart, one line each, before anything is installed.

    python -m tools.chart.check VALUES.yaml ...

Several files count as with `helm --values`: the later one wins. First every value by itself (name, form, limits), then,
where these are right, all of them together as Helm renders them. Exit status 2 where something is wrong.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from robustcert.errors import InputError, RobustcertError, expected
from robustcert.specification_problem import dotted, one_line, shown_value
from robustcert.suggestion import did_you_mean, nearest
from tools.chart.render import render
from tools.chart.values import Values
from tools.chart.values_schema import Schema
from tools.chart.wording import Place, in_words, names_at, resolved, schema_at


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line."""
    paths = [Path(name) for name in (sys.argv[1:] if arguments is None else arguments)]
    try:
        if not paths:
            raise InputError(expected("files of values", got="none", remedy="name them"))
        values: Mapping[str, Any] = {}
        for path in paths:
            values = merged(values, read(path))
        found = list(problems(values))
        objects = [] if found else render(values)
    except RobustcertError as error:
        found = [one_line(str(error))]
    if found:
        sys.stderr.write("".join(f"{line}\n" for line in found))
        return 2
    sys.stdout.write(f"right: {len(objects)} objects\n")
    return 0


def read(path: Path) -> dict[str, Any]:
    """The values in a file; InputError where it is no YAML or no mapping."""
    try:
        found = yaml.load(path.read_bytes(), Loader=yaml.CSafeLoader)
    except (OSError, yaml.YAMLError) as error:
        raise InputError(
            expected("a file of YAML", got=f"{path}: {one_line(str(error))}", remedy="correct it")
        ) from error
    if not isinstance(found, dict | None):
        raise InputError(expected("names and values", got=f"{path}: {shown_value(found)}", remedy="correct it"))
    return found or {}


def merged(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, Any]:
    """Both as Helm joins them: maps by their names, everything else as the second one says.

    >>> merged({"a": {"b": 1, "c": [1]}}, {"a": {"c": [2]}, "d": 3})
    {'a': {'b': 1, 'c': [2]}, 'd': 3}
    """
    both = {
        name: merged(first[name], item) if isinstance(first.get(name), dict) and isinstance(item, dict) else item
        for name, item in second.items()
    }
    return {**first, **both}


def problems(values: Mapping[str, Any]) -> Iterator[str]:
    """A line for each value that is wrong by itself."""
    whole = merged(Values().model_dump(by_alias=True, mode="json"), values)
    try:
        Values.model_validate(whole, strict=True)
    except ValidationError as error:
        said: dict[Place, str] = {}
        for details in error.errors(include_url=False):
            place = _place(details, whole)
            if details["input"] is not None or not _may_be_taken_away(place):
                said.setdefault(place, _SAID.get(details["type"], _wrong)(place, details))
        yield from (f"{dotted(place)}: {text}" for place, text in said.items())


def _may_be_taken_away(place: Place) -> bool:
    """Whether null is Helm's word for "without the default" there: not for a part, nor in a list."""
    return not names_at(place) and not any(isinstance(step, int) for step in place)


def _place(details: ErrorDetails, value: Any) -> Place:
    """The part of pydantic's location that is in the values; it also names branches of unions."""
    place: list[str | int] = []
    for step in details["loc"]:
        inner = dict(enumerate(value)) if isinstance(value, list) else value
        if isinstance(inner, dict) and step in inner:
            place, value = [*place, step], inner[step]
    return (*place, details["loc"][-1]) if details["type"] == "missing" else tuple(place)


def _unknown(place: Place, details: ErrorDetails) -> str:
    known = names_at(place[:-1])
    remedy = did_you_mean(str(place[-1]), known, otherwise=f"known here: {', '.join(known)}")
    return expected("a name that exists", got=shown_value(place[-1]), remedy=remedy)


def _missing(place: Place, details: ErrorDetails) -> str:
    return expected(in_words(schema_at(place)), got="none", remedy=f"give it ({_meaning(schema_at(place))})")


def _own_words(place: Place, details: ErrorDetails) -> str:
    what = str(details["ctx"]["error"]).removeprefix("expected ")
    return expected(what, got=shown_value(details["input"]), remedy=f"correct it ({_meaning(schema_at(place))})")


def _wrong(place: Place, details: ErrorDetails) -> str:
    schema, value = schema_at(place), details["input"]
    meant = nearest(value, resolved(schema).get("enum", ())) if isinstance(value, str) else None
    remedy = f"did you mean '{meant}'?" if meant else f"correct it ({_meaning(schema)})"
    return expected(in_words(schema), got=shown_value(value), remedy=remedy)


def _meaning(schema: Schema) -> str:
    return str(schema.get("description", "as the part above says")).rstrip(".")


_SAID: dict[str, Callable[[Place, ErrorDetails], str]] = {
    "extra_forbidden": _unknown,
    "missing": _missing,
    "value_error": _own_words,
}


if __name__ == "__main__":
    sys.exit(main())
