"""What all deliveries have in common: committed before they are answered, answered by what was done."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import httpx
import pytest

from monitoring.recertification_webhook.requests import Offer
from monitoring.recertification_webhook.trigger import Trigger
from tests.monitoring.recertification_webhook.deliveries_example import alert, alertmanager, grafana
from tests.monitoring.recertification_webhook.http_server import VERSION, MemoryController, disk_full, running

EVENT = {
    "specversion": "1.0",
    "id": "1",
    "source": "/a",
    "type": "io.robustcert.drift.detected",
    "data": {"model": "digits", "version": VERSION},
}


class SlowController(MemoryController):
    """Commits when it is let."""

    def __init__(self) -> None:
        super().__init__()
        self.asked, self.let = threading.Event(), threading.Event()

    def offer(self, triggers: Sequence[Trigger]) -> list[Offer]:
        self.asked.set()
        assert self.let.wait(10)
        return super().offer(triggers)


def test_nothing_is_answered_before_it_is_committed() -> None:
    answers: list[httpx.Response] = []
    with running(SlowController()) as server:
        sender = threading.Thread(
            target=lambda: answers.append(server.client.post("/v1/alertmanager", json=alertmanager(alert())))
        )
        sender.start()
        assert server.controller.asked.wait(10)
        assert httpx.get(server.url + "/healthz", trust_env=False).status_code == 200  # others are answered meanwhile
        assert answers == []
        server.controller.let.set()
        sender.join()
    assert [one.json()["alerts"][0]["result"] for one in answers] == ["queued"]


@pytest.mark.parametrize(
    ("path", "body", "source"),
    [
        ("/v1/alertmanager", alertmanager(alert()), "alert"),
        ("/v1/grafana", grafana(alert()), "grafana"),
        ("/v1/cloudevents", EVENT, "cloudevent"),
    ],
)
def test_a_delivery_that_is_not_committed_is_refused_whole_and_may_come_again(
    path: str, body: dict[str, object], source: str
) -> None:
    headers = {"Content-Type": "application/cloudevents+json" if source == "cloudevent" else "application/json"}
    with running(MemoryController()) as server:
        server.controller.broken = disk_full()
        assert server.client.post(path, json=body, headers=headers).status_code == 503
        assert server.controller.offered == []
        assert server.desk.counts.read() == {(source, "refused"): 1}
        server.controller.broken = None
        assert server.client.post(path, json=body, headers=headers).json()["alerts"][0]["result"] == "queued"


def test_senders_at_the_same_moment_are_answered_each_with_its_own() -> None:
    with running(MemoryController()) as server:
        answers: dict[int, httpx.Response] = {}

        def send(number: int) -> None:
            body = alertmanager(alert(number, model=f"model-{number}"))
            answers[number] = httpx.post(server.url + "/v1/alertmanager", json=body, trust_env=False, timeout=30)

        senders = [threading.Thread(target=send, args=(number,)) for number in range(12)]
        for sender in senders:
            sender.start()
        for sender in senders:
            sender.join()
    assert {number: one.json()["alerts"][0]["model"] for number, one in answers.items()} == {
        number: f"model-{number}" for number in range(12)
    }
