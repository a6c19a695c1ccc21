"""Every runbook: its sections, queries that exist, commands that exist, links that lead somewhere."""

import functools
import re
import subprocess
from pathlib import Path

import pytest
import typer
import yaml

from robustcert.cli import application
from tests.monitoring.metric_table import ROOT, names, rules, unknown
from tools.chart.render import ci_values, render
from tools.chart.values import Values

FOLDER = ROOT / "monitoring/runbooks"
PAGES = sorted(FOLDER.glob("*.md"))
SECTIONS = ["Meaning", "Impact", "Diagnosis", "Mitigation", "When to suspend"]
LONGEST_LINE = 132
every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
SUBCOMMANDS = typer.main.get_command(application()).commands


def queries(text: str) -> list[str]:
    return [line for block in re.findall(r"^```promql\n(.*?)^```$", text, re.M | re.S) for line in block.splitlines()]


def commands(text: str) -> list[list[str]]:
    """Words of each `robustcert ...` in the text."""
    return [found.split() for found in re.findall(r"`robustcert ([^`]+)`", text.replace("\n", " "))]


def cluster_commands(text: str) -> list[str]:
    """Each `kubectl ...` and `helm ...` in the text."""
    return re.findall(r"`((?:kubectl|helm) [^`]+)`", text.replace("\n", " "))


@functools.cache
def installed() -> dict[str, set[str]]:
    """Kind, in small letters -> names of its objects in a release `robustcert`, with a drift job called NAME."""
    job = {"name": "name", "certificate": "digits", "window": "s3://logs/digits/", "schedule": "@daily"}
    found: dict[str, set[str]] = {}
    for one in render({**ci_values()["minimal"], "drift": {"jobs": [job]}}):
        found.setdefault(one["kind"].lower(), set()).add(one["metadata"]["name"].replace("-drift-name", "-drift-NAME"))
        found.setdefault("component", set()).add(one["metadata"]["labels"]["app.kubernetes.io/component"])
    return found


def missing(text: str) -> list[str]:
    """Objects and components of a release that a text names and the chart does not install."""
    named = re.findall(r"(?<![\w.:/-])([a-z]+)/(robustcert[\w-]*)", text)
    accounts = [("serviceaccount", name) for name in re.findall(r"system:serviceaccount:robustcert:([\w-]+)", text)]
    components = [("component", name) for name in re.findall(r"app\.kubernetes\.io/component=([\w-]+)", text)]
    return [f"{kind}/{name}" for kind, name in named + accounts + components if name not in installed().get(kind, ())]


def unknown_value(path: str) -> bool:
    """Whether the chart has no such value, dots between its keys."""
    node = Values().model_dump(by_alias=True)
    for key in path.split("."):
        if not isinstance(node, dict) or key not in node:
            return True
        node = node[key]
    return False


def wrong_options(words: list[str]) -> list[str]:
    """What of a command line our command line does not know."""
    command = SUBCOMMANDS.get(words[0])
    if command is not None and hasattr(command, "commands"):
        words, command = words[1:], command.commands.get(words[1]) if len(words) > 1 else None
    if command is None:
        return [words[0]]
    known = {option for parameter in command.params for option in parameter.opts}
    return [word for word in words if word.startswith("--") and word not in known]


def test_there_is_a_page_for_every_alert_and_no_other() -> None:
    assert {page.stem for page in PAGES} == {rule["alert"] for _, rule in rules() if "alert" in rule}


@every_page
def test_a_page_says_what_it_means_and_what_to_do(page: Path) -> None:
    text = page.read_text()
    assert text.startswith(f"# {page.stem}\n\nSeverity ")
    assert re.findall(r"^## (.+)$", text, re.M) == SECTIONS
    for section in re.split(r"^## .+$", text, flags=re.M)[1:]:
        assert len(section.split()) >= 4, section


