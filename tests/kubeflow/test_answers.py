"""Whatever the server answers, a person reads one line that says what to do, and no secret."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from robustcert.kubeflow import answers
from robustcert.kubeflow.answers import AnswerError, read_answer
from robustcert.kubeflow.client import KubeflowClient
from tests.kubeflow.stand_in import StandIn
from tests.kubeflow.stand_in_http import Fault

REQUEST = httpx.Request("GET", "https://kubeflow.example.org/apis/v2beta1/runs")
HTML = {"Content-Type": "text/html; charset=utf-8"}


@pytest.mark.parametrize(
    ("status", "headers", "body", "line"),
    [
        (
            302,
            {"location": "https://dex.example.org/auth?state=s3cret"},
            "",
            r"got a redirect to dex\.example\.org/auth, a",
        ),
        (200, HTML, "<html>Log in</html>", r"got a page of HTML, a login; send a token \(--token-file\), or pass by"),
        (
            401,
            {},
            '{"code": 16, "message": "no identity"}',
            r"got 401 'no identity'; give a fresh token: kubectl create",
        ),
        (403, {}, "RBAC: access denied", r"got 403 'RBAC: access denied'; name your own --namespace"),
        (404, {}, '{"message": "gone"}', r"got 404 'gone'; check the name and --namespace"),
        (400, {}, '{"error_message": "broken\\nfile"}', r"got 400 'broken file'; see the message"),
        (500, {}, "", r"got 500 'Internal Server Error'; try again later"),
        (200, {"content-type": "application/json"}, "[1]", r"expected a JSON object, got application/json"),
        (200, {"content-type": "application/json"}, "{", r"expected a JSON object, got application/json"),
        (200, {"content-type": "application/json"}, "[" * 100_000, r"expected a JSON object, got application/json"),
        (500, {}, "[" * 100_000, r"got 500 '\[+'; try again later"),
    ],
)
def test_an_answer_that_is_no_json_object_is_one_line(
    status: int, headers: dict[str, str], body: str, line: str
) -> None:
    response = httpx.Response(status, headers=headers, text=body, request=REQUEST)
    with pytest.raises(AnswerError, match=line) as refused:
        read_answer(response, response.content, secret="")
    assert "\n" not in str(refused.value)
    assert "s3cret" not in str(refused.value)
    assert refused.value.status == (0 if status == 200 and "html" not in str(headers) else status)


@pytest.mark.parametrize(("bound", "value"), [("MOST_BYTES", 999), ("seconds", 0.0)])
def test_an_answer_without_end_is_left(bound: str, value: float, monkeypatch: pytest.MonkeyPatch) -> None:
    given = {"seconds": 60.0, "MOST_BYTES": 1 << 20} | {bound: value}
    monkeypatch.setattr(answers, "MOST_BYTES", given["MOST_BYTES"])
    endless = httpx.Response(200, content=itertools.repeat(b" " * 100), request=REQUEST)
    with pytest.raises(
        AnswerError, match=r"expected at most \d+ bytes within [\d.]+ s from kubeflow.*; check that --host"
    ):
        answers.whole(endless, seconds=given["seconds"])


def test_an_empty_answer_is_an_empty_object() -> None:
    assert read_answer(httpx.Response(200, request=REQUEST), b"", secret="") == {}


@pytest.mark.parametrize(
    ("status", "transient", "perhaps_done"),
    [
        (429, True, False),
        (502, True, True),
        (503, True, True),
        (504, True, True),
        (500, False, False),
        (409, False, False),
    ],
)
def test_an_error_knows_whether_a_later_try_may_succeed(status: int, transient: bool, perhaps_done: bool) -> None:
    with pytest.raises(AnswerError) as refused:
        read_answer(httpx.Response(status, request=REQUEST), b"", secret="")
    assert (refused.value.transient, refused.value.perhaps_done) == (transient, perhaps_done)


def test_a_token_that_the_server_repeats_is_left_out(
    server: StandIn, connect: Callable[..., KubeflowClient], tmp_path: Path
) -> None:
    (tmp_path / "token").write_text("ey.secret.token\n")
    server.faults.append(Fault(method="GET", status=401, body='{"message": "bad token ey.secret.token"}'))
    with pytest.raises(AnswerError, match=r"got 401 'bad token \*\*\*'"):
        connect(server.host, token=tmp_path / "token").run("x")
    assert server.requests[-1].authorization == "Bearer ey.secret.token"


def test_a_server_that_is_not_there_is_one_line(connect: Callable[..., KubeflowClient], server: StandIn) -> None:
    with StandIn() as other:
        host = other.host
    with pytest.raises(AnswerError, match=r"expected an answer from http://1\S+, got .*refused; check --host") as lost:
        connect(host).post("/runs", {})
    assert (lost.value.transient, lost.value.perhaps_done) == (True, False)


def test_an_answer_that_was_lost_may_have_been_done(client: KubeflowClient, server: StandIn) -> None:
    server.faults.append(Fault(path="/experiments", lost=True))
    with pytest.raises(AnswerError, match="expected an answer from") as lost:
        client.create_experiment("robustcert")
    assert (lost.value.transient, lost.value.perhaps_done) == (True, True)
    assert [one["display_name"] for one in server.experiments] == ["robustcert"]
