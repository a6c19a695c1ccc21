"""Schemas of custom resources: each word of a CRD in a small one of our own, and the committed files."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from robustcert.errors import InputError
from tools.chart.crd_schema import FOLDER, file_name, main, schema_of

FIELDS: dict[str, Any] = {
    "text": {"type": "string", "description": "prose", "default": "a", "pattern": "^((?i)abort|warn)$"},
    "port": {"x-kubernetes-int-or-string": True, "anyOf": [{"type": "integer"}, {"type": "string"}]},
    "open": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
    "any": {"x-kubernetes-preserve-unknown-fields": True},
    "labels": {"type": "object", "additionalProperties": {"type": "string"}},
    "closed": {"type": "object", "properties": {"a": {"type": "integer", "minimum": 1, "exclusiveMinimum": True}}},
    "nothing": {"type": "object"},
    "null": {"type": "string", "nullable": True},
    "list": {"type": "array", "maxItems": 1, "items": {"type": "object", "properties": {"a": {"type": "string"}}}},
    "pod": {"type": "object", "x-kubernetes-embedded-resource": True, "properties": {"spec": {"type": "object"}}},
    "either": {
        "type": "object",
        "properties": {"a": {"type": "string"}, "b": {"type": "string"}},
        "oneOf": [{"required": ["a"]}, {"required": ["b"]}],
        "x-kubernetes-validations": [{"rule": "self.a != ''"}],
    },
}
POD = {"apiVersion": "v1", "kind": "Pod"}
CRD: dict[str, Any] = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "spec": {
        "group": "example.org",
        "names": {"kind": "Thing", "plural": "things"},
        "versions": [
            {"name": "v1alpha1", "served": True, "storage": False, "schema": {"openAPIV3Schema": {"type": "object"}}},
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "properties": {
                            "apiVersion": {"type": "string"},
                            "kind": {"type": "string"},
                            "metadata": {"type": "object"},
                            "spec": {"type": "object", "required": ["text"], "properties": FIELDS},
                            "status": {"type": "object"},
                        },
                    }
                },
            },
        ],
    },
}


def is_taken(spec: Any) -> bool:
    schema = schema_of(CRD, source="here")
    schema["properties"]["metadata"] = {"type": "object"}  # the reference is to Kubernetes' own definitions
    schema["properties"]["spec"]["properties"]["pod"]["properties"]["metadata"] = {"type": "object"}
    jsonschema.Draft202012Validator.check_schema(schema)
    item = {"apiVersion": "example.org/v1", "kind": "Thing", "metadata": {}, "spec": spec}
    return jsonschema.Draft202012Validator(schema).is_valid(item)


@pytest.mark.parametrize(
    ("field", "right", "wrong"),
    [
        ("text", ["WARN", "abort"], [1, None, "stop"]),
        ("port", [80, "http"], [1.5, None, []]),
        ("open", [{}, {"a": {"b": 1}}], ["a", None]),
        ("any", [{}, "a", 1, [None]], []),
        ("labels", [{}, {"a": "b"}], [{"a": 1}]),
        ("closed", [{}, {"a": 2}], [{"b": 2}, {"a": 1}, {"a": "2"}]),
        ("nothing", [{}], [{"a": 1}]),
        ("null", ["a", None], [1]),
        ("list", [[], [{"a": "b"}]], [[{}, {}], [{"b": "a"}], {}]),
        ("pod", [{**POD, "metadata": {}, "spec": {}}], [{}, {**POD, "a": 1}]),
        ("either", [{"a": "b"}, {"b": "a"}], [{}, {"a": "b", "b": "a"}, {"a": "b", "c": "d"}]),
    ],
)
def test_a_word_of_a_crd_means_the_same(field: str, right: list[Any], wrong: list[Any]) -> None:
    assert [is_taken({field: value}) for value in right] == [True] * len(right)
    assert [is_taken({field: value}) for value in wrong] == [False] * len(wrong)


def test_a_required_field_with_a_default_may_be_left_out() -> None:
    assert is_taken({})


def test_the_stored_version_is_taken_with_its_names_and_without_status() -> None:
    schema = schema_of(CRD, source="here")
    assert file_name(schema) == "example.org_v1_thing.json"
    assert schema["$comment"] == "here"
    assert schema["required"] == ["apiVersion", "kind", "metadata"]
    assert set(schema["properties"]) == {"apiVersion", "kind", "metadata", "spec"}
    assert "prose" not in json.dumps(schema)


@pytest.mark.parametrize(
    "item", [{}, {"kind": "CustomResourceDefinition", "apiVersion": "apiextensions.k8s.io/v1beta1"}]
)
def test_another_object_is_refused(item: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=r"expected a CustomResourceDefinition of apiextensions\.k8s\.io/v1, got"):
        schema_of(item, source="here")


def test_a_pattern_that_only_go_reads_is_refused() -> None:
    crd = json.loads(json.dumps(CRD))
    crd["spec"]["versions"][1]["schema"]["openAPIV3Schema"]["properties"]["spec"]["pattern"] = r"^\pN+$"
    with pytest.raises(InputError, match="expected a pattern that Python reads, got"):
        schema_of(crd, source="here")


def test_the_program_writes_what_it_reads_with_its_origin(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    large = {"type": "object", "properties": {f"field{number}": {"type": "string"} for number in range(20)}}
    FIELDS_TWICE = {**FIELDS, "one": large, "other": large, "equals": {"type": "string", "enum": ["="]}}
    crd = json.loads(json.dumps(CRD))
    crd["spec"]["versions"][1]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"] = FIELDS_TWICE
    (tmp_path / "crd.yaml").write_text(yaml.safe_dump(crd).replace("'='", "="))
    assert main(["example/things", "v1.2.3", str(tmp_path), "crd.yaml", "--out", str(tmp_path)]) == 0
    text = (tmp_path / "example.org_v1_thing.json").read_text()
    assert (
        json.loads(text)["$comment"] == "https://github.com/example/things v1.2.3 crd.yaml; Apache-2.0; structure only"
    )
    assert text.count("field19") == 1
    assert '"enum":["="]' in text
    assert "example.org_v1_thing.json: " in capsys.readouterr().out


def test_a_file_that_is_no_crd_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["example/things", "v1.2.3", str(tmp_path), "crd.yaml", "--out", str(tmp_path)]) == 2
    assert "error: expected a CRD in YAML, got " in capsys.readouterr().err


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.json")), ids=lambda path: path.stem)
def test_a_committed_schema_is_small_closed_and_says_where_it_is_from(path: Path) -> None:
    schema = json.loads(path.read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    assert path.name == file_name(schema)
    assert schema["$comment"].startswith("https://github.com/")
    assert "; Apache-2.0; structure only" in schema["$comment"]
    assert schema["additionalProperties"] is False
    assert all("additionalProperties" in part for part in objects(schema))
    assert "description" not in schema
    assert path.stat().st_size < 30_000


def objects(part: Any) -> Iterator[dict[str, Any]]:
    """Parts with fields, but for the logical ones that only limit further."""
    if isinstance(part, dict):
        if isinstance(part.get("properties"), dict) and part.get("type") == "object":
            yield part
        for key, child in part.items():
            if key not in ("allOf", "anyOf", "oneOf", "not"):
                yield from objects(child)
    elif isinstance(part, list):
        for child in part:
            yield from objects(child)


def test_the_folder_is_small() -> None:
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 400_000
