"""Says what is wrong with values of the chart, one line each, before anything is installed.

    python -m tools.chart.check VALUES.yaml ...

Several files count as with `helm --values`: the later one wins. First every value by itself (name, form, limits), then,
where these are right, all of them together as Helm renders them, and when their schedules come. Exit status 2 where
something is wrong. A file is read as Helm reads it, but for what Helm takes without a word and nobody means: a name
twice, a name that is a number, true, false or null, and aliases that grow beyond all measure.
"""

from __future__ import annotations

import re
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
from tools.chart.checks.release import Release, findings
from tools.chart.checks.schedules import SCHEDULES
from tools.chart.render import CHART, render
from tools.chart.values import Values
from tools.chart.values_schema import Schema
from tools.chart.wording import Place, in_words, names_at, resolved, schema_at

MOST_BYTES = 1 << 20  # a release of Helm's is kept in a Secret, which holds no more
MOST_VALUES = 50_000  # aliases written out
MOST_LEVELS = 64
MOST_DIGITS = 40
YAML = "tag:yaml.org,2002:"
PLAIN = {f"{YAML}{name}" for name in ("null", "bool", "int", "float", "str", "seq", "map", "merge")}
NUMBER = re.compile(rf"(?!.*(?i:inf|nan)).{{1,{MOST_DIGITS}}}")
PLACE_OF_HELM = re.compile(r"^\S+: execution error at \([^)]*\): ")


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
        found += when(objects, values)
    except RobustcertError as error:
        found = [PLACE_OF_HELM.sub("", one_line(str(error)))]
    if found:
        sys.stderr.write("".join(f"{line}\n" for line in found))
        return 2
    sys.stdout.write(f"right: {len(objects)} objects\n")
    return 0


def read(path: Path) -> dict[str, Any]:
    """The values in a file; InputError where it is no YAML or no mapping."""
    try:
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
        if len(data) > MOST_BYTES:
            raise InputError(expected(f"at most {MOST_BYTES} bytes", got=f"{path}: more", remedy="shorten it"))
        _require_shallow(data, path)
        root = yaml.compose(data, Loader=yaml.CSafeLoader)
        for count, _ in enumerate(_plain(root, (), path) if root else ()):
            if count > MOST_VALUES:
                got = f"{path}: more, with aliases written out"
                raise InputError(expected(f"at most {MOST_VALUES} values", got=got, remedy="shorten it"))
        found = yaml.SafeLoader("").construct_document(root) if root else None
    except (OSError, yaml.YAMLError) as error:
        raise InputError(
            expected("a file of YAML", got=f"{path}: {one_line(str(error))}", remedy="correct it")
        ) from error
    if not isinstance(found, dict | None):
        raise InputError(expected("names and values", got=f"{path}: {shown_value(found)}", remedy="correct it"))
    return found or {}


def _require_shallow(data: bytes, path: Path) -> None:
    """InputError where parts are in parts too deep: what reads them next would use up the stack."""
    level = 0
    for event in yaml.parse(data, Loader=yaml.CSafeLoader):
        level += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if level > MOST_LEVELS:
            assert event.start_mark is not None, "PyYAML marks every event"
            line = event.start_mark.line + 1
            raise InputError(expected(f"at most {MOST_LEVELS} levels", got=f"{path}:{line}: more", remedy="correct it"))


def _plain(node: yaml.Node, place: Place, path: Path) -> Iterator[None]:
    """A step for each value, aliases written out; InputError where one has no counterpart in Helm's values."""
    yield
    if len(place) > MOST_LEVELS:
        raise _unlike_helm(node, place[:3], path, what="a value that does not hold itself", got="one that does")
    if node.tag == f"{YAML}timestamp":
        node.tag = f"{YAML}str"
    if node.tag not in PLAIN:
        got = f"!!{node.tag.removeprefix(YAML)}"
        raise _unlike_helm(node, place, path, what="text, numbers, lists and maps", got=got)
    if node.tag in (f"{YAML}int", f"{YAML}float") and not NUMBER.fullmatch(node.value):
        what = f"a finite number of at most {MOST_DIGITS} characters"
        raise _unlike_helm(node, place, path, what=what, got=shown_value(node.value))
    if isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            yield from _plain(item, (*place, index), path)
    elif isinstance(node, yaml.MappingNode):
        yield from _plain_map(node, place, path)


def _plain_map(node: yaml.MappingNode, place: Place, path: Path) -> Iterator[None]:
    lines: dict[str, int] = {}
    for key, value in node.value:
        if key.tag not in (f"{YAML}str", f"{YAML}merge"):
            got = shown_value(key.value) if isinstance(key, yaml.ScalarNode) else "a list or map"
            raise _unlike_helm(key, place, path, what="text as a name", got=got, remedy="put it in quotes")
        line = key.start_mark.line + 1
        if key.value in lines:
            got = f"it on lines {lines[key.value]} and {line}"
            raise _unlike_helm(key, (*place, key.value), path, what="a name once", got=got, remedy="keep one")
        lines[key.value] = line
        yield from _plain(value, (*place, key.value), path)


def _unlike_helm(
    node: yaml.Node, place: Place, path: Path, *, what: str, got: str, remedy: str = "correct it"
) -> InputError:
    where = f"{dotted(place)}: " if place else ""
    return InputError(f"{path}:{node.start_mark.line + 1}: {where}{expected(what, got=got, remedy=remedy)}")


def when(objects: Sequence[Mapping[str, Any]], values: Mapping[str, Any]) -> list[str]:
    """A line for each CronJob whose schedule or time zone Kubernetes would refuse, or which never comes."""
    release = Release(
        objects=tuple(map(dict, objects)), name="robustcert", namespace="robustcert", values=dict(values), chart=CHART
    )
    return [one_line(str(finding)) for finding in findings(release, SCHEDULES)]


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
