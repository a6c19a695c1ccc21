"""values.schema.json: right values pass, wrong ones are refused at their place, by Helm and by jsonschema alike."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from tests.tools.chart.bare_chart import DEFAULTS, FILLED, SCHEMA, bare_chart, merged, properties, refusal
from tools.chart.render import ci_values
from tools.chart.values_schema import PATH

WRONG = {
    "nameOverride: A_b": "/nameOverride",
    "commonLabels: {a: 1}": "/commonLabels/a",
    "images: {pullPolicy: always}": "/images/pullPolicy",
    "images: {monitoring: {tag: latest}}": "/images/monitoring/tag",
    "images: {steps: {digest: 'sha256:0'}}": "/images/steps/digest",
    "store: {uri: 'http://bucket'}": "/store/uri",
    "store: {uri: 's3://who:secret@bucket/x'}": "/store/uri",
    "podSecurity: {runAsUser: 0}": "/podSecurity/runAsUser",
    "podSecurity: {fsGroup: staff}": "/podSecurity/fsGroup",
    "kubeflow: {host: 'http://user@host'}": "/kubeflow/host",
    "kubeflow: {runs: {memory: lots}}": "/kubeflow/runs/memory",
    "kubeflow: {runs: {gpus: 17}}": "/kubeflow/runs/gpus",
    "kubeflow: {runs: {gpus: 1.5}}": "/kubeflow/runs/gpus",
    "kubeflow: {runs: {gpus: '1'}}": "/kubeflow/runs/gpus",
    "exporter: {enabled: 'yes'}": "/exporter/enabled",
    "exporter: {service: {port: 70000}}": "/exporter/service/port",
    "exporter: {deployed: {namespaces: [a, b]}}": "/exporter/deployed/namespaces",
    "exporter: {resources: {requests: {cpu: some}}}": "/exporter/resources/requests/cpu",
    "exporter: {resources: {limits: {cpu: -1}}}": "/exporter/resources/limits/cpu",
    "exporter: {tolerations: [{effect: NoSchedul}]}": "/exporter/tolerations/0/effect",
    "exporter: {tolerations: {}}": "/exporter/tolerations",
    "exporter: {extraEnv: [{value: a}]}": "/exporter/extraEnv/0",
    "exporter: 3": "/exporter",
    "controller: {settings: {coolDown: 6 hours}}": "/controller/settings/coolDown",
    "controller: {tls: {duration: 90d}}": "/controller/tls/duration",
    "admissionGate: {enabled: true}": "/admissionGate/enabled",
    "drift: {jobs: [{name: a}]}": "/drift/jobs/0",
    "recertification: {schedules: [{name: a, model: a, schedule: soon}]}": "/recertification/schedules/0/schedule",
    "externalSecrets: {secrets: {a: {b: {}}}}": "/externalSecrets/secrets/a/b",
    "networkPolicy: {dns: {ports: [dns]}}": "/networkPolicy/dns/ports/0",
    "unheard: {of: 1}": "",
    "exporter: {unheardOf: 1}": "/exporter",
}


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The chart without templates."""
    return bare_chart(tmp_path_factory.mktemp("chart"))


def test_the_schema_is_one_of_its_dialect() -> None:
    jsonschema.Draft7Validator.check_schema(SCHEMA)
    assert json.loads(PATH.read_text()) == SCHEMA


@pytest.mark.parametrize("name", ci_values())
def test_the_installations_that_are_tried_are_accepted_by_both(bare: Path, name: str) -> None:
    values = ci_values()[name]
    assert refusal(bare, values) == ""
    jsonschema.Draft7Validator(SCHEMA).validate(merged(DEFAULTS, values))
    jsonschema.Draft7Validator(SCHEMA).validate(values)  # as an editor sees it, without the defaults


def test_one_of_everything_is_accepted_by_both(bare: Path) -> None:
    assert refusal(bare, FILLED) == ""
    jsonschema.Draft7Validator(SCHEMA).validate(merged(DEFAULTS, FILLED))


@pytest.mark.parametrize("text", WRONG)
def test_a_wrong_value_is_refused_by_both_at_its_place(bare: Path, text: str) -> None:
    values = yaml.safe_load(text)
    errors = jsonschema.Draft7Validator(SCHEMA).iter_errors(merged(DEFAULTS, values))
    assert WRONG[text] in {"".join(f"/{step}" for step in error.absolute_path) for error in errors}
    assert f"- at '{WRONG[text]}': " in refusal(bare, values)


@pytest.mark.parametrize(
    "text",
    [
        "podSecurity: {runAsUser: null, runAsGroup: null, fsGroup: null}",
        "exporter: {resources: {requests: {cpu: 0.5, memory: 1073741824}}}",
        "exporter: {extraEnv: [{name: A, valueFrom: {secretKeyRef: {name: a, key: b}}, value: null}]}",
        "drift: {jobs: [{name: a, certificate: a, window: a, schedule: '@daily', resources: null}]}",
        "global: {imageRegistry: example.org, anything: [1]}",
        "kubeflow: {runs: {memory: ''}}",
    ],
)
def test_what_is_easily_refused_too_much_is_accepted_by_both(bare: Path, text: str) -> None:
    values = yaml.safe_load(text)
    assert refusal(bare, values) == ""
    jsonschema.Draft7Validator(SCHEMA).validate(merged(DEFAULTS, values))


def test_an_answer_names_the_place_and_what_may_stand_there(bare: Path) -> None:
    said = refusal(bare, yaml.safe_load("images: {pullPolicy: always}\nexporter: {readers: many, interval: 0}"))
    assert "at '/images/pullPolicy': value must be one of 'IfNotPresent', 'Always', 'Never'" in said
    assert "at '/exporter/readers': got string, want integer" in said
    assert "at '/exporter/interval': minimum: got 0, want 1" in said


def objects(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Every schema of an object in the schema."""
    if schema.get("type") == "object" or "properties" in schema:
        yield schema
    below = [*schema.get("definitions", {}).values(), *schema.get("properties", {}).values()]
    below += [schema[key] for key in ("items", "additionalProperties") if isinstance(schema.get(key), dict)]
    for one in below:
        yield from objects(one)


def test_every_object_is_closed_but_maps_and_those_of_kubernetes() -> None:
    found = list(objects(SCHEMA))
    assert len(found) > 60
    for schema in found:
        if "properties" in schema:
            assert schema["additionalProperties"] is False
            assert schema["propertyNames"]["if"] == {"enum": list(schema["properties"])}
        else:
            assert schema.keys() - {"type", "description", "default", "examples"} <= {"additionalProperties"}


def test_every_value_is_described_and_its_default_is_that_of_values_yaml() -> None:
    found = list(leaves(DEFAULTS))
    assert len(found) > 200
    for path, value in found:
        default, schema = SCHEMA["properties"][path[0]]["default"], SCHEMA
        for depth, step in enumerate(path):
            assert step in properties(path[:depth])
            schema = resolved(schema)["properties"][step]
            assert {**resolved(schema), **schema}["description"]
            default = default[step] if depth else default
        assert value == default


def resolved(schema: dict[str, Any]) -> dict[str, Any]:
    return SCHEMA["definitions"][schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema


def leaves(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every path that the schema must know, and its value: those of free maps belong to their map."""
    names = properties(path)
    if not names:
        yield path, value
        return
    for name in value:
        yield from leaves(value[name], (*path, name))
