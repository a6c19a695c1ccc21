"""Turns what the typed model refuses into our words: expected, got, remedy, with the line of the offending key.

What was expected is read from the model's own JSON Schema at that place, so that it can't differ from what is checked.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from robustcert.errors import expected
from robustcert.specification_problem import Problem, dotted, line_of, shown_value
from robustcert.specification_schema import Schema, in_words, keys_at, meaning, schema_at
from robustcert.suggestion import did_you_mean, nearest
from robustcert.yaml_document import Path, Value, YamlDocument

MAX_PROBLEMS = 100


def problems_in_words(error: ValidationError, document: YamlDocument, *, name: str) -> list[Problem]:
    """One problem per place in the order of the lines, at most `MAX_PROBLEMS` of them."""
    places: dict[Path, ErrorDetails] = {}
    for details in error.errors(include_url=False):
        places.setdefault(_place(details, document.value), details)
    hidden = _containers(places) | _misspelt(places)
    paths = sorted((path for path in places if path not in hidden), key=lambda path: line_of(path, document.lines))
    return [_problem(path, places[path], document, name=name) for path in paths[:MAX_PROBLEMS]]


def _containers(places: Mapping[Path, ErrorDetails]) -> set[Path]:
    """Places that contain another one: what is wrong is said there."""
    return {path[:depth] for path in places for depth in range(len(path))}


def _misspelt(places: Mapping[Path, ErrorDetails]) -> set[Path]:
    """Missing keys that are there, misspelt: the unknown key's problem names them."""
    unknown = [path for path, details in places.items() if details["type"] == "extra_forbidden"][:MAX_PROBLEMS]
    meant = {(*path[:-1], nearest(str(path[-1]), keys_at(path[:-1]))) for path in unknown}
    return {path for path, details in places.items() if details["type"] == "missing" and path in meant}


def _problem(path: Path, details: ErrorDetails, document: YamlDocument, *, name: str) -> Problem:
    message = _MESSAGE_OF_ERROR.get(details["type"], _wrong_value)(path, details)
    return Problem(name=name, path=dotted(path), line=line_of(path, document.lines), message=message)


def _place(details: ErrorDetails, value: Value) -> Path:
    """The part of pydantic's location that exists in the document; it also names branches of unions."""
    path: list[str | int] = []
    for part in details["loc"]:
        if isinstance(value, dict) and part in value:
            path, value = [*path, part], value[str(part)]
        elif isinstance(value, list) and isinstance(part, int) and part < len(value):
            path, value = [*path, part], value[part]
    return (*path, details["loc"][-1]) if details["type"] == "missing" else tuple(path)


def _missing(path: Path, details: ErrorDetails) -> str:
    return expected(f"'{path[-1]}'", got="no such key", remedy=f"add it ({meaning(path)})")


def _unknown_key(path: Path, details: ErrorDetails) -> str:
    known = keys_at(path[:-1])
    otherwise = f"known here: {', '.join(known)}"
    return f"unknown key {shown_value(str(path[-1]))}; {did_you_mean(str(path[-1]), known, otherwise=otherwise)}"


def _own_words(path: Path, details: ErrorDetails) -> str:
    return str(details["ctx"]["error"])


def _wrong_value(path: Path, details: ErrorDetails) -> str:
    schema, value = schema_at(path), details["input"]
    remedy = next((hint for hint in (advise(value, schema) for advise in _ADVICE) if hint), None)
    return expected(in_words(schema), got=shown_value(value), remedy=remedy or _correct_it(path))


def _correct_it(path: Path) -> str:
    if not path:
        return "start from what robustcert init writes"
    return f"correct it ({meaning(path)})" if "description" in schema_at(path) else "correct it"


def _quote_it(value: object, schema: Schema) -> str | None:
    plain = isinstance(value, (int, float)) and "text" in in_words(schema)
    return f"put it in quotes: '{json.dumps(value)}'" if plain else None


def _unquote_it(value: object, schema: Schema) -> str | None:
    if not isinstance(value, str) or "number" not in in_words(schema):
        return None
    try:
        float(value)
    except ValueError:
        return None
    return "write it without quotes, as a plain decimal number"


def _write_a_share(value: object, schema: Schema) -> str | None:
    share = schema.get("maximum") == 1 and isinstance(value, (int, float)) and 1 < value <= 100
    return f"write {value / 100:g} for {value:g} %" if share and isinstance(value, (int, float)) else None


def _write_a_whole(value: object, schema: Schema) -> str | None:
    whole = isinstance(value, float) and value.is_integer() and "whole" in in_words(schema)
    return f"write {value:.0f}" if whole else None


def _nearest_choice(value: object, schema: Schema) -> str | None:
    meant = nearest(value, schema["enum"]) if isinstance(value, str) and "enum" in schema else None
    return f"did you mean '{meant}'?" if meant else None


def _write_a_list(value: object, schema: Schema) -> str | None:
    scalar = isinstance(value, (str, int, float)) and "list" in in_words(schema)
    return f"write it as a list: [{value}]" if scalar and len(str(value)) < 40 else None


_ADVICE: tuple[Callable[[object, Schema], str | None], ...] = (
    _quote_it,
    _unquote_it,
    _write_a_share,
    _write_a_whole,
    _nearest_choice,
    _write_a_list,
)
_MESSAGE_OF_ERROR: dict[str, Callable[[Path, ErrorDetails], str]] = {
    "missing": _missing,
    "extra_forbidden": _unknown_key,
    "value_error": _own_words,
}
