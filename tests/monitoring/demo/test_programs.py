"""Real Prometheus and Alertmanager start, answer, reload, survive a kill with their data, and end."""

import shutil
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml

from monitoring.demo.programs import Alertmanager, Prometheus, Sample, free_port
from robustcert.errors import InputError, WorldError

FAST = {"global": {"scrape_interval": "1s", "evaluation_interval": "1s"}}
WITHIN = 60.0


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WITHIN
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


@pytest.fixture
def exposition() -> Iterator[dict]:
    """A served /metrics, and the text that it gives."""
    state = {"text": "planted_value 42\n"}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.end_headers()
            self.wfile.write(state["text"].encode())

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    state["address"] = f"127.0.0.1:{server.server_port}"
    yield state
    server.shutdown()
    server.server_close()
    thread.join()


def scraping(address: str) -> dict:
    return {**FAST, "scrape_configs": [{"job_name": "planted", "static_configs": [{"targets": [address]}]}]}


def rule_file(folder: Path, expression: str) -> Path:
    rule = {
        "alert": "Planted",
        "expr": expression,
        "labels": {"severity": "info"},
        "annotations": {"summary": "is {{ $value }}"},
    }
    path = folder / "planted.rules.yaml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "planted", "rules": [rule]}]}))
    return path


@pytest.mark.prometheus
def test_an_alert_goes_the_whole_way_from_a_metric_to_alertmanager(tmp_path: Path, exposition: dict) -> None:
    route = {"route": {"receiver": "nobody"}, "receivers": [{"name": "nobody"}]}
    alertmanager = Alertmanager(tmp_path / "alertmanager", route)
    config = scraping(exposition["address"])
    config["alerting"] = {"alertmanagers": [{"static_configs": [{"targets": [alertmanager.address]}]}]}
    rules = [rule_file(tmp_path, "planted_value > 41")]
    with alertmanager, Prometheus(tmp_path / "prometheus", config, rules) as prometheus:
        until(lambda: bool(prometheus.query("planted_value")))
        until(prometheus.is_scraping)
        found = prometheus.query("planted_value + 1")
        assert [sample.value for sample in found] == [43]
        assert found[0].labels["job"] == "planted"
        assert prometheus.query("1 + 1") == [Sample(labels={}, value=2.0)]
        assert prometheus.query("absent_metric") == []
        until(lambda: [alert.state for alert in prometheus.alerts()] == ["firing"])
        assert prometheus.rule_problems() == []
        until(lambda: [alert.name for alert in alertmanager.alerts()] == ["Planted"])
        alert = alertmanager.alerts()[0]
        assert (alert.state, alert.annotations["summary"], alert.labels["severity"]) == ("active", "is 42", "info")
    assert not prometheus.is_ready()
    assert not alertmanager.is_ready()


@pytest.mark.prometheus
def test_what_was_scraped_outlives_a_kill_and_a_changed_configuration_is_read(tmp_path: Path, exposition: dict) -> None:
    with Prometheus(tmp_path / "p", {**FAST, "scrape_configs": []}) as prometheus:
        prometheus.config = scraping(exposition["address"])
        prometheus.reload()
        until(lambda: bool(prometheus.query("planted_value")))
        prometheus.kill()
        assert not prometheus.is_ready()
        prometheus.config = {**FAST, "scrape_configs": []}
        prometheus.start()
        assert prometheus.query("max_over_time(planted_value[10m])")[0].value == 42
        prometheus.stop()
        prometheus.stop()


@pytest.mark.prometheus
def test_a_refused_query_says_why(tmp_path: Path) -> None:
    with (
        Prometheus(tmp_path / "p", FAST) as prometheus,
        pytest.raises(WorldError, match=r"answered 400: .*parse error"),
    ):
        prometheus.query("rate(")


@pytest.mark.prometheus
def test_a_wrong_configuration_ends_the_start_with_what_the_program_said(tmp_path: Path) -> None:
    with (
        pytest.raises(WorldError, match=r"(?s)prometheus did not become ready on 127.0.0.1:\d+: .*nonsense not found"),
        Prometheus(tmp_path / "p", {"nonsense": 1}),
    ):
        pytest.fail("it must not start")


def test_a_missing_program_is_named_with_its_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert shutil.which("prometheus") is None
    with pytest.raises(InputError, match=r"expected the program prometheus, .* install Debian's packages"):
        Prometheus(tmp_path / "p", FAST).start()


def test_a_program_that_does_not_run_does_not_answer(tmp_path: Path) -> None:
    prometheus = Prometheus(tmp_path / "p", FAST)
    assert not prometheus.is_ready()
    with pytest.raises(WorldError, match="does not answer"):
        prometheus.alerts()


def test_the_address_is_known_before_the_start_and_free() -> None:
    port = free_port()
    assert 1024 < port < 65536
