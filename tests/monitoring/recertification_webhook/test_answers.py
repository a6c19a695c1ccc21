"""What is answered: names in lowerCamelCase, times in UTC, everything that a request has."""

from __future__ import annotations

import dataclasses
import json
from datetime import datetime

from pydantic.alias_generators import to_camel

from monitoring.recertification_webhook.answers import OutcomeAnswer, RequestAnswer
from monitoring.recertification_webhook.requests import RequestView
from tests.monitoring.recertification_webhook.http_server import view


def test_a_request_is_answered_with_all_that_the_controller_says_of_it() -> None:
    deadline = datetime.fromisoformat("2026-11-22T14:05:11.9+01:00")
    answer = json.loads(RequestAnswer.model_validate(view(1, deadline=deadline)).model_dump_json())
    assert set(answer) == {to_camel(field.name) for field in dataclasses.fields(RequestView)}
    assert (answer["deadline"], answer["finishedAt"]) == ("2026-11-22T13:05:11Z", None)
    assert answer["reasons"] == ["input-drift"]


def test_an_outcome_without_a_request_says_so() -> None:
    answer = json.loads(OutcomeAnswer(episode="a:b", result="ignored").model_dump_json())
    assert (answer["requestId"], answer["state"], answer["detail"]) == (None, "", "")
