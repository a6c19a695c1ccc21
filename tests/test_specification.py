"""The types of a specification and the JSON Schema made from them. The oracle for the schema is jsonschema."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from pydantic import ValidationError

from robustcert.specification import Certification, Criterion, Evaluation, Model, Specification, schema_json
from robustcert.specification_examples import EXAMPLES

CERTIFICATION: dict[str, Any] = {"sigma": 0.25, "unit": "input", "radii": [0, 0.5]}


def read(kind: Any, values: dict[str, Any]) -> Any:
    return kind.model_validate_json(json.dumps(values))


def test_the_committed_schema_is_the_one_that_the_types_make(root: Path) -> None:
    committed = (root / "robustcert/specification.v1.schema.json").read_text()
    assert committed == schema_json(), "write schema_json() to robustcert/specification.v1.schema.json"


def test_the_schema_is_valid_json_schema_of_2020_with_id_and_title() -> None:
    schema = json.loads(schema_json())
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["$id"] == "urn:robustcert:specification:v1:schema"
    assert schema["title"] == "Robustcert specification, robustcert/v1"


@pytest.mark.parametrize("kind", EXAMPLES)
def test_every_example_passes_the_schema_in_the_eyes_of_another_library(kind: str) -> None:
    jsonschema.Draft202012Validator(json.loads(schema_json())).validate(json.loads(json.dumps(EXAMPLES[kind])))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("acceptance", 0, "threshold"), 95),
        (("threatModels", 0, "norm"), "l3"),
        (("threatModels", 0, "epsilon"), 0),
        (("threatModels", 0, "bounds"), [0]),
        (("owner",), {"name": "x"}),
        (("epsilonn",), 1),
        (("seed",), -1),
        (("seed",), 2**63),
        (("certification", "alpha"), 0.5),
        (("certification", "n"), 99),
        (("model", "hidden"), []),
        (("name",), "Digits"),
        (("apiVersion",), "robustcert/v2"),
        (("training", "epochs"), 1.5),
        (("intendedUse",), ""),
    ],
)
def test_types_and_schema_refuse_the_same(path: tuple[Any, ...], value: object) -> None:
    values: Any = json.loads(json.dumps(EXAMPLES["digits"]))
    place = values
    for part in path[:-1]:
        place = place[part]
    place[path[-1]] = value
    with pytest.raises(ValidationError):
        read(Specification, values)
    assert not jsonschema.Draft202012Validator(json.loads(schema_json())).is_valid(values)


def test_every_example_in_the_schema_is_legal_where_it_stands() -> None:
    schema = json.loads(schema_json())
    for part in [schema, *schema["$defs"].values()]:
        for node in part["properties"].values():
            for example in node.get("examples", ()):
                jsonschema.Draft202012Validator({**node, "$defs": schema["$defs"]}).validate(example)


def test_every_key_has_a_description_or_belongs_to_a_threat_model() -> None:
    schema = json.loads(schema_json())
    bare = {
        (name, key)
        for name, part in {"Specification": schema, **schema["$defs"]}.items()
        for key, node in part["properties"].items()
        if "description" not in node
    }
    assert {name for name, _ in bare} <= {"ThreatModel"}


def test_a_specification_is_frozen() -> None:
    specification = read(Specification, json.loads(json.dumps(EXAMPLES["digits"])))
    with pytest.raises(ValidationError, match="frozen"):
        specification.seed = 1


def test_a_threat_model_is_found_by_name() -> None:
    specification = read(Specification, json.loads(json.dumps(EXAMPLES["digits"])))
    assert specification.threat("l2-0.5").epsilon == 0.5
    with pytest.raises(KeyError):
        specification.threat("l2-0.6")


@pytest.mark.parametrize(
    ("kind", "values", "message"),
    [
        (Model, {}, "expected exactly one of architecture, factory, onnx, got none"),
        (Model, {"architecture": "mlp", "onnx": "m.onnx"}, "got architecture and onnx"),
        (Model, {"onnx": "m.onnx", "weights": "m.safetensors"}, "expected no 'weights' next to 'onnx'"),
        (Evaluation, {"curve": [0.5, 1.5]}, "with 1 among them"),
        (Evaluation, {"curve": [1, 0.5]}, "expected ascending multiples"),
        (Certification, {**CERTIFICATION, "radii": [0.5, 0.1]}, r"expected ascending radii, got \[0.5, 0.1\]"),
        (Certification, {**CERTIFICATION, "radii": [0.1, 0.1]}, "drop repetitions"),
        (Criterion, {"metric": "clean_accuracy", "comparator": "<=", "threshold": 0.9}, "turn the comparator"),
        (Criterion, {"metric": "accuracy_under_attack", "comparator": ">=", "threshold": 0.9}, "'threatModel' with"),
        (Criterion, {"metric": "certified_accuracy", "comparator": ">=", "threshold": 0.9}, "'radius' with"),
        (Criterion, {"metric": "clean_accuracy", "comparator": ">=", "threshold": 0.9, "radius": 0}, "'radius' with"),
    ],
)
def test_what_does_not_belong_together_is_refused(kind: Any, values: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        read(kind, values)
