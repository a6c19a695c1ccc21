"""/v1/requests over HTTP: asked for once, listed page by page, ended and queued again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.monitoring.recertification_webhook.http_server import (
    VERSION,
    MemoryController,
    Running,
    disk_full,
    running,
    view,
)

READER, OPERATOR = ("0123456789abcdef" + mark * 16 for mark in "ro")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Running]:
    tokens = tmp_path / "tokens"
    tokens.write_text(f"reader read {READER}\nann read,operate {OPERATOR}\n")
    with running(MemoryController(), bearer_token_file=tokens) as server:
        server.client.headers["Authorization"] = f"Bearer {OPERATOR}"
        yield server


def create(server: Running, key: str = "one", **body: Any) -> tuple[int, dict[str, Any]]:
    answer = server.client.post("/v1/requests", json={"model": "digits", **body}, headers={"Idempotency-Key": key})
    return answer.status_code, answer.json()


def test_a_person_asks_once_however_often_it_is_sent(server: Running) -> None:
    first, again = create(server, text="audit\nweek 47"), create(server, text="audit")
    assert [first[0], again[0]] == [202, 202]
    assert [first[1]["result"], again[1]["result"]] == ["queued", "duplicate"]
    assert first[1]["requestId"] == again[1]["requestId"]
    trigger = server.controller.offered[0]
    assert (trigger.source, trigger.reason, trigger.text, trigger.suspend) == (
        "manual",
        "manual",
        "audit week 47",
        False,
    )


def test_the_same_key_for_another_model_is_another_request(server: Running) -> None:
    create(server)
    assert create(server, model="cancer")[1]["result"] == "queued"
    assert create(server, version=VERSION)[1]["result"] == "merged"


def test_a_schedule_s_slot_is_a_key(server: Running) -> None:
    create(server, "2026-W47", source="schedule")
    create(server, "incident-7", reason="incident", suspend=True)
    found = [(one.source, one.reason, one.suspend, one.text) for one in server.controller.offered]
    assert found == [
        ("schedule", "schedule", False, "asked for by ann"),
        ("manual", "incident", True, "asked for by ann"),
    ]


def test_the_answer_says_where_the_request_is(server: Running) -> None:
    answer = server.client.post("/v1/requests", json={"model": "digits"}, headers={"Idempotency-Key": "a"})
    assert server.client.get(answer.headers["Location"]).json()["id"] == answer.json()["requestId"]


@pytest.mark.parametrize("key", ["", "two words", "a" * 101, "ä", "a\tb"])
def test_a_key_is_required_and_of_a_form(server: Running, key: str) -> None:
    headers: dict[str, Any] = {"Idempotency-Key": key.encode()} if key else {}
    answer = server.client.post("/v1/requests", json={"model": "digits"}, headers=headers)
    assert answer.status_code == 400
    assert answer.json()["error"].startswith("expected header.Idempotency-Key as documented")


@pytest.mark.parametrize(
    "body", [{"model": "A B"}, {"version": "12"}, {"source": "expiry"}, {"reason": "boredom"}, {"text": "x" * 401}]
)
def test_a_wish_of_another_form_is_refused(server: Running, body: dict[str, Any]) -> None:
    assert create(server, **body)[0] == 400
    assert server.controller.offered == []


def test_requests_are_listed_page_by_page_the_newest_first(server: Running) -> None:
    server.controller.views = {f"r{number:04d}": view(number) for number in range(7)}
    seen, after = [], ""
    while after is not None:
        page = server.client.get("/v1/requests", params={"limit": 3, **({"after": after} if after else {})}).json()
        seen.append([one["id"] for one in page["requests"]])
        after = page["next"]
    assert seen == [["r0006", "r0005", "r0004"], ["r0003", "r0002", "r0001"], ["r0000"]]


def test_a_full_last_page_has_no_next(server: Running) -> None:
    server.controller.views = {"r0001": view(1)}
    assert server.client.get("/v1/requests?limit=1").json()["next"] is None


def test_they_are_filtered_by_state_and_model(server: Running) -> None:
    server.controller.views = {
        one.id: one for one in (view(0), view(1, state="dead"), view(2, state="dead", model="cancer"))
    }
    found = server.client.get("/v1/requests?state=dead&model=digits").json()["requests"]
    assert [one["id"] for one in found] == ["r0001"]


@pytest.mark.parametrize("query", ["limit=0", "limit=501", "limit=x", "state=asleep", "model=A", "after=%00"])
def test_a_query_of_another_form_is_refused(server: Running, query: str) -> None:
    answer = server.client.get(f"/v1/requests?{query}")
    assert answer.status_code == 400
    assert answer.json()["error"].startswith(f"expected query.{query.partition('=')[0]} as documented")


def test_an_open_request_is_ended_once_and_its_history_tells_by_whom(server: Running) -> None:
    server.controller.views = {"r0001": view(1)}
    assert server.client.post("/v1/requests/r0001/cancel").json()["state"] == "cancelled"
    again = server.client.post("/v1/requests/r0001/cancel")
    assert (again.status_code, again.json()["error"].partition(",")[0]) == (409, "expected a request that is ('queued'")
    (entry,) = server.client.get("/v1/requests/r0001/history").json()["entries"]
    assert (entry["actor"], entry["action"], entry["requestId"]) == ("ann", "cancelled", "r0001")


def test_a_dead_request_is_queued_again(server: Running) -> None:
    server.controller.views = {"r0001": replace(view(1), state="dead")}
    assert server.client.post("/v1/requests/r0001/retry").json()["state"] == "queued"
    assert server.client.post("/v1/requests/r0001/retry").status_code == 409


@pytest.mark.parametrize(
    ("method", "path"), [("GET", ""), ("GET", "/history"), ("POST", "/cancel"), ("POST", "/retry")]
)
def test_a_request_that_there_is_not_is_not_found(server: Running, method: str, path: str) -> None:
    answer = server.client.request(method, f"/v1/requests/nobody{path}")
    assert answer.status_code == 404
    assert set(answer.json()) == {"error"}


def test_who_may_read_may_not_act(server: Running) -> None:
    server.controller.views = {"r0001": view(1)}
    server.client.headers["Authorization"] = f"Bearer {READER}"
    assert server.client.get("/v1/requests").status_code == 200
    assert server.client.post("/v1/requests/r0001/cancel").status_code == 403
    assert create(server)[0] == 403
    assert server.client.post("/v1/alertmanager", json={}).status_code == 403
    assert server.controller.views["r0001"].state == "queued"


def test_who_is_not_known_learns_nothing_not_even_which_ids_there_are(server: Running) -> None:
    del server.client.headers["Authorization"]
    for path in ("", "?limit=0", "/r0001", "/nobody", "/nobody/history"):
        assert server.client.get("/v1/requests" + path).status_code == 401
    for path in ("", "/nobody/cancel", "/nobody/retry"):
        assert server.client.post("/v1/requests" + path).status_code == 401
    assert server.desk.counts.read() == {("api", "refused"): 7, ("manual", "refused"): 1}


def test_a_database_that_fails_is_answered_by_try_again(server: Running) -> None:
    server.controller.broken = disk_full()
    assert create(server)[0] == 503
    assert server.client.get("/v1/requests").headers["Retry-After"] == "5"
