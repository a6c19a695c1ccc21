"""What the chart's schema says of one place in the values, in words: its names, and what is expected there."""

from __future__ import annotations

import functools

from tools.chart.values_schema import Schema, values_schema

Place = tuple[str | int, ...]

DEFINED = {
    "Name": "a name of up to 63 lower-case letters, digits and '-'",
    "ShortName": "a name of up to 40 lower-case letters, digits and '-' that begins with a letter",
    "Label": "a label's value of up to 63 letters, digits, '-', '_' and '.'",
    "ObjectName": "a name of lower-case letters, digits, '-' and '.'",
    "Quantity": "a quantity such as 500m, 2 or 1Gi",
    "OptionalQuantity": "a quantity such as 500m, 2 or 1Gi, or nothing between quotes",
    "Duration": "a time such as 90s, 15m, 6h or 14d",
    "PrometheusDuration": "a time such as 30s or 1m30s",
    "Cron": "a schedule such as '15 * * * *' or '@daily'",
    "Digest": "a digest, sha256: and 64 lower-case hexadecimal digits",
}
TYPES = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "names with values",
    "null": "null",
}


def schema_at(place: Place) -> Schema:
    """The schema of a place; empty where anything may stand, as in an object of Kubernetes'."""
    node: Schema = _whole()
    for step in place:
        node = resolved(node)
        below = node.get("items") if isinstance(step, int) else node.get("properties", {}).get(step)
        node = below or _open(node)
    return node


def names_at(place: Place) -> tuple[str, ...]:
    """The names that exist at a place."""
    return tuple(resolved(schema_at(place)).get("properties", ()))


def in_words(schema: Schema) -> str:
    """What a schema expects.

    >>> in_words({"type": "integer", "minimum": 1, "maximum": 9}), in_words({"type": ["integer", "null"]})
    ('a whole number from 1 to 9', 'a whole number or null')
    """
    name = str(schema.get("$ref", "")).rpartition("/")[2]
    if name in DEFINED:
        return DEFINED[name]
    schema = resolved(schema)
    if "const" in schema or "enum" in schema:
        choices = schema.get("enum", [schema.get("const")])
        return " or ".join(_shown(choice) for choice in choices)
    types = schema.get("type", "string")
    words = [TYPES[one] for one in ([types] if isinstance(types, str) else types)]
    return " or ".join([words[0] + _limits(schema), *words[1:]])


def resolved(schema: Schema) -> Schema:
    """The schema that a reference means; a part that may be left out is the part."""
    reference = schema.get("$ref") or schema.get("then", {}).get("$ref")
    return resolved(_whole()["definitions"][reference.rpartition("/")[2]]) if reference else schema


def _limits(schema: Schema) -> str:
    if "pattern" in schema:
        return f" that matches {schema['pattern']}"
    if "minLength" in schema:
        return " that is not empty"
    least, most = (schema.get(f"{side}imum") for side in ("min", "max"))
    if least is not None:
        return f" of at least {least:g}" if most is None else f" from {least} to {most}"
    longest = next((schema[key] for key in ("maxLength", "maxItems") if key in schema), None)
    return "" if longest is None else f" of at most {longest}"


def _open(schema: Schema) -> Schema:
    """The schema of names that the user chooses."""
    found = schema.get("additionalProperties")
    return found if isinstance(found, dict) else {}


def _shown(choice: object) -> str:
    return {True: "true", False: "false"}[choice] if isinstance(choice, bool) else f"'{choice}'"


@functools.cache
def _whole() -> Schema:
    return values_schema()
