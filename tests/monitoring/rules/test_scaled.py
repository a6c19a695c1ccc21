"""Durations of the rules times a factor: nothing but durations changes, and promtool agrees on what came out."""

import copy
import re
import subprocess
from fractions import Fraction
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from monitoring.rules.scaled import main, rule_files, scale_duration, scale_expression, scaled, write_scaled
from robustcert.errors import InputError
from tests.monitoring.metric_table import RULES

MILLISECONDS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000, "y": 31_536_000_000}


def milliseconds(text: str) -> int:
    return sum(int(number) * MILLISECONDS[unit] for number, unit in re.findall(r"(\d+)(ms|[smhdwy])", text))


@given(st.integers(1, 10**6), st.sampled_from(sorted(MILLISECONDS)), st.fractions(Fraction(1, 1000), 100))
def test_a_duration_is_scaled_to_the_nearest_millisecond(number: int, unit: str, factor: Fraction) -> None:
    exact = number * MILLISECONDS[unit] * factor
    if round(exact) >= 1:
        assert milliseconds(scale_duration(f"{number}{unit}", factor)) == round(exact)


@pytest.mark.parametrize(
    ("expression", "wanted"),
    [
        ("rate(a[5m])", "rate(a[5s])"),
        ("rate(a[1h30m])", "rate(a[90s])"),
        ("max_over_time(a[2h:1m])", "max_over_time(a[2m:1s])"),
        ("max_over_time(a[2h:])", "max_over_time(a[2m:])"),
        ("a offset 1h", "a offset 1m"),
        ("a offset -1h", "a offset -1m"),
        ("time() - a > 2 * 3600", "time() - a > 0.0333333333333 * 3600"),
        ("x:a:rate5m > 0.05", "x:a:rate5m > 0.05"),
        ('a{b="[5m] offset 1h"}[5m]', 'a{b="[5m] offset 1h"}[5s]'),
        ("a{b='[5m]'}", "a{b='[5m]'}"),
        ("sum by (model) (a) * 24", "sum by (model) (a) * 24"),
        ("0.02 * 60 and a1m * 60", "0.000333333333333 * 60 and a1m * 60"),
    ],
)
def test_in_an_expression_only_durations_change(expression: str, wanted: str) -> None:
    assert scale_expression(expression, Fraction(1, 60)) == wanted


@pytest.mark.parametrize("factor", [Fraction(60), Fraction(24), Fraction(7)])
def test_scaling_by_one_over_a_factor_undoes_it(factor: Fraction) -> None:
    for path in rule_files():
        document = yaml.safe_load(path.read_text())
        there = scaled(document, factor)
        back = scaled(there, 1 / factor)
        assert numbers_rounded(back) == numbers_rounded(scaled(document, Fraction(1)))
        assert numbers_rounded(there) != numbers_rounded(back)


def numbers_rounded(document: dict) -> dict:
    """A copy in which `2.00000000001 * 3600` reads as `2 * 3600`."""
    found = copy.deepcopy(document)
    for group in found["groups"]:
        for rule in group["rules"]:
            rule["expr"] = re.sub(r"[\d.]+(?= \* (?:60|3600|86400)\b)", lambda m: f"{float(m[0]):.6g}", rule["expr"])
    return found


def test_names_labels_and_annotations_stay_as_they_are() -> None:
    for path in rule_files():
        before = yaml.safe_load(path.read_text())["groups"]
        after = scaled({"groups": before}, Fraction(1, 60))["groups"]
        for old, new in zip(before, after, strict=True):
            for was, now in zip(old["rules"], new["rules"], strict=True):
                kept = ("record", "alert", "labels", "annotations")
                assert [was.get(key) for key in kept] == [now.get(key) for key in kept]
                assert set(was) == set(now)


def test_only_rules_that_the_pattern_finds_are_scaled() -> None:
    document = yaml.safe_load((RULES / "drift.rules.yaml").read_text())
    hourly = scaled(document, Fraction(1, 24), only="drift_report_timestamp")
    changed = [
        now["record"]
        for was, now in zip(document["groups"][0]["rules"], hourly["groups"][0]["rules"], strict=True)
        if was != now
    ]
    assert changed == ["robustcert:drift_report:lasting_score_over_threshold"]
    assert "[65m]" in yaml.safe_dump(hourly)


@pytest.mark.parametrize("text", ["", "5", "5 m", "m", "5mm", "-5m", "1.5h"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="expected a duration such as 5m"):
        scale_duration(text, Fraction(1, 60))


def test_a_factor_that_leaves_nothing_is_refused() -> None:
    with pytest.raises(InputError, match="at least 1 ms, got 1s times 1/5000"):
        scale_duration("1s", Fraction(1, 5000))
    with pytest.raises(InputError, match="a factor above 0, got 0"):
        scaled({"groups": []}, Fraction(0))


def test_the_command_writes_every_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--factor", "1/60", "--out", str(tmp_path / "scaled")]) == 0
    names = {path.name for path in rule_files()}
    assert {path.name for path in (tmp_path / "scaled").iterdir()} == names
    assert capsys.readouterr().out.count("wrote ") == len(names) >= 6


@pytest.mark.parametrize("factor", ["x", "1/0", "-1", "0"])
def test_the_command_refuses_a_wrong_factor_in_one_line(
    factor: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([f"--factor={factor}", "--out", str(tmp_path)]) == 2
    assert re.fullmatch(r"expected a factor .*\n", capsys.readouterr().err)


@pytest.mark.prometheus
@pytest.mark.parametrize("factor", ["1/60", "1/24", "7"])
def test_promtool_reads_scaled_rules(factor: str, tmp_path: Path) -> None:
    written = write_scaled(tmp_path, Fraction(factor))
    command = ["promtool", "check", "rules", "--lint-fatal", *map(str, written)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.prometheus
@pytest.mark.parametrize("subject", ["drift", "abstention"])
def test_scaled_rules_do_in_seconds_what_the_others_do_in_minutes(subject: str, tmp_path: Path) -> None:
    """The same promtool tests, with their own times scaled: every alert fires and resolves at the same step."""
    write_scaled(tmp_path, Fraction(1, 60), files=[RULES / f"{subject}.rules.yaml"])
    document = yaml.safe_load((RULES / f"{subject}.test.yaml").read_text())
    document["evaluation_interval"] = "1s"
    for test in document["tests"]:
        test["interval"] = scale_duration(test["interval"], Fraction(1, 60))
        for case in [*test.get("alert_rule_test", ()), *test.get("promql_expr_test", ())]:
            case["eval_time"] = scale_duration(case["eval_time"], Fraction(1, 60))
    (tmp_path / f"{subject}.test.yaml").write_text(yaml.safe_dump(document))
    command = ["promtool", "test", "rules", str(tmp_path / f"{subject}.test.yaml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
