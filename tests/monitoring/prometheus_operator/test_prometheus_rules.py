"""Rules as PrometheusRule objects: the operator's form, and exactly the committed rules."""

import jsonschema
import pytest
import yaml

from monitoring.prometheus_operator.prometheus_rules import main, prometheus_rules
from tests.monitoring.metric_table import RULES
from tests.monitoring.prometheus_operator.test_objects import PROMETHEUS_RULE


def test_every_file_of_rules_is_one_object_of_the_operators_form(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--namespace", "robustcert", "--label", "release=stack"]) == 0
    objects = list(yaml.safe_load_all(capsys.readouterr().out))
    files = sorted(RULES.glob("*.rules.yaml"))
    assert [one["spec"] for one in objects] == [yaml.safe_load(path.read_text()) for path in files]
    assert len({one["metadata"]["name"] for one in objects}) == len(files)
    for one in objects:
        jsonschema.validate(one, PROMETHEUS_RULE)
        assert one["metadata"]["namespace"] == "robustcert"
        assert one["metadata"]["labels"]["release"] == "stack"


def test_group_names_are_unique_over_all_objects() -> None:
    found = prometheus_rules(namespace="n", labels={})
    groups = [group["name"] for one in found for group in one["spec"]["groups"]]
    assert len(groups) == len(set(groups))


@pytest.mark.parametrize("label", ["release", "=x", "release="])
def test_a_label_without_a_name_or_value_is_refused_in_one_line(label: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--namespace", "n", f"--label={label}"]) == 2
    assert capsys.readouterr().err.startswith("expected a label such as release=kube-prometheus-stack, got ")


def test_a_rule_of_another_form_is_refused() -> None:
    (one, *_) = prometheus_rules(namespace="n", labels={})
    one["spec"]["groups"][0]["rules"][0]["severity"] = "critical"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(one, PROMETHEUS_RULE)
