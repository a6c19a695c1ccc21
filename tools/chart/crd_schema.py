"""JSON Schemas of custom resources, made from the projects' own CRD files: `python -m tools.chart.crd_schema --help`.

Structure alone is kept, as apiextensions.k8s.io/v1 defines it: no prose, no rules in CEL, no status of an object.
Objects are closed, since an API server drops what a CRD does not name. What occurs twice stands in `$defs` once.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from robustcert.errors import InputError, RobustcertError, expected

FOLDER = Path(__file__).parent / "crds"
DRAFT = "https://json-schema.org/draft/2020-12/schema"
OBJECT_META = "https://kubernetes.io/api/_definitions.json#/$defs/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
KIND = "x-kubernetes-group-version-kind"
OPEN = "x-kubernetes-preserve-unknown-fields"
EITHER = "x-kubernetes-int-or-string"
EMBEDDED = "x-kubernetes-embedded-resource"
LISTS = ("allOf", "anyOf", "oneOf")
AS_IT_IS = {
    *("type", "enum", "format", "required", "uniqueItems", "multipleOf", "minimum", "maximum"),
    *("minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties"),
}
LONE_EQUALS = re.compile(r"^(\s*- )=$", re.MULTILINE)  # PyYAML refuses it: https://github.com/yaml/pyyaml/issues/89
WORTH_SHARING = 160  # characters of a part below which a reference saves nothing

Schema = dict[str, Any]


def schema_of(crd: Mapping[str, Any], *, source: str) -> Schema:
    """The closed schema of the version that a CustomResourceDefinition stores; InputError where it is none.

    `source` says where the CRD is from, under which licence.
    """
    if crd.get("kind") != "CustomResourceDefinition" or crd.get("apiVersion") != "apiextensions.k8s.io/v1":
        got = f"{crd.get('apiVersion')} {crd.get('kind')}"
        raise InputError(
            expected("a CustomResourceDefinition of apiextensions.k8s.io/v1", got=got, remedy="name its file")
        )
    spec = crd["spec"]
    version = next(version for version in spec["versions"] if version["storage"])
    kind = {"group": spec["group"], "version": version["name"], "kind": spec["names"]["kind"]}
    body = _converted(version["schema"]["openAPIV3Schema"])
    body["properties"] = _top(body["properties"], kind)
    body["required"] = sorted({"apiVersion", "kind", "metadata", *body.get("required", [])})
    return {"$schema": DRAFT, "$comment": source, KIND: [kind], **_shared(body)}


def file_name(schema: Schema) -> str:
    """cert-manager.io_v1_certificate.json"""
    kind = schema[KIND][0]
    return f"{kind['group']}_{kind['version']}_{kind['kind'].lower()}.json"


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the schema of each CRD file."""
    given = _parser().parse_args(arguments)
    try:
        for path in given.files:
            source = f"https://github.com/{given.repository} {given.release} {path}; {given.licence}; structure only"
            schema = schema_of(_read(given.checkout / path), source=source)
            target = given.out / file_name(schema)
            target.write_text(json.dumps(schema, separators=(",", ":"), sort_keys=True) + "\n")
            print(f"{target.name}: {target.stat().st_size:,} bytes")
    except RobustcertError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tools.chart.crd_schema", description=__doc__)
    add = parser.add_argument
    add("repository", help="owner/name on GitHub")
    add("release", help="the tag that is checked out")
    add("checkout", type=Path, help="folder of the checkout")
    add("files", nargs="+", help="CRD files, relative to the checkout")
    add("--licence", default="Apache-2.0", help="the project's licence (Apache-2.0)")
    add("--out", type=Path, default=FOLDER, help="folder of the schemas")
    return parser


def _read(path: Path) -> dict[str, Any]:
    try:
        found = yaml.load(LONE_EQUALS.sub(r'\1"="', path.read_text(encoding="utf-8")), Loader=yaml.CSafeLoader)
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise InputError(
            expected("a CRD in YAML", got=f"{path}: {type(error).__name__}", remedy="name a file of the checkout")
        ) from error
    return found if isinstance(found, dict) else {}


def _top(properties: Schema, kind: Mapping[str, str]) -> Schema:
    version = f"{kind['group']}/{kind['version']}"
    known = {"apiVersion": {"const": version}, "kind": {"const": kind["kind"]}, "metadata": {"$ref": OBJECT_META}}
    return {**{name: part for name, part in properties.items() if name != "status"}, **known}


