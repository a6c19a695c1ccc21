"""robustcert requests against a real server on loopback: what is printed, and one line for what goes wrong."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.command_line import CommandLine, Done
from tests.monitoring.recertification_webhook.http_server import VERSION, MemoryController, Running, running, view

TOKEN = "0123456789abcdef0123456789abcdef"
CERTIFICATE = "07084588d490" + "0" * 52


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Running]:
    (tmp_path / "token").write_text(TOKEN + "\n")
    with running(MemoryController(), bearer_token_file=tmp_path / "token") as server:
        server.controller.views = {
            one.id: one
            for one in (
                view(1, state="succeeded", attempts=1, outcome="recertified", certificate=CERTIFICATE),
                view(2, model="breast-cancer", reasons=("expiring", "expired")),
                view(3, state="dead", attempts=3, outcome="failed", last_error="no \x1b[31mupstream"),
            )
        }
        yield server


@pytest.fixture
def requests(command_line: CommandLine, server: Running, tmp_path: Path) -> Any:
    def ask(*arguments: object) -> Done:
        return command_line("requests", *arguments, "--url", server.url, "--token-file", tmp_path / "token")

    return ask


def test_requests_are_listed_in_columns(requests: Any) -> None:
    done = requests("list")
    assert (done.status, done.err) == (0, "")
    assert [line.split() for line in done.out.splitlines()] == [
        ["ID", "MODEL", "VERSION", "STATE", "ATTEMPTS", "CREATED", "WHY", "OUTCOME"],
        ["r0003", "digits", VERSION, "dead", "3", "2026-11-21T13:05:11Z", "input-drift", "failed"],
        ["r0002", "breast-cancer", VERSION, "queued", "0", "2026-11-21T13:05:11Z", "expiring,expired", "-"],
        ["r0001", "digits", VERSION, "succeeded", "1", "2026-11-21T13:05:11Z", "input-drift", "recertified"],
    ]
    assert len({line.index("2026") for line in done.out.splitlines()[1:]}) == 1


@pytest.mark.parametrize(
    ("options", "ids"),
    [
        (["--state", "dead"], ["r0003"]),
        (["--model", "breast-cancer"], ["r0002"]),
        (["--limit", "2"], ["r0003", "r0002"]),
        (["--state", "running"], []),
    ],
)
def test_they_are_filtered(requests: Any, options: list[str], ids: list[str]) -> None:
    assert [one["id"] for one in json.loads(requests("list", "--json", *options).out)] == ids
    if not ids:
        assert requests("list", *options).out == "none\n"


def test_more_than_a_page_is_listed(requests: Any, server: Running) -> None:
    server.controller.views = {f"r{number:04d}": view(number) for number in range(1203)}
    listed = json.loads(requests("list", "--limit", 5000, "--json").out)
    assert [one["id"] for one in listed] == [f"r{number:04d}" for number in reversed(range(1203))]


def test_a_request_is_shown_with_its_history(requests: Any) -> None:
    assert requests("retry", "r0003").out == "r0003: queued\n"
    done = requests("show", "r0003")
    assert done.status == 0
    facts = {line.split(maxsplit=1)[0]: line.split(maxsplit=1)[1] for line in done.out.splitlines()}
    assert (facts["state"], facts["attempts"], facts["lastError"]) == ("queued", "3", "no ?[31mupstream")
    assert facts["2026-11-21T13:05:11Z"].split() == ["queued", "token", "from", "elsewhere"]
    shown = json.loads(requests("show", "r0001", "--json").out)
    assert (shown["request"]["certificate"], shown["history"]) == (CERTIFICATE, [])


def test_an_open_request_is_ended_once(requests: Any) -> None:
    assert requests("cancel", "r0002").out == "r0002: cancelled\n"
    done = requests("cancel", "r0002")
    assert (done.status, done.out, done.err.count("\n")) == (2, "", 1)
    assert "to accept POST /v1/requests/r0002/cancel, got 409" in done.err


def test_a_wish_is_one_request_for_one_key(requests: Any, server: Running) -> None:
    asked = ("create", "cifar10", "--text", "audit", "--suspend", "--key", "audit-7")
    assert requests(*asked).out == "r0003: queued, queued\n"
    assert requests(*asked).out.endswith(": duplicate, queued\n")
    assert requests("create", "digits", "--version", VERSION, "--source", "schedule").out.endswith(": queued, queued\n")
    first = server.controller.offered[0]
    assert (first.model, first.text, first.suspend, first.source, first.reason) == (
        "cifar10",
        "audit",
        True,
        "manual",
        "manual",
    )
    assert server.controller.offered[-1].source == "schedule"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["show", "nobody"], "to accept GET /v1/requests/nobody, got 404 'expected the id of a request"),
        (["show", "../../healthz"], "to accept GET /v1/requests/../../healthz, got 404"),
        (["list", "--state", "asleep"], "got 400 'expected query.state as documented"),
        (["create", "Not A Name"], "got 400 'expected a body as RequestBody"),
        (["create", "digits", "--key", "two words"], "got 400 'expected header.Idempotency-Key"),
    ],
)
def test_what_the_controller_refuses_is_one_line(requests: Any, arguments: list[str], message: str) -> None:
    done = requests(*arguments)
    assert (done.status, done.out, done.err.count("\n")) == (2, "", 1)
    assert message in done.err


def test_a_wrong_token_is_refused_and_not_shown(command_line: CommandLine, server: Running, tmp_path: Path) -> None:
    (tmp_path / "wrong").write_text("planted-token-0123456789")
    done = command_line("requests", "list", "--url", server.url, "--token-file", tmp_path / "wrong")
    assert done.status == 2
    assert "got 401" in done.err
    assert "--token-file" in done.err
    assert "planted-token" not in done.err
    assert command_line("requests", "list", "--url", server.url).status == 2
