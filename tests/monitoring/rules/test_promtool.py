"""Debian's promtool reads the rules and runs their tests."""

import subprocess
from pathlib import Path

import pytest

from tests.monitoring.metric_table import RULES

pytestmark = pytest.mark.prometheus


def promtool(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["promtool", *map(str, arguments)], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("path", sorted(RULES.glob("*.rules.yaml")), ids=lambda path: path.name)
def test_promtool_finds_nothing_wrong_with_the_rules(path: Path) -> None:
    done = promtool("check", "rules", "--lint-fatal", path)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("path", sorted(RULES.glob("*.test.yaml")), ids=lambda path: path.name)
def test_the_rules_are_silent_then_fire_then_resolve_as_their_tests_say(path: Path) -> None:
    done = promtool("test", "rules", path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "SUCCESS" in done.stdout


@pytest.mark.parametrize(
    ("rules", "tests", "right", "wrong"),
    [
        ("certificates", "certificates", "== 1\n          and on (model, version) robustcert:in_use", "== 2"),
        ("drift", "drift", "predictions5m >= 200", "predictions5m >= 2000"),
        ("abstention", "abstention", "/ (1 - robustcert:reference_abstention:ratio) / 0.02", "/ 0.02"),
        ("exporter", "exporter", "absent(", "count("),
        ("recertification", "recertification", "> 5 * 60", "> 50 * 60"),
    ],
)
def test_a_changed_rule_fails_its_test(rules: str, tests: str, right: str, wrong: str, tmp_path: Path) -> None:
    text = (RULES / f"{rules}.rules.yaml").read_text()
    assert right in text
    (tmp_path / f"{rules}.rules.yaml").write_text(text.replace(right, wrong))
    (tmp_path / f"{tests}.test.yaml").write_text((RULES / f"{tests}.test.yaml").read_text())
    assert promtool("check", "rules", tmp_path / f"{rules}.rules.yaml").returncode == 0
    assert promtool("test", "rules", tmp_path / f"{tests}.test.yaml").returncode == 1
