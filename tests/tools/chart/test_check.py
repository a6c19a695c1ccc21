"""`python -m tools.chart.check`: one line for each thing that is wrong, and silence about what is right."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tools.chart.check import main, merged, read
from tools.chart.render import CHART

LEAST = "store: {uri: s3://models/x}\ntrustedKeys: {configMapName: keys}\n"
JOB = "name: a, certificate: a, window: a"
ANSWERS = {
    "exporter: {resorces: {}}": (
        r"exporter\.resorces: expected a name that exists, got 'resorces'; did you mean 'resources'\?"
    ),
    "zzz: 1": "zzz: expected a name that exists, got 'zzz'; known here: nameOverride, .*, extraObjects",
    "images: {pullPolicy: always}": (
        r"images\.pullPolicy: expected 'IfNotPresent' or 'Always' or 'Never', got 'always'; did you mean 'Always'\?"
    ),
    "images: {steps: {tag: latest}}": (
        r"images\.steps\.tag: expected a tag that does not move, got 'latest'; correct it \(The release .*\)"
    ),
    "exporter: {readers: many}": (
        r"exporter\.readers: expected a whole number from 1 to \d+, got 'many'; correct it \(Connections to S3 .*\)"
    ),
    "controller: {settings: {coolDown: 6 hours}}": (
        r"controller\.settings\.coolDown: expected a time such as 90s, .*, got '6 hours'; correct it \(Pause .*\)"
    ),
    "exporter: {resources: {limits: {cpu: [1]}}}": (
        r"exporter\.resources\.limits\.cpu: expected a quantity such as 500m, .*, got a list of 1; correct it .*"
    ),
    f"drift: {{jobs: [{{{JOB}}}]}}": (
        r"drift\.jobs\[0\]\.schedule: expected a schedule such as .*, got none; give it \(Five fields of cron\)"
    ),
    f"drift: {{jobs: [{{{JOB}, schedule: '@daily', labels: null}}]}}": (
        r"drift\.jobs\[0\]\.labels: expected text, got nothing; correct it .*"
    ),
    "exporter: {tolerations: [{efect: NoSchedule}]}": (
        r"exporter\.tolerations\[0\]\.efect: expected a name that exists, got 'efect'; did you mean 'effect'\?"
    ),
    "externalSecrets: {secrets: {a: {b: {key: 1}}}}": (
        r"externalSecrets\.secrets\.a\.b\.key: expected text that is not empty, got 1; correct it .*"
    ),
    "exporter: null": r"exporter: expected names with values, got nothing; correct it .*",
    "monitoring: 3": r"monitoring: expected names with values, got 3; correct it .*",
    "podSecurity: {runAsUser: '1'}": (
        r"podSecurity\.runAsUser: expected a whole number of at least 1 or null, got '1'; correct it .*"
    ),
}


def written(folder: Path, *texts: str) -> list[str]:
    """Files with these texts."""
    paths = [folder / f"{place}.yaml" for place in range(len(texts))]
    for path, text in zip(paths, texts, strict=True):
        path.write_text(text)
    return [str(path) for path in paths]


@pytest.mark.parametrize("text", ANSWERS)
def test_a_wrong_value_is_answered_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str) -> None:
    assert main(written(tmp_path, LEAST, text)) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert re.fullmatch(ANSWERS[text] + "\n", said.err)


def test_every_problem_has_its_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = "exporter: {readers: 0, intervall: 1}\nstore: {uri: ftp://x}\n"
    assert main(written(tmp_path, text)) == 2
    lines = capsys.readouterr().err.splitlines()
    assert sorted(line.partition(":")[0] for line in lines) == ["exporter.intervall", "exporter.readers", "store.uri"]


@pytest.mark.parametrize("path", sorted(CHART.glob("ci/*.yaml")), ids=lambda path: path.name)
def test_the_installations_that_are_tried_are_right(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(path)]) == 0
    assert re.fullmatch(r"right: [1-9]\d+ objects\n", capsys.readouterr().out)


def test_values_that_are_wrong_together_are_answered_by_the_chart(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(written(tmp_path, "store: {uri: s3://models/x}")) == 2
    assert re.match("expected trustedKeys.keys or trustedKeys.configMapName, got neither", capsys.readouterr().err)


def test_the_later_file_wins_and_null_takes_a_default_away(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paths = written(tmp_path, LEAST, "exporter: {readers: 0}", "exporter: {readers: 3, nodeSelector: null}")
    assert main(paths) == 0
    assert main(paths[:2]) == 2
    assert merged({"a": {"b": 1}, "c": [1]}, {"a": {"d": 2}, "c": [2]}) == {"a": {"b": 1, "d": 2}, "c": [2]}


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("a: [1", "expected a file of YAML, got .*0.yaml: .*line 2.*; correct it"),
        ("- 1", "expected names and values, got .*0.yaml: a list of 1; correct it"),
    ],
)
def test_a_file_that_holds_no_values_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, answer: str
) -> None:
    assert main(written(tmp_path, text)) == 2
    assert re.fullmatch(answer + "\n", capsys.readouterr().err)


LAUGHS = "a: &a {x: 1}\n" + "".join(
    f"{name}: &{name} {{{', '.join(f'k{place}: *{before}' for place in range(9))}}}\n"
    for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("a:\n  b: 1\n  b: 2", "{path}:3: a.b: expected a name once, got it on lines 2 and 3; keep one"),
        ("exporter: {8: x}", "{path}:1: exporter: expected text as a name, got '8'; put it in quotes"),
        ("on: x", "{path}:1: expected text as a name, got 'on'; put it in quotes"),
        ("? [a]\n: b", "{path}:1: expected text as a name, got a list or map; put it in quotes"),
        ("a: !!set {b}", "{path}:1: a: expected text, numbers, lists and maps, got !!set; correct it"),
        ("a: &a {b: *a}", "{path}:1: a.b.b: expected a value that does not hold itself, got one that does; correct it"),
        (f"a: {'9' * 41}", "{path}:1: a: expected a finite number of at most 40 characters, got '9+'; correct it"),
        ("a: [.nan]", "{path}:1: a\\[0\\]: expected a finite number of at most 40 characters, got '.nan'; correct it"),
        (LAUGHS, "expected at most 50000 values, got {path}: more, with aliases written out; shorten it"),
        ("a: " + "[" * 100_000 + "]" * 100_000, "expected at most 64 levels, got {path}:1: more; correct it"),
        ("# " + "x" * (1 << 20), "expected at most 1048576 bytes, got {path}: more; shorten it"),
    ],
)
def test_what_helm_would_take_without_a_word_or_not_end_with_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, answer: str
) -> None:
    (path,) = written(tmp_path, text)
    assert main([path]) == 2
    assert re.fullmatch(answer.replace("{path}", re.escape(path)) + "\n", capsys.readouterr().err)


def test_aliases_merges_and_dates_are_what_helm_makes_of_them(tmp_path: Path) -> None:
    text = "exporter: {nodeSelector: &pool {a: b}}\ncontroller: {nodeSelector: {<<: *pool, a: 2026-01-01}}\n"
    (path,) = written(tmp_path, text)
    found = read(Path(path))
    assert found == {"exporter": {"nodeSelector": {"a": "b"}}, "controller": {"nodeSelector": {"a": "2026-01-01"}}}


@pytest.mark.parametrize(
    ("schedule", "answer"),
    [
        ("'99 * * * *'", "spec.schedule: schedules-come: expected 0 to 59 as minute, got '99'"),
        ("'0 0 31 2 *'", "spec.schedule: schedules-come: expected a day that comes, got '0 0 31 2 \\*'"),
        ("'@daily', timeZone: Europe/Berln", "spec.timeZone: time-zones-known: expected a time zone .*'Europe/Berln'"),
    ],
)
def test_a_schedule_that_kubernetes_refuses_or_that_never_comes_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], schedule: str, answer: str
) -> None:
    job = f"recertification: {{schedules: [{{name: a, model: b, schedule: {schedule}}}]}}"
    assert main(written(tmp_path, LEAST, job)) == 2
    assert re.fullmatch(f"CronJob/robustcert-schedule-a: {answer}; .*\n", capsys.readouterr().err)


def test_a_file_that_is_missing_and_no_file_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path / "none.yaml")]) == 2
    assert "none.yaml" in capsys.readouterr().err
    assert main([]) == 2
    assert "expected files of values, got none; name them" in capsys.readouterr().err