@every_page
def test_its_head_tells_severity_and_reason_as_the_rules_have_them(page: Path) -> None:
    head = page.read_text().split("\n\n")[1]
    for labels in (rule["labels"] for _, rule in rules() if rule.get("alert") == page.stem):
        assert labels["severity"] in head
        assert ("action" in labels) <= ("the controller" in head and labels.get("reason", "") in head)
        assert ("suspends" in head) == (labels.get("action") == "suspend")


@every_page
def test_its_queries_read_only_what_something_exports(page: Path) -> None:
    found = queries(page.read_text())
    assert found
    assert any(names(query) for query in found)
    assert [problem for query in found for problem in unknown(query)] == []


@every_page
def test_its_commands_exist_with_their_options(page: Path) -> None:
    assert [problem for words in commands(page.read_text()) for problem in wrong_options(words)] == []


@every_page
def test_its_commands_for_a_cluster_name_what_the_chart_installs_and_where(page: Path) -> None:
    text = page.read_text()
    assert missing(text) == []
    for command in cluster_commands(text):
        words = command.split()
        assert "can-i" in words or words[words.index("-n" if "-n" in words else "--namespace") + 1] == "robustcert"


@every_page
def test_the_values_of_the_chart_that_it_names_exist(page: Path) -> None:
    parts = "|".join(name for name in Values().model_dump(by_alias=True) if name != "global")
    assert [path for path in re.findall(rf"`((?:{parts})(?:\.\w+)*)`", page.read_text()) if unknown_value(path)] == []


def test_pages_about_our_programs_say_how_to_see_and_restart_them_in_a_cluster() -> None:
    said = {page.stem: " ".join(cluster_commands(page.read_text())) for page in PAGES}
    assert "rollout restart statefulset/robustcert-controller" in said["RobustcertControllerDown"]
    assert "rollout restart deployment/robustcert-exporter" in said["RobustcertExporterDown"]
    assert sum("logs" in commands for commands in said.values()) >= 5


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("deployment/robustcert-controller", ["deployment/robustcert-controller"]),
        ("-l app.kubernetes.io/component=webhook", ["component/webhook"]),
        ("system:serviceaccount:robustcert:exporter", ["serviceaccount/exporter"]),
        ("statefulset/robustcert-controller and https://github.com/robustcert", []),
    ],
)
def test_the_reader_of_objects_finds_what_is_not_installed(text: str, wrong: list[str]) -> None:
    assert missing(text) == wrong
    assert unknown_value("controller.settings.mostRuning")
    assert not unknown_value("controller.settings.mostRunning")


def test_most_pages_name_a_command() -> None:
    assert sum(bool(commands(page.read_text())) for page in PAGES) >= 16


@pytest.mark.parametrize(
    ("line", "wrong"),
    [
        ("suspend M --keys K", ["--keys"]),
        ("requests lst", ["lst"]),
        ("renew M", ["renew"]),
        ("requests list --model M", []),
    ],
)
def test_the_reader_of_commands_finds_what_does_not_exist(line: str, wrong: list[str]) -> None:
    assert wrong_options(line.split()) == wrong


@every_page
def test_its_links_lead_to_other_pages(page: Path) -> None:
    links = re.findall(r"\]\(([^)]+)\)", page.read_text())
    assert [link for link in links if not (FOLDER / link).is_file()] == []


@every_page
def test_its_lines_are_not_endless(page: Path) -> None:
    plain = [line for line in page.read_text().splitlines() if not line.startswith(("topk(", "robustcert:"))]
    assert [line for line in plain if len(line) > LONGEST_LINE] == []


@pytest.mark.prometheus
def test_promtool_checks_every_query(tmp_path: Path) -> None:
    found = [query for page in PAGES for query in queries(page.read_text())]
    listed = [{"record": f"query:{number}", "expr": query} for number, query in enumerate(found)]
    path = tmp_path / "queries.rules.yaml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "queries", "rules": listed}]}))
    done = subprocess.run(["promtool", "check", "rules", str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert f"SUCCESS: {len(found)} rules found" in done.stdout
    assert len(found) > 50
