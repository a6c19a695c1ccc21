"""Refusals carry a status and headers; what passes says when to come again."""

from __future__ import annotations

from monitoring.recertification_webhook.refusal import RefusalBody, RefusalError, unavailable


def test_a_passing_fault_says_when_to_come_again() -> None:
    refusal = unavailable("no commit; send it again")
    assert (refusal.status, refusal.headers, str(refusal)) == (503, {"Retry-After": "5"}, "no commit; send it again")


def test_headers_of_one_refusal_are_not_those_of_another() -> None:
    headers = {"Connection": "close"}
    refusal = RefusalError(413, "too much", headers=headers)
    refusal.headers["Allow"] = "GET"
    assert headers == {"Connection": "close"}
    assert RefusalError(400, "x").headers == {}
    assert RefusalBody(error="x").model_dump() == {"error": "x"}
