"""The program itself, as a process: its help, its settings, its two ports, its end, and no secret anywhere."""

from __future__ import annotations

import json
import re
import signal
import sqlite3
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic.alias_generators import to_camel

from monitoring.recertification_webhook.__main__ import main
from monitoring.recertification_webhook.settings import KubeflowSettings, LocalSettings, Settings, TlsSettings
from tests.monitoring.recertification_webhook.deliveries_example import SECRET, TOKEN, alert, alertmanager, signed
from tests.monitoring.recertification_webhook.small_store import SmallStore, version_of

Run = Callable[..., tuple[int, str, str]]

SECRETS = {"tokens", "grafana-secret", "issuer", "issuer.pub"}
ROOT = Path(__file__).parents[3]
PROGRAM = [sys.executable, "-m", "monitoring.recertification_webhook"]
SETTINGS = """
store: store
trustedKeys: issuer.pub
database: controller.sqlite
auditLog: audit.jsonl
backend: {kubeflow: {host: "http://127.0.0.1:1"}}
mostRunning: 1
listen: 127.0.0.1:0
metrics: 127.0.0.1:0
bearerTokenFile: tokens
grafanaSecretFile: grafana-secret
budgetPerDay: 1
coolDown: 1d
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A store with one certificate, secrets, and settings of a controller."""
    SmallStore(tmp_path).issue("digits")
    (tmp_path / "tokens").write_text(TOKEN)
    (tmp_path / "grafana-secret").write_text(SECRET)
    (tmp_path / "controller.yaml").write_text(SETTINGS)
    return tmp_path


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Runs the program in this process: exit status, what it printed, and what it printed on standard error."""

    def program(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["program", *map(str, arguments)])
        status = 0
        try:
            main()
        except SystemExit as ended:
            status = int(ended.code or 0)
        printed = capsys.readouterr()
        return status, printed.out, printed.err

    return program


@contextmanager
def started(folder: Path) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    """The process and its line `listening`; the log stays in `folder`/log."""
    command = [*PROGRAM, "--config", str(folder / "controller.yaml")]
    with (folder / "log").open("w") as log, subprocess.Popen(command, cwd=ROOT, stderr=log, text=True) as process:
        try:
            listening: list[dict[str, Any]] = []
            while not listening and process.poll() is None:
                listening = [one for one in lines(folder) if one["event"] == "listening"]
            assert listening, (folder / "log").read_text()
            yield process, listening[0]
        finally:
            process.kill()


def lines(folder: Path) -> list[dict[str, Any]]:
    """Whole lines of the log, each of which is an object."""
    return [json.loads(line) for line in (folder / "log").read_text().split("\n")[:-1]]


def test_its_help_holds_settings_that_are_valid(run: Run, tmp_path: Path) -> None:
    SmallStore(tmp_path)
    status, told, _ = run("--help")
    assert status == 0
    assert "/v1/alertmanager" in told
    (example,) = (part for part in told.split("\n\n") if part.startswith("    store:"))
    (tmp_path / "controller.yaml").write_text(textwrap.dedent(example))
    assert run("--config", tmp_path / "controller.yaml", "--check") == (0, f"{tmp_path}/controller.yaml: valid\n", "")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("mostRunning: 1", "mostRuning: 1"), "mostRuning"),
        (("store: store", ""), "store"),
        (("bearerTokenFile: tokens", "bearerTokenFile: nowhere"), "expected a file with a secret, got '"),
        (("trustedKeys: issuer.pub", "trustedKeys: nowhere.pub"), "nowhere.pub"),
        (("listen: 127.0.0.1:0", "listen: nonsense"), "expected host:port as listen, got 'nonsense'"),
        (("coolDown: 1d", "coolDown: soon"), "coolDown"),
        (("coolDown: 1d", "coolDown: ["), "line"),
        (('{kubeflow: {host: "http://127.0.0.1:1"}}', "{local: {folder: r, signingKey: nokey}}"), "nokey"),
        (('{kubeflow: {host: "http://127.0.0.1:1"}}', "{local: {folder: r, signingKey: issuer.pub}}"), "issuer.pub"),
    ],
)
def test_wrong_settings_are_one_line(run: Run, folder: Path, change: tuple[str, str], message: str) -> None:
    (folder / "controller.yaml").write_text(SETTINGS.replace(*change))
    status, told, error = run("--config", folder / "controller.yaml", "--check")
    assert (status, told, error.count("\n")) == (2, "", 1)
    assert error.startswith("recertification controller: ")
    assert message in error
    assert TOKEN not in error


def test_the_documentation_has_every_key_of_the_settings_and_its_example_is_valid(run: Run, tmp_path: Path) -> None:
    text = (ROOT / "docs/recertification-controller.md").read_text()
    parts = (Settings, KubeflowSettings, LocalSettings, TlsSettings)
    keys = {to_camel(name) for part in parts for name in part.model_fields} - {"backend", "drift"}
    words = set(re.findall(r"[A-Za-z]+", text))
    assert keys - words == set()
    SmallStore(tmp_path)
    (tmp_path / "controller.yaml").write_text(text.partition("```yaml\n")[2].partition("```")[0])
    assert run("--config", tmp_path / "controller.yaml", "--check")[0] == 0


def test_settings_that_are_not_there_are_one_line(run: Run, tmp_path: Path) -> None:
    status, _, error = run("--config", tmp_path / "nowhere.yaml")
    assert (status, error.count("\n")) == (2, 1)
    assert "nowhere.yaml" in error


def test_it_serves_until_it_is_told_to_end_and_no_secret_is_anywhere(folder: Path) -> None:
    """Tokens, the shared secret, and what stands in bodies and headers that are refused."""
    planted = "planted-in-a-body-4f1d"
    json_type = {"Content-Type": "application/json"}
    with started(folder) as (process, listening):
        url = f"http://127.0.0.1:{listening['port']}"
        with httpx.Client(base_url=url, trust_env=False, headers={"Authorization": f"Bearer {TOKEN}"}) as client:
            body = alertmanager(alert(model="unknown", version=""), alert(1, version=version_of("digits")))
            assert client.post("/v1/alertmanager", json=body).status_code == 202
            for content in (f'{{"{planted}": "{planted}"', f'{{"version": "4", "alerts": "{planted}"}}'):
                assert client.post("/v1/alertmanager", content=content, headers=json_type).status_code == 400
            wrong = {"Authorization": f"Bearer {planted}", "Cookie": planted}
            assert client.post("/v1/alertmanager", json=body, headers=wrong).status_code == 401
            grafana = json.dumps({"alerts": []}).encode()
            for status in (202, 401):
                assert (
                    client.post("/v1/grafana", content=grafana, headers=signed(grafana, at=time.time())).status_code
                    == status
                )
            assert client.get(f"/{planted}?{planted}").status_code == 404
            assert client.get("/v1/requests").status_code == 200
            page = client.get("/").text
        with httpx.Client(base_url=f"http://127.0.0.1:{listening['metrics_port']}", trust_env=False) as client:
            metrics = client.get("/metrics").text
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    told = [line["event"] for line in lines(folder)]
    assert told[-1] == "stopped"
    assert told.count("refused") == 5
    assert 'recertification_triggers_total{result="refused",source="alert"} 3.0' in metrics
    kept = [path.read_bytes() for path in folder.iterdir() if path.is_file() and path.name not in SECRETS]
    everything = b"".join(kept) + _database(folder) + metrics.encode() + page.encode()
    assert b"digits" in everything
    for secret in (TOKEN, SECRET, planted):
        assert secret.encode() not in everything


def _database(folder: Path) -> bytes:
    """Everything in the database, as SQLite itself tells it."""
    with sqlite3.connect(folder / "controller.sqlite") as database:
        return "\n".join(database.iterdump()).encode()
