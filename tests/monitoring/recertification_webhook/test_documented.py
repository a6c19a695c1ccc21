"""What is said about a route: refusals with their headers, scopes, and bodies."""

from __future__ import annotations

import pytest

from monitoring.recertification_webhook.alertmanager import AlertmanagerDelivery
from monitoring.recertification_webhook.authentication import Scope
from monitoring.recertification_webhook.documented import REFUSALS, documented, refusals


def test_each_refusal_has_the_body_of_a_refusal_and_the_headers_that_it_needs() -> None:
    told = refusals(*REFUSALS)
    assert {answer["content"]["application/json"]["schema"]["$ref"] for answer in told.values()} == {
        "#/components/schemas/RefusalBody"
    }
    assert {status: list(answer["headers"]) for status, answer in told.items() if "headers" in answer} == {
        401: ["WWW-Authenticate"],
        503: ["Retry-After"],
    }


def test_an_unknown_refusal_can_t_be_documented() -> None:
    with pytest.raises(KeyError):
        refusals(418)


def test_a_route_names_scope_and_body() -> None:
    told = documented(Scope.DELIVER, {"application/json": AlertmanagerDelivery})
    assert told["x-scope"] == "deliver"
    assert told["requestBody"]["content"]["application/json"]["schema"] == {
        "$ref": "#/components/schemas/AlertmanagerDelivery"
    }
    assert documented(None) == {}
