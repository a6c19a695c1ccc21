"""Rules as the chart installs them: the committed ones, byte for byte, but for what values change."""

import copy
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from robustcert.errors import InputError
from tests.monitoring.metric_table import ROOT, RULES, rules
from tools.chart.render import ci_values, render

BASE: dict[str, Any] = ci_values()["minimal"]
FILES = {path.name: yaml.safe_load(path.read_text()) for path in sorted(RULES.glob("*.rules.yaml"))}
ALERTS = {rule["alert"] for _, rule in rules() if "alert" in rule}
REPOSITORY = "https://github.com/robustcert/robustcert/blob/main/"
Documents = dict[str, dict[str, Any]]  # name of a file of rules -> what is in it


def rendered(**chosen: Any) -> list[dict[str, Any]]:
    return render({**BASE, "monitoring": {"rules": chosen}})


def by_operator(**chosen: Any) -> Documents:
    """Specs of PrometheusRules under the names of the files that they come from."""
    found = {one["metadata"]["name"]: one["spec"] for one in rendered(**chosen) if one["kind"] == "PrometheusRule"}
    return {f"{name.removeprefix('robustcert-').replace('-', '_')}.rules.yaml": spec for name, spec in found.items()}


def by_file(**chosen: Any) -> Documents:
    (found,) = (
        one
        for one in rendered(enabled=False, configMap=True, **chosen)
        if one["kind"] == "ConfigMap" and one["metadata"]["name"] == "robustcert-rules"
    )
    return {name: yaml.safe_load(text) for name, text in found["data"].items()}


def changed(change: Callable[[dict[str, Any]], dict[str, Any] | None]) -> Documents:
    """The committed files with each rule changed, or left out for None; groups without rules are left out."""
    documents = copy.deepcopy(FILES)
    for document in documents.values():
        for group in document["groups"]:
            group["rules"] = [new for rule in group["rules"] if (new := change(rule)) is not None]
        document["groups"] = [group for group in document["groups"] if group["rules"]]
    return documents


both_ways = pytest.mark.parametrize("read", [by_operator, by_file])


@both_ways
def test_the_rules_are_the_committed_ones_byte_for_byte(read: Callable[..., Documents]) -> None:
    found = read()
    assert found == FILES
    texts = [rule["expr"] for one in found.values() for group in one["groups"] for rule in group["rules"]]
    assert any(text.endswith("\n") and text.count("\n") > 1 for text in texts)
    assert len(texts) > 60


def test_what_alerts_say_keeps_its_own_templates() -> None:
    said = [
        rule["annotations"]["summary"]
        for one in by_operator().values()
        for g in one["groups"]
        for rule in g["rules"]
        if "alert" in rule
    ]
    assert sum("{{ $labels." in text for text in said) > 10


@both_ways
def test_writing_rules_anew_keeps_them_byte_for_byte_too(read: Callable[..., Documents]) -> None:
    """Where nothing is to change the text goes through as it is; with a runbook prefix it is read and written again."""
    assert read(runbooks=f"{REPOSITORY}monitoring/runbooks") == FILES


@both_ways
def test_an_alert_that_is_left_out_is_gone_in_all_its_forms_and_nothing_else_is(read: Callable[..., Documents]) -> None:
    left_out = ["RobustcertAbstentionBurning", "RobustcertControllerDown"]
    found = read(disabled=left_out)
    assert found == changed(lambda rule: None if rule.get("alert") in left_out else rule)
    assert found != FILES


@both_ways
def test_without_any_alert_the_recording_rules_stay(read: Callable[..., Documents]) -> None:
    found = read(disabled=sorted(ALERTS))
    assert found == changed(lambda rule: None if "alert" in rule else rule)
    assert all(group["rules"] for document in found.values() for group in document["groups"])


@pytest.mark.parametrize("how", [{}, {"enabled": False, "configMap": True}])
@pytest.mark.parametrize("name", ["RobustcertControllerDwn", "robustcert:in_use", "record"])
def test_leaving_out_what_does_not_exist_is_refused_with_the_names(how: dict[str, Any], name: str) -> None:
    wanted = f'expected names of alerts in monitoring.rules.disabled, got "{name}"; write one of RobustcertAb'
    with pytest.raises(InputError, match=wanted):
        rendered(disabled=[name], **how)


