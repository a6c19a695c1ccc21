"""GET / over HTTP: for readers only, with a policy that lets nothing run."""

from __future__ import annotations

from pathlib import Path

from monitoring.recertification_webhook.page import CONTENT_SECURITY_POLICY
from tests.monitoring.recertification_webhook.http_server import MemoryController, running, view

READER, SENDER = ("0123456789abcdef" + mark * 16 for mark in "rs")


def test_the_page_is_shown_to_readers_with_its_policy(tmp_path: Path) -> None:
    tokens = tmp_path / "tokens"
    tokens.write_text(f"ann read {READER}\nalertmanager deliver {SENDER}\n")
    with running(MemoryController(), bearer_token_file=tokens) as server:
        server.controller.views = {"r0001": view(1)}
        shown = server.client.get("/", auth=("ann", READER))
        assert shown.status_code == 200
        assert shown.headers["content-type"] == "text/html; charset=utf-8"
        assert shown.headers["content-security-policy"] == CONTENT_SECURITY_POLICY
        assert shown.headers["x-frame-options"] == "DENY"
        assert "r0001" in shown.text
        assert server.client.get("/", auth=("ann", SENDER)).status_code == 403
        unknown = server.client.get("/")
        assert unknown.status_code == 401
        assert "Basic" in unknown.headers["www-authenticate"]
