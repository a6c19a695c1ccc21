"""What every alert must have: form, runbook, test, metrics that exist. Each reader is shown to find a planted fault."""

import functools
import re
from collections import defaultdict
from pathlib import Path

import pytest
import yaml

from robustcert.recertification import REASONS
from tests.monitoring.metric_table import ROOT, RULES, names, rules, unknown

ALERTS = [rule for _, rule in rules() if "alert" in rule]
RECORDS = [rule for _, rule in rules() if "record" in rule]
NAMES = sorted({rule["alert"] for rule in ALERTS})
RUNBOOK = "https://github.com/robustcert/robustcert/blob/main/monitoring/runbooks/{}.md"
WANTED = """
    InputsDrifted InputsDriftedGrossly OutputsDrifted AbstentionBurning AccuracyLow CertificateExpiring
    CertificateExpired CertificateMissing CertificateSuspended CertificateRevoked DriftReportStale ExporterDown
    ExporterStale ControllerDown RecertificationFailing RecertificationDead RecertificationIneffective LabelCoverageLow
    ResultShifted PayloadsDropped InvalidObjects DataQualityLow
"""


def identity(rule: dict) -> str:
    return " ".join([rule["alert"], *(f"{name}={value}" for name, value in sorted(rule["labels"].items()))])


@functools.cache
def histories() -> dict[str, list[str]]:
    """Alert -> what each promtool test expects of it over time."""
    found: dict[str, list[str]] = defaultdict(list)
    for path in sorted(RULES.glob("*.test.yaml")):
        for test in yaml.safe_load(path.read_text())["tests"]:
            by_name: dict[str, list[tuple[float, int]]] = defaultdict(list)
            for case in test.get("alert_rule_test", ()):
                by_name[case["alertname"]].append((seconds(case["eval_time"]), len(case["exp_alerts"])))
            for name, cases in by_name.items():
                found[name].append(history(sorted(cases)))
    return found


def history(cases: list[tuple[float, int]]) -> str:
    """Whether it fired, as it went on: "silent firing silent"."""
    states = ["firing" if count else "silent" for _, count in cases]
    return " ".join(state for number, state in enumerate(states) if number == 0 or states[number - 1] != state)


def seconds(text: str) -> float:
    parts = re.findall(r"(\d+)([dhms])", text)
    assert "".join(number + unit for number, unit in parts) == text
    return sum(int(number) * {"d": 86400, "h": 3600, "m": 60, "s": 1}[unit] for number, unit in parts)


def test_the_alerts_are_those_that_were_agreed_on() -> None:
    assert {f"Robustcert{name}" for name in WANTED.split()} == set(NAMES)


@pytest.mark.parametrize("rule", ALERTS, ids=identity)
def test_an_alert_has_a_severity_a_duration_and_whole_sentences(rule: dict) -> None:
    assert rule["labels"]["severity"] in {"critical", "warning", "info"}
    assert set(rule["labels"]) <= {"severity", "action", "reason", "component", "part"}
    assert re.fullmatch(r"\d+[mh]", rule["for"])
    notes = rule["annotations"]
    assert set(notes) == {"summary", "description", "runbook_url"}
    assert not notes["summary"].endswith(".")
    assert notes["description"].endswith(".")
    assert re.search(r"\{\{ \$value \| humanize\w*(?: \}\}| )", notes["description"]), "a humanised value"
    assert "limit" in notes["description"]


@pytest.mark.parametrize("rule", ALERTS, ids=identity)
def test_an_alert_that_asks_for_an_action_gives_a_reason_that_the_controller_knows(rule: dict) -> None:
    labels = rule["labels"]
    assert labels.get("action", "recertify") in {"recertify", "suspend"}
    assert labels.get("reason", "manual") in REASONS
    assert "action" not in labels or "reason" in labels


@pytest.mark.parametrize("name", NAMES)
def test_an_alert_has_a_runbook_and_points_to_it(name: str) -> None:
    assert {rule["annotations"]["runbook_url"] for rule in ALERTS if rule["alert"] == name} == {RUNBOOK.format(name)}
    assert (ROOT / f"monitoring/runbooks/{name}.md").is_file()


