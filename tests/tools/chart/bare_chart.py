"""The chart without its templates: Helm checks values by its schema, and does no more."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import helm_python
import yaml

from tools.chart.render import CHART
from tools.chart.values_schema import values_schema

SCHEMA = values_schema()
DEFAULTS = yaml.safe_load((CHART / "values.yaml").read_text())
TOLERATION = {"operator": "Exists"}
JOB = {"name": "a", "certificate": "a", "window": "s3://a/b", "schedule": "@daily", "resources": {}}
SCHEDULE = {"name": "a", "model": "a", "schedule": "1 2 * * *"}
# One of everything that a list or map may hold, so that every part of the schema has a place.
FILLED = {
    "externalSecrets": {"secrets": {"robustcert-store": {"KEY": {"key": "a"}}}},
    "exporter": {"tolerations": [TOLERATION], "extraEnv": [{"name": "A", "value": "b"}]},
    "drift": {"jobs": [JOB]},
    "recertification": {"schedules": [SCHEDULE]},
}


def bare_chart(folder: Path) -> Path:
    """Copies it into the folder."""
    for name in ("Chart.yaml", "values.yaml", "values.schema.json"):
        shutil.copy(CHART / name, folder)
    return folder


def refusal(chart: Path, values: dict[str, Any]) -> str:
    """What Helm says against the values; empty where it takes them."""
    with helm_python.Chart.load(str(chart)) as loaded:
        try:
            loaded.validate_schema(values)
        except helm_python.HelmValuesError as error:
            return str(error)
    return ""


def merged(first: dict[str, Any], second: dict[str, Any]) -> dict[str, Any]:
    """As Helm merges."""
    both = {
        name: merged(first[name], item) if isinstance(first.get(name), dict) and isinstance(item, dict) else item
        for name, item in second.items()
    }
    return {**first, **both}


def properties(path: tuple[str | int, ...]) -> list[str]:
    """Names that the schema knows at a path; none for free maps and plain values."""
    schema: dict[str, Any] = SCHEMA
    for step in (*path, None):
        while "$ref" in schema or "then" in schema:
            reference = schema.get("$ref") or schema["then"]["$ref"]
            schema = SCHEMA["definitions"][reference.rpartition("/")[2]]
        if step is None:
            break
        below = schema.get("properties", {}).get(step)
        schema = below or schema.get("items") or schema["additionalProperties"]
    return list(schema.get("properties", ()))


def places(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Every place in the values that has names of the schema."""
    if isinstance(value, dict | list):
        if isinstance(value, dict) and properties(path):
            yield path
        for step, item in value.items() if isinstance(value, dict) else enumerate(value):
            if isinstance(item, dict | list) and item:
                yield from places(item, (*path, step))
