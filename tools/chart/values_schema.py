"""Writes charts/robustcert/values.schema.json, by which Helm checks what is given, and editors help to write it.

Made from what pydantic says of the values, with shorter answers: one line for one problem, and for a misspelt name the
right one. How: `additionalProperties: false` names the place and the wrong name, and `propertyNames` says which name is
meant, by the patterns of tools/chart/typo.py, asked one after the other where a name is unknown.

JSON Schema draft-07 is what every Helm 3 and 4 and the editors know, and Helm reads it in three quarters of the time
that 2020-12 takes (benchmarks/chart_render.py). It ignores what stands beside `$ref`: only annotations do, here.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from tools.chart import part
from tools.chart.render import CHART
from tools.chart.typo import pattern
from tools.chart.values import Values

PATH = CHART / "values.schema.json"
DIALECT = "http://json-schema.org/draft-07/schema#"
DEFINITIONS = "#/definitions/"
COMMENT = "Made by `make generate` from tools/chart; not edited by hand."
WORDS = (
    "Name",
    "ShortName",
    "ObjectName",
    "Label",
    "Quantity",
    "OptionalQuantity",
    "Duration",
    "PrometheusDuration",
    "Cron",
    "Digest",
)
SAID_ELSEWHERE = ("title", "type")  # where a value is one of a few
KEPT = ("description", "default", "examples")

Schema = dict[str, Any]


def generated() -> dict[Path, str]:
    """The file and its text."""
    return {PATH: json.dumps(values_schema(), indent=1, ensure_ascii=False) + "\n"}


def values_schema() -> Schema:
    """The whole schema."""
    whole = Values.model_json_schema(by_alias=True, ref_template=DEFINITIONS + "{model}")
    parts = whole.pop("$defs")
    in_lists = set(_parts_in_lists([whole, *parts.values()]))
    root = _object(whole, required=False)
    definitions = {name: _object(schema, required=name in in_lists) for name, schema in parts.items()}
    meant = {_like(name): {"pattern": text} for name, text in _patterns([root, *definitions.values()]).items()}
    head = {"$schema": DIALECT, "$comment": COMMENT, "title": "Values of the chart robustcert"}
    return {**head, **root, "definitions": {**definitions, **_words(), **meant}}


def _object(schema: Schema, *, required: bool) -> Schema:
    """A part. Only in lists must something be given: elsewhere values.yaml has it, which editors don't know."""
    properties = {name: _value(item) for name, item in schema["properties"].items()}
    found = {
        "description": " ".join(schema["description"].split()),
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
        "propertyNames": _names(list(properties)),
    }
    return {**found, "required": schema["required"]} if required and "required" in schema else found


def _names(names: list[str]) -> Schema:
    """Says of an unknown name which one is meant, the first that it is like."""
    asked: Schema = {}
    for name in reversed(names):
        following = {"else": asked} if asked else {}
        asked = {"if": {"$ref": DEFINITIONS + _like(name)}, "then": {"const": name}, **following}
    return {"if": {"enum": names}, "else": asked}


def _like(name: str) -> str:
    return f"like-{name}"


def _patterns(objects: list[Schema]) -> dict[str, str]:
    """Name -> what is nearly it and not nearly another one of the same part, in all parts."""
    siblings: dict[str, set[str]] = defaultdict(set)
    for names in (set(item["properties"]) for item in objects):
        for name in names:
            siblings[name] |= names - {name}
    return {name: pattern(name, siblings=sorted(others)) for name, others in sorted(siblings.items())}


def _value(schema: Schema) -> Schema:
    """A value: the words of tools/chart/part.py by reference, choices without what makes an answer longer."""
    kept = {name: schema[name] for name in KEPT if name in schema}
    form = _form({name: item for name, item in schema.items() if name not in KEPT and name != "title"})
    return {**_by_name(form), **kept}


def _form(schema: Schema) -> Schema:
    if "anyOf" in schema:
        return _joined(schema["anyOf"])
    if "enum" in schema or "const" in schema:
        return {name: item for name, item in schema.items() if name != "type"}
    if schema.get("additionalProperties") is True:
        return {"type": "object"}
    return {name: _value(item) if name in ("items", "additionalProperties") else item for name, item in schema.items()}


def _joined(choices: list[Schema]) -> Schema:
    """Several types as one: a keyword says nothing about other types than its own, so that an answer is one line."""
    part_of = next((choice for choice in choices if "$ref" in choice), None)
    if part_of:
        return {"type": ["object", "null"], "if": {"type": "object"}, "then": part_of}
    types = [choice["type"] for choice in choices]
    return {key: item for choice in choices for key, item in _form(choice).items()} | {"type": types}


def _by_name(schema: Schema) -> Schema:
    return next(({"$ref": DEFINITIONS + name} for name, word in _words().items() if word == schema), schema)


def _words() -> dict[str, Schema]:
    return {name: _form(TypeAdapter(getattr(part, name)).json_schema()) for name in WORDS}


def _parts_in_lists(schemas: list[Schema]) -> Iterator[str]:
    """Names of parts that stand in lists and maps."""
    text = json.dumps(schemas)
    for keyword in ("items", "additionalProperties"):
        for rest in text.split(f'"{keyword}": {{"$ref": "{DEFINITIONS}')[1:]:
            yield rest.partition('"')[0]
