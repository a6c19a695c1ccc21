"""The status page: what it shows, and that nothing from outside runs or loads in it."""

from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser

import pytest

from monitoring.recertification_webhook.page import CONTENT_SECURITY_POLICY, status_page
from monitoring.recertification_webhook.requests import Readiness, RequestView
from tests.monitoring.recertification_webhook.http_server import NOW, figures, view

READY = Readiness(database_writable=True, loop_age_seconds=3.2)
HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(1)>'\"&"


class Reader(HTMLParser):
    """Tags with their attributes, and the text a person sees."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.style = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if self.tags and self.tags[-1][0] == "style" and not self.style:
            self.style = data
        else:
            self.texts.append(data)


def page(*requests: RequestView, readiness: Readiness = READY, **given: object) -> Reader:
    return Reader(status_page(requests, figures(**given), readiness, now=NOW))


def test_requests_are_shown_with_links_to_their_runs() -> None:
    run = "https://kubeflow.example.org/#/runs/details/1"
    shown = page(
        view(1, state="running", run_name="recertify-digits", run_url=run, reasons=("input-drift", "expiring"))
    )
    text = " ".join(shown.texts)
    for part in ("digits", "0123456789ab", "running", "input-drift", "expiring", "2026-11-21T13:05:11Z", "r0001"):
        assert part in text
    assert ("a", {"href": run, "rel": "noreferrer"}) in shown.tags


def test_texts_from_outside_are_texts() -> None:
    hostile = view(
        1, model=HOSTILE, version=HOSTILE, reasons=(HOSTILE,), last_error=HOSTILE, run_name=HOSTILE, run_url=HOSTILE
    )
    shown = page(
        hostile,
        dead=((HOSTILE, HOSTILE),),
        readiness=Readiness(database_writable=False, loop_age_seconds=0, error=HOSTILE),
    )
    assert {tag for tag, _ in shown.tags} & {"script", "img", "iframe", "form", "link"} == set()
    assert " ".join(shown.texts).count("<script>alert(1)</script>") == 8


@pytest.mark.parametrize("url", ["javascript:alert(1)", "data:text/html,x", "//evil.example", "ftp://x"])
def test_a_link_goes_to_a_web_page_or_nowhere(url: str) -> None:
    assert [tag for tag, _ in page(view(1, run_name="x", run_url=url)).tags if tag == "a"] == []


def test_the_policy_allows_the_page_s_own_style_and_nothing_else() -> None:
    digest = base64.b64encode(hashlib.sha256(page().style.encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in CONTENT_SECURITY_POLICY
    assert CONTENT_SECURITY_POLICY.startswith("default-src 'none';")
    assert "script-src" not in CONTENT_SECURITY_POLICY
    assert "unsafe" not in CONTENT_SECURITY_POLICY


def test_nothing_is_loaded_from_anywhere() -> None:
    text = status_page([view(1)], figures(), READY, now=NOW)
    assert re.findall(r"(?:src|href|action)\s*=|url\(|@import", text) == []
    assert " style=" not in text


@pytest.mark.parametrize(
    ("readiness", "words"),
    [
        (READY, "the last pass of the loop ended 3 s ago"),
        (Readiness(database_writable=True, loop_age_seconds=float("inf")), "the loop has not gone round yet"),
        (Readiness(database_writable=False, loop_age_seconds=1, error="disk full"), "can't be written: disk full"),
    ],
)
def test_its_health_is_told(readiness: Readiness, words: str) -> None:
    assert words in " ".join(page(readiness=readiness).texts)


def test_what_waits_for_a_person_stands_above_the_table() -> None:
    text = " ".join(page(dead=(("digits", "d1"),), ineffective=(("cancer", "c1"),)).texts)
    assert "a person must decide: digits" in text
    assert "Still alerting after a successful recertification: cancer" in text
    assert "None yet." in text
