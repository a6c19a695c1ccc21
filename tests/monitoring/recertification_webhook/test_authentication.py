"""Who is let in: tokens and their scopes, pages of other origins, loopback alone without either."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import httpx
import pytest

from monitoring.recertification_webhook.authentication import Gate, Scope, parse_tokens
from monitoring.recertification_webhook.refusal import RefusalError
from robustcert.errors import KeyFileError

OPERATOR, SENDER, READER = ("0123456789abcdef" + mark * 16 for mark in "osr")
FILE = f"# who may\n{OPERATOR}\nalertmanager deliver {SENDER}\n\nann read,operate {READER}\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "tokens"
    path.write_text(FILE)
    return path


@pytest.fixture
def gate(file: Path) -> Gate:
    return Gate(token_file=file, client_certificates=False)


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}", "host": "example.org"}


def admit(gate: Gate, headers: dict[str, str], scope: Scope = Scope.READ, method: str = "POST") -> str:
    return gate.admit(httpx.Headers(headers), scope, method=method).name


@pytest.mark.parametrize(
    ("token", "name", "scopes"),
    [
        (OPERATOR, "token", {"deliver", "read", "operate"}),
        (SENDER, "alertmanager", {"deliver"}),
        (READER, "ann", {"read", "operate"}),
    ],
)
def test_a_token_opens_what_its_scopes_say(gate: Gate, token: str, name: str, scopes: set[str]) -> None:
    for scope in Scope:
        if scope.value in scopes:
            assert admit(gate, bearer(token), scope) == name
        else:
            with pytest.raises(RefusalError, match=f"expected a token with scope {scope.value}") as raised:
                admit(gate, bearer(token), scope)
            assert raised.value.status == 403


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Bearer",
        "Bearer ",
        f"Bearer {OPERATOR}x",
        f"Bearer {OPERATOR[:-1]}",
        f"Bearer {OPERATOR} {OPERATOR}",
        f"Token {OPERATOR}",
        OPERATOR,
        "Bearer \udce4",
        "Basic ????",
        "Basic " + base64.b64encode(OPERATOR.encode()).decode(),
        "Basic " + base64.b64encode(f"{OPERATOR}:".encode()).decode(),
    ],
)
def test_whoever_shows_no_known_token_is_challenged(gate: Gate, header: str) -> None:
    with pytest.raises(RefusalError, match="expected a known token, got another or none") as raised:
        gate.admit({"authorization": header}, Scope.READ, method="GET")
    assert raised.value.status == 401
    assert raised.value.headers["WWW-Authenticate"].startswith("Bearer ")
    assert OPERATOR[:8] not in str(raised.value)


def test_a_browser_may_give_the_token_as_a_password(gate: Gate) -> None:
    given = base64.b64encode(f"anybody:{READER}".encode()).decode()
    assert admit(gate, {"authorization": f"Basic {given}"}) == "ann"


def test_every_token_is_compared_whichever_is_right(gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    """In constant time, each: so no answer comes sooner for one that is nearly right."""
    import hmac

    compare, compared = hmac.compare_digest, []
    monkeypatch.setattr(hmac, "compare_digest", lambda one, two: compared.append(len(one)) or compare(one, two))
    for token in (OPERATOR, SENDER, READER):
        admit(gate, bearer(token), Scope.DELIVER if token == SENDER else Scope.READ)
    with pytest.raises(RefusalError, match="known token"):
        admit(gate, bearer("x"))
    assert compared == [32] * 12


def test_tokens_are_read_again_and_an_unreadable_file_is_no_refusal_of_the_token(gate: Gate, file: Path) -> None:
    assert admit(gate, bearer(OPERATOR)) == "token"
    file.write_text(f"bob read {READER}\n")
    assert admit(gate, bearer(READER)) == "bob"
    with pytest.raises(RefusalError, match="known token"):
        admit(gate, bearer(OPERATOR))
    file.write_text("")  # half way through being written
    with pytest.raises(RefusalError, match="can't be read at the moment") as raised:
        admit(gate, bearer(READER))
    assert (raised.value.status, raised.value.headers) == (503, {"Retry-After": "5"})


@pytest.mark.parametrize(
    "line", ["short", f"ann {OPERATOR}", f"ann delete {OPERATOR}", f"a,b read {OPERATOR}", f"a read {OPERATOR} more"]
)
def test_a_line_that_is_no_token_is_named_by_its_number_alone(line: str) -> None:
    with pytest.raises(
        KeyFileError, match="got something else in 'tokens' line 2; scopes: deliver, read, operate"
    ) as e:
        parse_tokens(f"# first\n{line}\n", Path("tokens"))
    assert OPERATOR not in str(e.value)


def test_a_file_without_a_token_is_refused() -> None:
    with pytest.raises(KeyFileError, match="expected a file of bearer tokens, got 'tokens', which holds none"):
        parse_tokens("# none\n\n", Path("tokens"))


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "http://[::1"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
)
def test_a_page_of_another_origin_changes_nothing(gate: Gate, headers: dict[str, str]) -> None:
    with pytest.raises(RefusalError, match="expected a request of this origin") as raised:
        admit(gate, {**bearer(OPERATOR), **headers})
    assert raised.value.status == 403
    assert admit(gate, {**bearer(OPERATOR), **headers}, method="GET") == "token"


def test_the_page_of_this_origin_and_programs_are_let_in(gate: Gate) -> None:
    for headers in ({}, {"origin": "https://example.org"}, {"sec-fetch-site": "same-origin"}):
        assert admit(gate, {**bearer(OPERATOR), **headers}) == "token"


@pytest.mark.parametrize("host", ["127.0.0.1:8090", "localhost", "[::1]:8090"])
def test_without_tokens_anybody_on_this_machine_is_let_in(host: str) -> None:
    gate = Gate(token_file=None, client_certificates=False)
    assert admit(gate, {"host": host}, Scope.OPERATE) == "loopback"


@pytest.mark.parametrize("host", ["", "evil.example", "127.0.0.1.evil.example:8090", "[::1"])
def test_without_tokens_a_name_that_was_made_to_point_here_is_refused(host: str) -> None:
    """DNS rebinding: a browser sends the page's own name as Host."""
    gate = Gate(token_file=None, client_certificates=False)
    with pytest.raises(RefusalError, match="expected a loopback name in the header Host"):
        admit(gate, {"host": host}, method="GET")


def test_client_certificates_were_checked_before(tmp_path: Path) -> None:
    gate: Any = Gate(token_file=None, client_certificates=True)
    assert admit(gate, {"host": "example.org"}, Scope.OPERATE) == "client-certificate"
