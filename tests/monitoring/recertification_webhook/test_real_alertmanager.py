"""Debian's Alertmanager delivers to the interface: two of them without gossip, a token, failures, and resolution."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.monitoring.recertification_webhook.deliveries_example import TOKEN
from tests.monitoring.recertification_webhook.http_server import (
    VERSION,
    MemoryController,
    Running,
    disk_full,
    running,
)

pytestmark = pytest.mark.prometheus

CONFIGURATION = """
route: {{receiver: controller, group_by: [model], group_wait: 0s, group_interval: 1s, repeat_interval: 1s}}
receivers:
  - name: controller
    webhook_configs:
      - url: {url}/v1/alertmanager
        max_alerts: 1000
        http_config: {{authorization: {{credentials_file: {token}}}}}
"""
LABELS = {"alertname": "RobustcertInputsDrifted", "model": "digits", "version": VERSION, "action": "recertify"}


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as bound:
        return int(bound.getsockname()[1])


@contextlib.contextmanager
def alertmanager(folder: Path, configuration: Path) -> Iterator[str]:
    """A process of its own; its URL."""
    url = f"127.0.0.1:{free_port()}"
    options = [f"--config.file={configuration}", f"--storage.path={folder}", f"--web.listen-address={url}"]
    with (
        (folder / "log").open("w") as log,
        subprocess.Popen(["prometheus-alertmanager", *options, "--cluster.listen-address="], stderr=log) as process,
    ):
        try:
            until(lambda: ready(url))
            yield f"http://{url}"
        finally:
            process.terminate()


def ready(url: str) -> bool:
    try:
        return httpx.get(f"http://{url}/-/ready", trust_env=False).status_code == 200
    except httpx.TransportError:
        return False


def until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.fixture
def both(tmp_path: Path) -> Iterator[tuple[Running, list[str]]]:
    """The interface, and two Alertmanagers that do not know of each other."""
    token = tmp_path / "token"
    token.write_text(TOKEN)
    tokens = tmp_path / "tokens"
    tokens.write_text(f"alertmanager deliver {TOKEN}\n")
    with running(MemoryController(), bearer_token_file=tokens) as server, contextlib.ExitStack() as stack:
        configuration = tmp_path / "alertmanager.yml"
        configuration.write_text(CONFIGURATION.format(url=server.url, token=token))
        urls = []
        for name in ("one", "two"):
            (tmp_path / name).mkdir()
            urls.append(stack.enter_context(alertmanager(tmp_path / name, configuration)))
        yield server, urls


def fire(urls: list[str], **times: str) -> None:
    """As Prometheus does: the same alert to each of them, begun at the same moment."""
    alert: dict[str, Any] = {"labels": LABELS, "annotations": {"summary": "drifted"}, **times}
    for url in urls:
        assert httpx.post(f"{url}/api/v2/alerts", json=[alert], trust_env=False).status_code == 200


def test_two_that_do_not_know_of_each_other_make_one_request_and_its_end_is_told(
    both: tuple[Running, list[str]],
) -> None:
    server, urls = both
    server.controller.broken = disk_full()
    fire(urls, startsAt="2026-11-21T13:05:11.123456789Z")
    until(lambda: server.desk.counts.read().get(("alert", "refused"), 0) >= 2)  # 503: each tries again by itself
    server.controller.broken = None
    until(lambda: len(server.controller.offered) >= 4)
    fire(urls, startsAt="2026-11-21T13:05:11.123456789Z", endsAt="2026-11-21T13:06:11Z")
    until(lambda: sum(trigger.resolved for trigger in server.controller.offered) >= 2)
    assert {trigger.episode.partition(":")[2] for trigger in server.controller.offered} == {
        "2026-11-21T13:05:11.123456Z"
    }
    assert len({trigger.episode for trigger in server.controller.offered}) == 1
    assert [one.model for one in server.controller.views.values()] == ["digits"]