def _converted(part: Mapping[str, Any], *, logical: bool = False) -> Schema:
    """A part in JSON Schema; a `logical` one, below anyOf and its like, only limits further and closes nothing."""
    found: Schema = {name: part[name] for name in AS_IT_IS & part.keys()}
    for name in ("items", "not"):
        if name in part:
            found[name] = _converted(part[name], logical=logical or name == "not")
    found |= {name: [_converted(item, logical=True) for item in part[name]] for name in LISTS if name in part}
    found |= _limits(part) | _pattern(part) | _fields(part, logical=logical)
    return _nullable(_embedded(found) if part.get(EMBEDDED) else found, part)


def _limits(part: Mapping[str, Any]) -> Schema:
    """OpenAPI says with a truth value that a limit itself is excluded; JSON Schema gives it a name of its own."""
    names = (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum"))
    return {name: part[limit] for name, limit in names if part.get(name)}


def _pattern(part: Mapping[str, Any]) -> Schema:
    """Go takes the flag (?i) anywhere, Python at the very beginning: there it lets pass no less."""
    if "pattern" not in part:
        return {}
    flag = "(?i)" if "(?i)" in part["pattern"] else ""
    pattern = flag + part["pattern"].replace("(?i)", "")
    try:
        re.compile(pattern)
    except re.error as error:
        raise InputError(
            expected("a pattern that Python reads", got=f"{pattern!r}: {error}", remedy="translate it in _pattern")
        ) from error
    return {"pattern": pattern}


def _fields(part: Mapping[str, Any], *, logical: bool) -> Schema:
    found: Schema = {}
    fields = part.get("properties", {})
    if fields:
        found["properties"] = {name: _converted(field, logical=logical) for name, field in fields.items()}
    filled = {name for name, field in fields.items() if "default" in field}  # before anything is required
    if "required" in part:
        found["required"] = sorted(set(part["required"]) - filled)
    if isinstance(part.get("additionalProperties"), Mapping):
        found["additionalProperties"] = _converted(part["additionalProperties"], logical=logical)
    elif part.get("type") == "object" and not logical and not part.get(OPEN) and not part.get("additionalProperties"):
        found["additionalProperties"] = False
    if part.get(EITHER):
        found["type"] = ["integer", "string"]
    return found


def _embedded(found: Schema) -> Schema:
    known = {"apiVersion": {"type": "string"}, "kind": {"type": "string"}, "metadata": {"$ref": OBJECT_META}}
    required = sorted({"apiVersion", "kind", *found.get("required", [])})
    return {**found, "properties": {**found.get("properties", {}), **known}, "required": required}


def _nullable(found: Schema, part: Mapping[str, Any]) -> Schema:
    return {"anyOf": [found, {"type": "null"}]} if part.get("nullable") else found


def _shared(body: Schema) -> Schema:
    """The same with parts that occur more than once in `$defs`, by number."""
    counts = Counter(text for part in _parts(body) if len(text := _text(part)) > WORTH_SHARING)
    names = {text: str(number) for number, text in enumerate(text for text, count in counts.items() if count > 1)}
    definitions = {number: _linked(json.loads(text), names) for text, number in names.items()}
    return _linked(body, names) | ({"$defs": definitions} if definitions else {})


def _parts(part: Any) -> list[Any]:
    """Each part that stands where JSON Schema allows a reference, from the outside in."""
    return [found for child in _children(part) for found in (child, *_parts(child))]


def _children(part: Schema) -> list[Schema]:
    single = [part[name] for name in ("items", "not", "additionalProperties") if isinstance(part.get(name), dict)]
    return [*part.get("properties", {}).values(), *single, *(item for name in LISTS for item in part.get(name, []))]


def _linked(part: Schema, names: Mapping[str, str]) -> Schema:
    def link(child: Any) -> Any:
        number = names.get(_text(child))
        return {"$ref": f"#/$defs/{number}"} if number else _linked(child, names)

    found = dict(part)
    if "properties" in part:
        found["properties"] = {name: link(child) for name, child in part["properties"].items()}
    for name in ("items", "not", "additionalProperties"):
        if isinstance(part.get(name), dict):
            found[name] = link(part[name])
    return found | {name: [link(item) for item in part[name]] for name in LISTS if name in part}


def _text(part: Schema) -> str:
    return json.dumps(part, separators=(",", ":"), sort_keys=True)


if __name__ == "__main__":
    sys.exit(main())