@pytest.mark.parametrize("name", NAMES)
def test_an_alert_has_a_promtool_test_of_silence_then_firing_then_silence(name: str) -> None:
    assert any(states.endswith("silent firing silent") for states in histories()[name]), histories()[name]


def test_every_variant_of_an_alert_is_expected_to_fire_in_some_test() -> None:
    expected = [
        (case["alertname"], alert["exp_labels"])
        for path in RULES.glob("*.test.yaml")
        for test in yaml.safe_load(path.read_text())["tests"]
        for case in test.get("alert_rule_test", ())
        for alert in case["exp_alerts"]
    ]
    never = [
        identity(rule)
        for rule in ALERTS
        if not any(name == rule["alert"] and rule["labels"].items() <= labels.items() for name, labels in expected)
    ]
    assert never == []


def test_histories_are_read_as_they_are_written() -> None:
    assert history([(0, 0), (1, 0), (2, 1), (3, 2), (4, 0)]) == "silent firing silent"
    assert history([(0, 1), (2, 1)]) == "firing"
    assert seconds("1d2h30m") == 95400


@pytest.mark.parametrize("rule", [*ALERTS, *RECORDS], ids=lambda rule: rule.get("record") or identity(rule))
def test_a_rule_reads_only_series_that_something_exports_or_records(rule: dict) -> None:
    assert names(rule["expr"]), "reads something of ours"
    assert unknown(rule["expr"]) == []


@pytest.mark.parametrize(
    ("expression", "found"),
    [
        ("rate(robustcert_prediction_total[5m])", ["robustcert_prediction_total"]),
        ('robustcert_deployed{pod="x"}', ["robustcert_deployed{pod}"]),
        ("robustcert:nothing:ratio > 1", ["robustcert:nothing:ratio"]),
        ("robustcert_prediction_duration_seconds", ["robustcert_prediction_duration_seconds"]),
        ('robustcert_predictions_total{outcome="robustcert_x"}', []),
    ],
)
def test_the_reader_of_expressions_finds_what_does_not_exist(expression: str, found: list[str]) -> None:
    assert unknown(expression) == found


def late_reads(path: Path) -> list[str]:
    """Series that a rule reads although its own group records them only below, or another group does."""
    found = []
    for group in yaml.safe_load(path.read_text())["groups"]:
        recorded: set[str] = set()
        for rule in group["rules"]:
            wanted = {name for name in names(rule["expr"]) if ":" in name}
            found += [f"{rule.get('record') or rule['alert']} reads {name}" for name in sorted(wanted - recorded)]
            recorded.add(rule.get("record", ""))
    return found


@pytest.mark.parametrize("path", sorted(RULES.glob("*.rules.yaml")), ids=lambda path: path.name)
def test_what_a_rule_reads_is_recorded_above_it_in_its_own_group(path: Path) -> None:
    assert late_reads(path) == []


def test_the_reader_of_the_order_finds_a_rule_that_is_one_evaluation_late(tmp_path: Path) -> None:
    first, second = (
        {"record": "robustcert:a", "expr": "robustcert:b"},
        {"record": "robustcert:b", "expr": "robustcert_x"},
    )
    path = tmp_path / "x.rules.yaml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "g", "rules": [first, second]}]}))
    assert late_reads(path) == ["robustcert:a reads robustcert:b"]


def test_no_series_is_recorded_twice() -> None:
    recorded = [rule["record"] for rule in RECORDS]
    assert len(recorded) == len(set(recorded)) > 40


def test_the_table_of_alerts_in_the_documentation_is_that_of_the_rules() -> None:
    text = (ROOT / "docs/monitoring.md").read_text()
    row = (
        r"^\| \[`(\w+)`\]\(\.\./monitoring/runbooks/\1\.md\) \| (\w+) \| `?([\w-]*)`? \| `?([\w-]*)`? \|"
        r" [^|]+ \| (\w+) \|$"
    )
    written = sorted(re.findall(row, text, re.M))
    assert written == sorted(
        (
            rule["alert"],
            rule["labels"]["severity"],
            rule["labels"].get("action", ""),
            rule["labels"].get("reason", ""),
            rule["for"],
        )
        for rule in ALERTS
    )