@both_ways
@pytest.mark.parametrize("slash", ["", "/"])
def test_runbooks_may_be_elsewhere(read: Callable[..., Documents], slash: str) -> None:
    def moved(rule: dict[str, Any]) -> dict[str, Any]:
        if "alert" in rule:
            rule["annotations"]["runbook_url"] = f"https://wiki.example.org/runbooks/{rule['alert']}.md"
        return rule

    found = read(runbooks=f"https://wiki.example.org/runbooks{slash}")
    assert found == changed(moved)
    assert found != FILES


def test_every_link_leads_to_a_page_of_the_repository_about_that_alert() -> None:
    listed = [rule for one in by_operator().values() for group in one["groups"] for rule in group["rules"]]
    alerts = [rule for rule in listed if "alert" in rule]
    assert {rule["alert"] for rule in alerts} == ALERTS
    for rule in alerts:
        path = ROOT / rule["annotations"]["runbook_url"].removeprefix(REPOSITORY)
        assert path.is_file()
        assert path.stem == rule["alert"]


def test_the_operator_finds_them_by_their_labels_and_each_object_and_group_has_a_name_of_its_own() -> None:
    objects = [
        one for one in rendered(labels={"prometheus": "main", "release": None}) if one["kind"] == "PrometheusRule"
    ]
    assert all(one["metadata"]["labels"]["prometheus"] == "main" for one in objects)
    assert all("release" not in one["metadata"]["labels"] for one in objects)
    names = [one["metadata"]["name"] for one in objects]
    groups = [group["name"] for one in objects for group in one["spec"]["groups"]]
    assert len(set(names)) == len(names) == len(FILES)
    assert len(set(groups)) == len(groups)


def test_both_forms_are_optional() -> None:
    assert {one["kind"] for one in rendered(enabled=False)}.isdisjoint({"PrometheusRule"})
    assert not [one for one in rendered() if one["metadata"]["name"] == "robustcert-rules"]


def test_the_files_fit_into_a_config_map() -> None:
    (found,) = (one for one in rendered(configMap=True) if one["metadata"]["name"] == "robustcert-rules")
    assert sum(len(key) + len(text.encode()) for key, text in found["data"].items()) < 1 << 20


def promtool(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["promtool", *map(str, arguments)], capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The specs of the PrometheusRules as files, as the operator lays them down, and the committed tests."""
    folder = tmp_path_factory.mktemp("rules")
    for name, spec in by_operator().items():
        (folder / name).write_text(yaml.safe_dump(spec))
    for path in RULES.glob("*.test.yaml"):
        shutil.copy(path, folder)
    return folder


@pytest.mark.prometheus
def test_promtool_finds_nothing_wrong_with_what_the_operator_is_given(folder: Path) -> None:
    done = promtool("check", "rules", "--lint-fatal", *sorted(folder.glob("*.rules.yaml")))
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("SUCCESS") == len(FILES)


@pytest.mark.prometheus
def test_promtool_finds_nothing_wrong_with_the_files_of_the_config_map(tmp_path: Path) -> None:
    (found,) = (one for one in rendered(configMap=True) if one["metadata"]["name"] == "robustcert-rules")
    for name, text in found["data"].items():
        (tmp_path / name).write_text(text)
    done = promtool("check", "rules", "--lint-fatal", *sorted(tmp_path.iterdir()))
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("SUCCESS") == len(FILES)


@pytest.mark.prometheus
@pytest.mark.parametrize("name", sorted(path.name for path in RULES.glob("*.test.yaml")))
def test_rendered_rules_are_silent_then_fire_then_resolve(folder: Path, name: str) -> None:
    done = promtool("test", "rules", folder / name)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "SUCCESS" in done.stdout


@pytest.mark.prometheus
def test_a_rule_that_is_left_out_fails_its_test(tmp_path: Path) -> None:
    """Those tests read what is rendered, not what is committed."""
    for name, spec in by_operator(disabled=["RobustcertControllerDown"]).items():
        (tmp_path / name).write_text(yaml.safe_dump(spec))
    shutil.copy(RULES / "recertification.test.yaml", tmp_path)
    assert promtool("test", "rules", tmp_path / "recertification.test.yaml").returncode == 1
