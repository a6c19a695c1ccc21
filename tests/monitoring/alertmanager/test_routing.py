"""The example routing: every alert goes where it should, and a real Alertmanager delivers with the token."""

import json
import queue
import subprocess
import threading
import time
from collections.abc import Iterator
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from monitoring.demo.programs import Alertmanager
from tests.monitoring.metric_table import ROOT, rules
from tools.chart.render import ci_values, render

FILE = ROOT / "monitoring/alertmanager/alertmanager.yml"
ALERTS = [rule for _, rule in rules() if "alert" in rule]
PEOPLE = {"critical": "on-call", "warning": "team", "info": "ledger"}
WHO = {"model": "digits", "version": "0123456789ab"}


def receivers(labels: dict[str, str]) -> list[str]:
    command = ["amtool", "config", "routes", "test", f"--config.file={FILE}"]
    command += [f"{name}={value}" for name, value in labels.items()]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return done.stdout.strip().splitlines()[-1].split(",")


@pytest.mark.prometheus
def test_amtool_finds_nothing_wrong() -> None:
    done = subprocess.run(["amtool", "check-config", str(FILE)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "4 receivers" in done.stdout


@pytest.mark.prometheus
@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: f"{rule['alert']}-{rule['labels']['severity']}")
def test_an_alert_goes_to_people_by_severity_and_to_the_controller_where_it_asks_for_an_action(rule: dict) -> None:
    labels = {"alertname": rule["alert"], **rule["labels"], **WHO}
    wanted = ["recertification-controller"] if "action" in labels else []
    assert receivers(labels) == [*wanted, PEOPLE[labels["severity"]]]


@pytest.mark.prometheus
@pytest.mark.parametrize(
    "labels",
    [
        {"alertname": "SomebodyElses", "action": "recertify", "severity": "critical"},
        {"alertname": "SomebodyElses", "severity": "warning"},
    ],
)
def test_what_is_not_ours_never_reaches_the_controller(labels: dict[str, str]) -> None:
    assert receivers(labels) == ["team"]


def test_the_controllers_token_comes_from_a_file_and_no_secret_stands_in_the_example() -> None:
    document = yaml.safe_load(FILE.read_text())
    controller = next(one for one in document["receivers"] if one["name"] == "recertification-controller")
    (webhook,) = controller["webhook_configs"]
    assert webhook["url"].endswith("/v1/alertmanager")
    assert webhook["url"].startswith("https://")
    assert webhook["send_resolved"] is True
    assert set(webhook["http_config"]["authorization"]) == {"type", "credentials_file"}


def test_it_leads_to_a_release_of_the_chart_with_tls() -> None:
    """Release and namespace robustcert, as in all examples."""
    tls = {"controller": {"tls": {"enabled": True, "issuer": {"name": "platform"}}}}
    (found,) = (one for one in render({**ci_values()["minimal"], **tls}) if one["kind"] == "AlertmanagerConfig")
    (hook,) = found["spec"]["receivers"][0]["webhookConfigs"]
    written = yaml.safe_load(FILE.read_text())["receivers"][0]["webhook_configs"][0]
    assert (written["url"], written["max_alerts"]) == (hook["url"], hook["maxAlerts"])
    secret = hook["httpConfig"]["authorization"]["credentials"]
    token_file = written["http_config"]["authorization"]["credentials_file"]
    assert token_file.endswith(f"/{secret['name']}/{secret['key']}")


def test_groups_are_one_alert_of_one_version() -> None:
    """A group of several versions would be sent again, whole, at each change of one."""
    route = yaml.safe_load(FILE.read_text())["route"]["routes"][0]
    assert route["group_by"] == ["alertname", "model", "version"]
    assert route["continue"] is True


@pytest.fixture
def webhook() -> Iterator[tuple[str, "queue.Queue[tuple[str, str, Any]]"]]:
    """An address, and what was posted to it: path, Authorization, JSON."""
    got: queue.Queue[tuple[str, str, Any]] = queue.Queue()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            got.put((self.path, self.headers["Authorization"], body))
            self.send_response(202)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", got
    server.shutdown()
    server.server_close()
    thread.join()


def on_loopback(config: dict[str, Any], *, address: str, token: Path) -> dict[str, Any]:
    """The example with its addresses on loopback and without waiting."""
    for receiver in config["receivers"]:
        receiver.pop("email_configs", None)
        for one in receiver.get("webhook_configs", ()):
            one["url"] = f"{address}/v1/alertmanager" if "http_config" in one else f"{address}/people"
            if "http_config" in one:
                one["http_config"] = {"authorization": {"type": "Bearer", "credentials_file": str(token)}}
    for route in (config["route"], *config["route"]["routes"]):
        route.update(group_wait="0s", group_interval="1s")
    return config


@pytest.mark.prometheus
def test_a_real_alertmanager_delivers_to_the_controller_with_its_token_and_to_people_without(
    tmp_path: Path, webhook: tuple[str, "queue.Queue[tuple[str, str, Any]]"]
) -> None:
    address, got = webhook
    (tmp_path / "token").write_text("planted-token-of-the-test")
    config = on_loopback(yaml.safe_load(FILE.read_text()), address=address, token=tmp_path / "token")
    rule = next(one for one in ALERTS if one["alert"] == "RobustcertInputsDriftedGrossly")
    warning = next(one for one in ALERTS if one["alert"] == "RobustcertResultShifted")
    sent = [{"labels": {"alertname": one["alert"], **one["labels"], **WHO}} for one in (rule, warning)]
    with Alertmanager(tmp_path / "alertmanager", config) as alertmanager:
        connection = HTTPConnection(alertmanager.address, timeout=10)
        connection.request("POST", "/api/v2/alerts", json.dumps(sent), {"Content-Type": "application/json"})
        assert connection.getresponse().status == 200
        connection.close()
        deadline = time.monotonic() + 30
        deliveries = {path: (token, body) for path, token, body in (got.get(timeout=30) for _ in range(2))}
        assert time.monotonic() < deadline
    assert set(deliveries) == {"/v1/alertmanager", "/people"}
    token, body = deliveries["/v1/alertmanager"]
    assert token == "Bearer planted-token-of-the-test"
    assert body["version"] == "4"
    assert [(one["labels"]["action"], one["labels"]["reason"]) for one in body["alerts"]] == [
        ("suspend", "input-drift")
    ]
    assert deliveries["/people"][0] is None
