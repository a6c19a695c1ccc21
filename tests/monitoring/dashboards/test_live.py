"""Every expression of every panel gives series in a live Prometheus that scrapes a sample fleet and runs the rules."""

import json
import subprocess
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import yaml

from monitoring.dashboards.generate import generated
from monitoring.demo.programs import Prometheus
from monitoring.rules.scaled import write_scaled
from tests.monitoring.dashboards.test_generate import expressions, panels, plain
from tests.monitoring.sample_exposition import served

pytestmark = pytest.mark.prometheus

DASHBOARDS = [json.loads(text) for text in generated().values()]
EXPRESSIONS = sorted(
    {
        (one["uid"], panel["title"], plain(expr))
        for one in DASHBOARDS
        for panel in panels(one)
        for expr in expressions(panel)
    }
)
WITHIN = 90.0
# At one scrape a second, five minutes' windows need seconds only.
SPEED = Fraction(1, 60)
FIRING = {"RobustcertInputsDrifted", "RobustcertCertificateSuspended", "RobustcertCertificateMissing"}


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """Has scraped the fleet until its slowest alert fires."""
    folder = tmp_path_factory.mktemp("live")
    rules = write_scaled(folder / "rules", SPEED)
    with served() as address:
        scrape = {"job_name": "sample", "honor_labels": True, "static_configs": [{"targets": [address]}]}
        config: dict[str, Any] = {
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
            "scrape_configs": [scrape],
        }
        with Prometheus(folder / "prometheus", config, rules) as running:
            deadline = time.monotonic() + WITHIN
            while not {alert.name for alert in running.alerts() if alert.state == "firing"} >= FIRING:
                assert time.monotonic() < deadline, running.alerts()
                time.sleep(0.2)
            yield running


def test_there_are_many_expressions() -> None:
    assert len(EXPRESSIONS) > 70


@pytest.mark.parametrize(("uid", "title", "expr"), EXPRESSIONS, ids=lambda value: str(value)[:60])
def test_a_panel_shows_something(prometheus: Prometheus, uid: str, title: str, expr: str) -> None:
    assert prometheus.query(expr), f"{uid}: {title}"


def test_a_misspelt_metric_shows_nothing(prometheus: Prometheus) -> None:
    assert prometheus.query("robustcert_certificate_stati") == []


def test_no_rule_failed_and_every_alert_is_of_the_version_that_is_ill(prometheus: Prometheus) -> None:
    assert prometheus.rule_problems() == []
    firing = [alert for alert in prometheus.alerts() if alert.state == "firing" and "model" in alert.labels]
    assert {alert.labels["model"] for alert in firing if alert.name in FIRING} == {"fraud", "new"}
    assert not any("instance" in alert.labels or "job" in alert.labels for alert in firing)
    assert {alert.labels["model"] for alert in firing if alert.labels.get("action") == "suspend"} == {"fraud"}


def test_the_counts_of_the_fleet_are_those_of_the_sample(prometheus: Prometheus) -> None:
    fleet = next(one for one in DASHBOARDS if one["uid"].endswith("fleet"))
    shown = {
        panel["title"]: prometheus.query(plain(expressions(panel)[0]))[0].value
        for panel in panels(fleet)
        if panel["type"] == "stat"
    }
    wanted = {"Active": 1, "Ending soon": 1, "Expired": 1, "Suspended": 1, "Revoked": 0, "Without a certificate": 1}
    wanted |= {"Drifting": 1}
    assert {title: shown[title] for title in wanted} == wanted
    assert shown["Asking for action"] >= 2


def test_promtool_checks_every_expression(tmp_path: Path) -> None:
    rules = [{"record": f"panel:{number}", "expr": expr} for number, (_, _, expr) in enumerate(EXPRESSIONS)]
    path = tmp_path / "panels.rules.yaml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
    done = subprocess.run(["promtool", "check", "rules", str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert f"SUCCESS: {len(EXPRESSIONS)} rules found" in done.stdout
