"""Objects against the schemas of Kubernetes, strictly: what an API server would refuse or drop is a finding.

The schemas of Kubernetes' own kinds are the strict ones of the package kubernetes-validate; those of custom resources
lie in tools/chart/crds. A kind that neither knows is a finding. What no schema checks (cron strings, names, selectors)
is for tools/lint_chart.py.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator, ValidationError
from jsonschema.exceptions import best_match
from referencing import Registry, Resource

from robustcert.errors import InputError, expected

VERSIONS = tuple(f"1.{minor}" for minor in range(29, 38))  # what we support: kubeVersion of the chart to the newest
CUSTOM = Path(__file__).parent / "crds"
DEFINITIONS = "https://kubernetes.io/api/_definitions.json"
KIND = "x-kubernetes-group-version-kind"
LONGEST = 160  # characters of a wrong value that are shown

Name = tuple[str, str]  # apiVersion, kind


def schema_findings(objects: Iterable[Mapping[str, Any]], *, version: str) -> list[str]:
    """One line for each part of an object that Kubernetes `version`, such as 1.29, does not take.

    Raises InputError for a version that we do not support.
    """
    if version not in VERSIONS:
        raise InputError(expected(f"a version of {', '.join(VERSIONS)}", got=version, remedy="name one of them"))
    return [f"{_label(item)}: {finding}" for item in objects for finding in _findings(item, version)]


def custom_kinds() -> dict[Name, Path]:
    """The custom resources that we have a schema of: apiVersion and kind -> its file."""
    return {_names(json.loads(path.read_text(encoding="utf-8")))[0]: path for path in sorted(CUSTOM.glob("*.json"))}


def _findings(item: Mapping[str, Any], version: str) -> Iterator[str]:
    name = (str(item.get("apiVersion")), str(item.get("kind")))
    validator = _validators(version).get(name)
    if validator is None:
        yield _unknown(name, version)
        return
    for error in sorted(validator.iter_errors(item), key=lambda error: error.json_path):
        yield _sentence(best_match([error]), version)


@cache
def _validators(version: str) -> dict[Name, Draft202012Validator]:
    definitions = _definitions(version)
    registry = Registry().with_resource(DEFINITIONS, Resource.from_contents(definitions))
    own = {
        name: Draft202012Validator({"$ref": f"{DEFINITIONS}#/$defs/{key}"}, registry=registry)
        for key, part in definitions["$defs"].items()
        for name in _names(part)
        if "metadata" in part.get("properties", {})  # others are parts of requests, never installed
    }
    custom = {name: json.loads(path.read_text(encoding="utf-8")) for name, path in custom_kinds().items()}
    return own | {name: Draft202012Validator(schema, registry=registry) for name, schema in custom.items()}


@cache
def _definitions(version: str) -> dict[str, Any]:
    folder = files("kubernetes_validate") / "kubernetes-json-schema" / f"v{version}.0-local-strict"
    found: dict[str, Any] = json.loads((folder / "_definitions.json").read_text(encoding="utf-8"))
    return found


def _names(part: Mapping[str, Any]) -> list[Name]:
    """Under which apiVersion and kind a schema is known; the group without a name is `v1` alone."""
    return [("/".join(filter(None, (kind["group"], kind["version"]))), kind["kind"]) for kind in part.get(KIND, [])]


def _label(item: Mapping[str, Any]) -> str:
    metadata = item.get("metadata")
    return f"{item.get('kind')}/{metadata.get('name') if isinstance(metadata, Mapping) else None}"


def _unknown(name: Name, version: str) -> str:
    known = _validators(version)
    others = sorted(other for other, kind in known if kind == name[1])
    near = get_close_matches(name[1], sorted({kind for _, kind in known}), n=1)
    remedy = (
        f"use {' or '.join(others)}"
        if others
        else f"is {near[0]} meant?"
        if near
        else "add its CRD to tools/chart/crds"
    )
    return expected(f"an API of Kubernetes {version}", got=" ".join(name), remedy=remedy)


def _sentence(error: ValidationError, version: str) -> str:
    path = ".".join(map(str, error.absolute_path)) or "the object"
    return f"{path}: {_reason(error)} (Kubernetes {version})"


def _reason(error: ValidationError) -> str:
    if error.validator == "additionalProperties":
        fields = error.schema.get("properties", {})
        wrong = sorted(set(error.instance) - set(fields))
        near = [found for name in wrong for found in get_close_matches(name, fields, n=1)]
        return expected("known fields", got=", ".join(wrong), remedy=f"is {near[0]} meant?" if near else "remove it")
    return error.message if len(error.message) <= LONGEST else f"{error.message[:LONGEST]}..."
