"""The committed document is what the program makes, valid OpenAPI, and the server keeps what it says."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import hypothesis
import jsonschema
import pytest
import schemathesis
from schemathesis import GenerationMode

from monitoring.recertification_webhook.cloudevents import KNOWN
from monitoring.recertification_webhook.openapi import PATH, is_current, openapi_json
from tests.monitoring.recertification_webhook.http_server import MemoryController, Running, running, view

DOCUMENT: dict[str, Any] = json.loads(openapi_json())
OPERATIONS = sorted((method, path) for path, methods in DOCUMENT["paths"].items() for method in methods)
EXAMPLES = 6
TOKEN = "0123456789abcdef0123456789abcdef"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """With tokens, and a request in each state."""
    tokens = tmp_path_factory.mktemp("openapi") / "tokens"
    tokens.write_text(TOKEN)
    with running(MemoryController(), bearer_token_file=tokens) as server:
        server.controller.views = {"0": view(0), "00": view(1, state="dead")}
        yield server


def test_the_committed_document_is_current() -> None:
    assert PATH.read_text() == openapi_json(), "python -m monitoring.recertification_webhook.openapi"


def test_an_edited_document_is_found(tmp_path: Path) -> None:
    path = tmp_path / "openapi.json"
    assert not is_current(path)
    path.write_text(openapi_json().replace("queued", "waiting", 1))
    assert not is_current(path)
    path.write_text(openapi_json())
    assert is_current(path)


def test_the_server_shows_the_same_document_to_anybody(server: Running) -> None:
    assert httpx.get(server.url + "/openapi.json", trust_env=False).json() == DOCUMENT


def test_every_reference_resolves_and_every_schema_is_one() -> None:
    def references(part: object) -> Iterator[str]:
        if isinstance(part, dict):
            yield from [part["$ref"]] if "$ref" in part else []
            yield from (found for one in part.values() for found in references(one))
        elif isinstance(part, list):
            yield from (found for one in part for found in references(one))

    schemas = DOCUMENT["components"]["schemas"]
    named = set(references(DOCUMENT))
    assert named == {f"#/components/schemas/{name}" for name in schemas}
    for schema in schemas.values():
        jsonschema.Draft202012Validator.check_schema(schema)


def test_every_route_but_health_says_what_a_caller_needs() -> None:
    scopes = {path: {route.get("x-scope") for route in routes.values()} for path, routes in DOCUMENT["paths"].items()}
    assert {path for path, found in scopes.items() if None in found} == {"/healthz", "/readyz"}
    for path, routes in DOCUMENT["paths"].items():
        for route in routes.values():
            assert ("401" in route["responses"]) == ("security" in route) == (path not in ("/healthz", "/readyz"))


def test_data_of_an_event_for_us_has_its_form_in_the_document_too() -> None:
    wanted = DOCUMENT["components"]["schemas"]["CloudEvent"]
    assert wanted["if"]["properties"]["type"]["enum"] == sorted(KNOWN)


@pytest.mark.parametrize("mode", list(GenerationMode), ids=[mode.value for mode in GenerationMode])
@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_what_schemathesis_sends_is_answered_as_documented(
    server: Running, method: str, path: str, mode: GenerationMode
) -> None:
    """Every check of schemathesis, on inputs that follow the document and on inputs that don't."""
    operation = schemathesis.openapi.from_dict(DOCUMENT)[path][method.upper()]
    strategy = operation.as_strategy(generation_mode=mode)
    answered: list[int] = []

    @hypothesis.settings(
        max_examples=EXAMPLES,
        phases=[hypothesis.Phase.generate],
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    @hypothesis.given(case=strategy)
    def check(case: schemathesis.Case) -> None:
        answer = case.call_and_validate(base_url=server.url, headers={"Authorization": f"Bearer {TOKEN}"})
        answered.append(answer.status_code)

    try:
        check()
    except hypothesis.errors.Unsatisfiable:
        assert mode is GenerationMode.NEGATIVE  # nothing of this operation can be wrong
        assert path in ("/", "/healthz", "/readyz")
    else:
        assert answered
        assert not set(answered) & {401, 500}
