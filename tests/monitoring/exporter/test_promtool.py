"""What the exporter says, judged by Prometheus itself: its linter, and a server that scrapes."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from monitoring.exporter.deployed import DeployedByFile
from monitoring.exporter.loop import Exporter
from monitoring.exporter.readers import Readers
from monitoring.exporter.scan import Scanner
from monitoring.exporter.series import Limits
from monitoring.exporter.server import Server
from tests.monitoring.exporter.fleet import Fleet, Unflushed
from tests.rados_gateway import free_port

pytestmark = pytest.mark.prometheus

LONGEST = 60.0


@pytest.fixture
def exporter(store: Unflushed, tmp_path: Path) -> Exporter:
    """An exporter with everything to say, scanned once."""
    fleet = Fleet(store=store, now=datetime.now(UTC))
    first = fleet.add(0)
    certificate = fleet.certificate(0, change=lambda predicate: predicate.update(supersedes=[first]))
    fleet.drift(0, fleet.publish(certificate))
    fleet.say(certificate, "suspended")
    fleet.add(1)
    (tmp_path / "deployed.yaml").write_text("deployed: [{model: model-0, workload: api}]")
    found = Exporter(
        Scanner(Readers(lambda: store, count=1), keys=fleet.keys),
        limits=Limits(),
        staleness=60.0,
        sources=(DeployedByFile(tmp_path / "deployed.yaml"),),
    )
    assert found.scan()
    return found


def test_promtool_finds_no_fault_in_the_metrics(exporter: Exporter) -> None:
    command = ["promtool", "check", "metrics"]
    done = subprocess.run(command, input=exporter.metrics(compressed=False), capture_output=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, b"")


def test_promtool_would_find_one() -> None:
    bad = b"# TYPE robustcert_thing_total gauge\nrobustcert_thing_total 1\n"
    done = subprocess.run(["promtool", "check", "metrics"], input=bad, capture_output=True, check=False)
    assert done.returncode != 0


@pytest.fixture
def prometheus(exporter: Exporter, tmp_path: Path) -> Iterator[str]:
    """A Prometheus that scrapes the exporter every half second."""
    server, port = Server(exporter, address="127.0.0.1", port=0), free_port()
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    target = f"127.0.0.1:{server.server_address[1]}"
    scrape = {"job_name": "exporter", "scrape_interval": "500ms", "static_configs": [{"targets": [target]}]}
    (tmp_path / "prometheus.yml").write_text(yaml.safe_dump({"scrape_configs": [scrape]}))
    command = ["prometheus", f"--config.file={tmp_path / 'prometheus.yml'}", f"--web.listen-address=127.0.0.1:{port}"]
    command += [f"--storage.tsdb.path={tmp_path / 'tsdb'}", "--log.level=error"]
    with subprocess.Popen(command) as process:
        yield f"http://127.0.0.1:{port}"
        process.terminate()
    server.shutdown()
    server.server_close()


def ask(url: str, expression: str) -> list[dict[str, Any]]:
    """The result once it is not empty."""
    end = time.monotonic() + LONGEST
    while time.monotonic() < end:
        try:
            answer = httpx.get(f"{url}/api/v1/query", params={"query": expression}, trust_env=False)
        except httpx.TransportError:
            continue
        if answer.status_code == httpx.codes.OK and (found := answer.json()["data"]["result"]):  # 503 while it starts
            return list(found)
    raise TimeoutError(expression)


def test_prometheus_scrapes_it_and_can_ask_what_the_alerts_ask(prometheus: str, exporter: Exporter) -> None:
    (suspended,) = ask(prometheus, 'robustcert_certificate_status{status="suspended"} == 1')
    assert suspended["metric"]["model"] == "model-0"
    (ends,) = ask(prometheus, 'robustcert_certificate_expiry_timestamp_seconds{model="model-1"} - time()')
    assert 88 * 86_400 < float(ends["value"][1]) < 89 * 86_400
    (missing,) = ask(prometheus, "robustcert_deployed unless on(model, version) robustcert_certificate_info")
    assert (missing["metric"]["model"], missing["metric"]["version"]) == ("model-0", "unknown")
    assert ask(prometheus, "robustcert_drift_score > on(model, version, signal, method) robustcert_drift_threshold")
    (samples,) = ask(prometheus, "scrape_samples_scraped > 0")
    plain = exporter.metrics(compressed=False).splitlines()
    assert float(samples["value"][1]) == sum(not line.startswith(b"#") for line in plain)
