"""A GPU pool in kubectl's notation becomes the values that Kubernetes takes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes import client as kubernetes

from robustcert.commands.node_pool import node_pool_values
from robustcert.errors import InputError

TERM = {"matchExpressions": [{"key": "gpu", "operator": "In", "values": ["h100"]}]}
RULE = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [TERM]}}


def values(**given: Any) -> dict[str, Any]:
    nothing: dict[str, Any] = {
        "gpus": None,
        "gpu_type": None,
        "node_selectors": (),
        "tolerations": (),
        "affinity": None,
    }
    return node_pool_values(**{**nothing, **given})


def test_what_is_not_given_is_left_to_the_pipeline() -> None:
    assert values() == {}
    assert values(gpus=0, gpu_type="amd.com/gpu") == {"gpus": "0", "gpu_type": "amd.com/gpu"}


@pytest.mark.parametrize(
    ("text", "toleration"),
    [
        ("nvidia.com/gpu", {"key": "nvidia.com/gpu", "operator": "Exists"}),
        ("nvidia.com/gpu:NoSchedule", {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}),
        ("pool=gpu:NoExecute", {"key": "pool", "operator": "Equal", "value": "gpu", "effect": "NoExecute"}),
        ("pool=", {"key": "pool", "operator": "Equal", "value": ""}),
    ],
)
def test_a_toleration_has_the_fields_of_kubernetes(text: str, toleration: dict[str, str]) -> None:
    assert values(tolerations=[text]) == {"tolerations": [toleration]}
    assert set(toleration) <= set(kubernetes.V1Toleration.attribute_map.values())


def test_selectors_add_up() -> None:
    assert values(node_selectors=["pool=gpu", "zone=a=b"]) == {"node_selector": {"pool": "gpu", "zone": "a=b"}}


@pytest.mark.parametrize("written", [RULE, {"nodeAffinity": RULE}])
def test_affinity_comes_from_a_file(tmp_path: Path, written: dict[str, Any]) -> None:
    (tmp_path / "affinity.yaml").write_text(yaml.safe_dump(written))
    assert values(affinity=tmp_path / "affinity.yaml") == {"affinity": RULE}
    assert set(RULE) <= set(kubernetes.V1NodeAffinity.attribute_map.values())


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ({"node_selectors": ["pool"]}, "expected key=value after --node-selector, got 'pool'"),
        ({"node_selectors": ["=gpu"]}, "expected key=value after --node-selector, got '=gpu'"),
        ({"tolerations": ["a:Never"]}, r"expected key\[=value\]\[:effect\] after --toleration, got 'a:Never'; effects"),
        ({"tolerations": [""]}, "after --toleration, got ''"),
    ],
)
def test_another_notation_is_refused(given: dict[str, Any], line: str) -> None:
    with pytest.raises(InputError, match=line):
        values(**given)


@pytest.mark.parametrize("text", ["", "a: 1", "[]", "{", "nodeAffinity: 1", "podAffinity: {}"])
def test_a_file_that_holds_no_affinity_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.yaml").write_text(text)
    with pytest.raises(InputError, match="expected a nodeAffinity in YAML or JSON, got"):
        values(affinity=tmp_path / "a.yaml")
    with pytest.raises(InputError, match="expected a file after --affinity, got"):
        values(affinity=tmp_path / "none.yaml")
