"""`python -m tools.chart.check`: one line for each thing that is wrong, and silence about what is right."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tools.chart.check import main, merged
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
    assert re.search("expected trustedKeys.keys or trustedKeys.configMapName, got neither", capsys.readouterr().err)


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


def test_a_file_that_is_missing_and_no_file_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path / "none.yaml")]) == 2
    assert "none.yaml" in capsys.readouterr().err
    assert main([]) == 2
    assert "expected files of values, got none; name them" in capsys.readouterr().err
