"""docs/components.md: every component and pipeline is in it, with every input and output of the compiled files."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipelines.compile import components, pipelines
from tools.components_page import components_page
from tools.pipeline_patterns import PATTERNS
from tools.pipeline_rules import RULES

SECTION = re.compile(r"^### (?P<name>\w+)\n(?P<text>.*?)(?=^##|\Z)", re.MULTILINE | re.DOTALL)
ROW = re.compile(r"^\| `(?P<name>\w+)` \| (?P<rest>.*) \|$", re.MULTILINE)


def sections_of(title: str) -> dict[str, dict[str, str]]:
    """Component or pipeline -> the rows of its tables, below the heading of that title."""
    part = re.split(rf"^## {title}$", components_page(), flags=re.MULTILINE)[1]
    text = re.split(r"^## ", part, flags=re.MULTILINE)[0]
    return {
        found["name"]: {row["name"]: row["rest"] for row in ROW.finditer(found["text"])}
        for found in SECTION.finditer(text)
    }


@pytest.fixture(scope="module")
def sections() -> dict[str, dict[str, str]]:
    """The components."""
    return sections_of("Components")


@pytest.fixture(scope="module")
def forms() -> dict[str, dict[str, str]]:
    """The pipelines."""
    return sections_of("Inputs of pipelines")


def written(path: Path, *, root_of: str | None = None) -> dict[str, dict[str, Any]]:
    """Inputs and outputs in a compiled file, by name."""
    document = next(yaml.load_all(path.read_text(), Loader=yaml.CSafeLoader))
    part = document["root"] if root_of is None else document["components"][f"comp-{root_of.replace('_', '-')}"]
    return {
        name: item
        for definitions in ("inputDefinitions", "outputDefinitions")
        for kind in ("artifacts", "parameters")
        for name, item in part.get(definitions, {}).get(kind, {}).items()
    }


def test_every_component_and_pipeline_has_its_section(
    sections: dict[str, dict[str, str]], forms: dict[str, dict[str, str]]
) -> None:
    assert (set(sections), set(forms)) == (set(components()), set(pipelines()))


@pytest.mark.parametrize("name", components())
def test_a_component_is_listed_with_every_input_and_output(
    root: Path, sections: dict[str, dict[str, str]], name: str
) -> None:
    found = written(root / f"components/{name}/component.yaml", root_of=name)
    assert set(sections[name]) == set(found)
    for key, item in found.items():
        assert " ".join(item["description"].split()) in sections[name][key]


@pytest.mark.parametrize("name", pipelines())
def test_a_pipeline_is_listed_with_every_input_and_its_default(
    root: Path, forms: dict[str, dict[str, str]], name: str
) -> None:
    found = written(root / f"pipelines/{name}.yaml")
    assert set(forms[name]) == set(found)
    assert name == "drift_monitoring" or forms[name]["shards"].startswith("whole number | `1` | ")
    assert forms[name]["node_selector"].startswith("JSON object | `{}` | ")
    assert name == "drift_monitoring" or forms[name]["run_token"].startswith("text | empty | ")
    assert forms[name]["store"].startswith("text |  | ")


def test_every_rule_of_the_lint_is_listed() -> None:
    text = components_page()
    assert [name for name in {**RULES, **PATTERNS} if f"| `{name}` | " not in text] == []
