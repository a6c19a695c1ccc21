"""What a specification's JSON Schema says about one place in it: its keys, its meaning, and what it expects."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from robustcert.specification import Specification
from robustcert.yaml_document import Path

Schema = Mapping[str, Any]

_PATTERN_WORDS = {
    r"^[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?$": "a name of up to 63 lower-case letters, digits, '.' and '-'",
    r"^[0-9a-f]{64}$": "a SHA-256 of 64 lower-case hexadecimal digits",
    r"^\d{4}-\d{2}-\d{2}$": "a day such as 2030-12-31",
    r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$": "a function as package.module:function",
    r"^[a-z0-9-]+@\d+$": "a suite as name@version",
}
_LIMIT_WORDS = (
    ("minimum", "of at least"),
    ("exclusiveMinimum", "above"),
    ("maximum", "at most"),
    ("exclusiveMaximum", "below"),
)


def schema_at(path: Iterable[str | int]) -> Schema:
    """The JSON Schema of the value at `path`; empty where the model has none."""
    node = _whole_schema()
    for part in path:
        node = _resolved(node)
        if isinstance(part, int):
            node = _first(node, "items")
        else:
            node = node.get("properties", {}).get(part) or _first(node, "additionalProperties")
    return node


def keys_at(path: Path) -> tuple[str, ...]:
    """The keys that the model knows at `path`."""
    return tuple(_resolved(schema_at(path)).get("properties", {}))


def is_required(path: Path) -> bool:
    """Whether the key at the end of `path` has no default."""
    return path[-1] in _resolved(schema_at(path[:-1])).get("required", ())


def in_words(schema: Schema) -> str:
    """What a schema expects, for example "a number from 0 to 1"."""
    if "anyOf" in schema:
        return " or ".join(in_words(choice) for choice in schema["anyOf"] if choice.get("type") != "null")
    if "const" in schema:
        return f"'{schema['const']}'"
    if "enum" in schema:
        return "one of " + ", ".join(repr(choice) for choice in schema["enum"])
    schema = _resolved(schema)
    return _WORDS_OF_TYPE[schema["type"]](schema) if "type" in schema else "another value"


def meaning(path: Path) -> str:
    """What the value at `path` is for: its description on one line, else what it expects."""
    schema = schema_at(path)
    return str(schema.get("description") or in_words(schema)).split("\n")[0]


def _text_in_words(schema: Schema) -> str:
    if "pattern" in schema:
        return _PATTERN_WORDS.get(schema["pattern"], f"text of the form {schema['pattern']}")
    lengths = _limits(schema, low="minLength", high="maxLength")
    return f"text of {lengths} characters" if lengths else "text"


def _number_in_words(schema: Schema) -> str:
    kind = "a whole number" if schema["type"] == "integer" else "a number"
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is not None and high is not None:
        return f"{kind} from {low} to {high}"
    limits = [f"{word} {schema[key]}" for key, word in _LIMIT_WORDS if key in schema]
    return " ".join([kind, " and ".join(limits)]) if limits else kind


def _list_in_words(schema: Schema) -> str:
    lengths = _limits(schema, low="minItems", high="maxItems")
    return f"a list of {lengths}" if lengths else "a list"


def _limits(schema: Schema, *, low: str, high: str) -> str:
    least, most = schema.get(low), schema.get(high)
    if least == most:
        return "" if least is None else str(least)
    if most is None:
        return f"at least {least}"
    return f"at most {most}" if not least else f"{least} to {most}"


_WORDS_OF_TYPE: dict[str, Callable[[Schema], str]] = {
    "object": lambda _: "a mapping of keys to values",
    "array": _list_in_words,
    "string": _text_in_words,
    "integer": _number_in_words,
    "number": _number_in_words,
    "boolean": lambda _: "true or false",
}


@functools.cache
def _whole_schema() -> Schema:
    return Specification.model_json_schema(by_alias=True)


def _resolved(schema: Schema) -> Schema:
    """Follows $ref, and the one choice of anyOf that has parts (an optional mapping or list)."""
    for choice in schema.get("anyOf", ()):
        if "$ref" in choice or choice.get("type") == "array":
            schema = choice
    if "$ref" in schema:
        return _first(_whole_schema()["$defs"], schema["$ref"].rpartition("/")[2])
    return schema


def _first(schema: Schema, key: str) -> Schema:
    found = schema.get(key)
    return found if isinstance(found, Mapping) else {}
