"""What can't be brought about over HTTP: a model that fails, and one that answers with NaN."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from examples.serving.app import Settings, open_serving
from examples.serving.service import Caller, Service

BODY = json.dumps({"inputs": [{"name": "x", "shape": [2, 64], "datatype": "FP32", "data": [1.0] * 128}]}).encode()


@pytest.fixture
def service(settings_of: Callable[..., Settings]) -> Iterator[Service]:
    serving = open_serving(settings_of())
    yield serving.service
    serving.close()


def test_a_model_that_fails_is_a_500_and_counted(service: Service) -> None:
    def fails(_: Any) -> Any:
        raise RuntimeError("out of memory")

    service.model.logits = fails  # type: ignore[method-assign]
    reply = service.infer(BODY, caller=Caller())
    assert (reply.status, "expected a finite answer of the model" in reply.body["error"]) == (500, True)
    assert "memory" not in reply.body["error"]
    assert service.observer.counters.counts().outcomes == {"predicted": 0, "abstained": 0, "invalid": 0, "failed": 2}


def test_an_answer_that_is_not_finite_is_a_500_and_counted(service: Service) -> None:
    logits = np.zeros((2, 10))
    logits[1, 3] = np.nan
    service.model.logits = lambda _: logits  # type: ignore[method-assign]
    assert service.infer(BODY, caller=Caller()).status == 500
    counts = service.observer.counters.counts()
    assert (counts.outcomes["predicted"], counts.outcomes["failed"], sum(counts.margin)) == (1, 1, 1)


def test_an_id_may_come_in_the_body(service: Service) -> None:
    document = json.loads(BODY) | {"id": "from-the-body", "parameters": {"segment": "west"}}
    reply = service.infer(json.dumps(document).encode(), caller=Caller())
    assert reply.event_id == reply.body["id"] == "from-the-body"
    assert service.observer.counters.counts().segments == {("west", "predicted"): 2}
    assert service.infer(BODY, caller=Caller(event_id="header")).event_id == "header"


def test_bins_of_votes_count_smoothed_answers_only(settings_of: Callable[..., Settings]) -> None:
    service = open_serving(settings_of(margin="votes")).service
    assert service.infer(BODY, caller=Caller()).status == 200
    assert sum(service.observer.counters.counts().margin) == 0
    smoothed = json.dumps(json.loads(BODY) | {"parameters": {"smoothed": True}}).encode()
    assert service.infer(smoothed, caller=Caller()).status == 200
    assert sum(service.observer.counters.counts().margin) == 2
