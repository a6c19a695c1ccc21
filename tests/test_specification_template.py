"""What `robustcert init` writes: it passes, it is the committed example, and it explains every key."""

import json
from pathlib import Path

import jsonschema
import pytest
import yaml

from robustcert.errors import SpecificationError
from robustcert.specification import schema_json
from robustcert.specification_examples import EXAMPLES
from robustcert.specification_file import check_text
from robustcert.specification_schema import keys_at
from robustcert.specification_template import KINDS, template


@pytest.mark.parametrize("kind", KINDS)
def test_a_template_passes_without_a_problem_or_a_warning(kind: str) -> None:
    assert check_text(template(kind)) == []


@pytest.mark.parametrize("kind", ["digits", "breast-cancer"])
def test_the_committed_examples_are_the_templates(kind: str, root: Path) -> None:
    committed = (root / f"examples/{kind}.yaml").read_text()
    assert committed == template(kind), f"write template({kind!r}) to examples/{kind}.yaml"


@pytest.mark.parametrize("kind", KINDS)
def test_other_libraries_read_the_template_and_find_it_valid(kind: str) -> None:
    values = yaml.safe_load(template(kind))
    assert values == json.loads(json.dumps(EXAMPLES[kind]))
    jsonschema.Draft202012Validator(json.loads(schema_json())).validate(values)


@pytest.mark.parametrize("kind", KINDS)
def test_every_key_of_every_section_is_there_or_shown_as_a_comment(kind: str) -> None:
    written = [line.strip().removeprefix("- ").removeprefix("# ") for line in template(kind).splitlines()]
    for section in ((), ("training",), ("model",), ("evaluation",), ("certification",), ("threatModels", 0)):
        for key in keys_at(section):
            assert any(line.startswith(f"{key}:") for line in written), f"{section}: {key}"


@pytest.mark.parametrize("kind", KINDS)
def test_every_key_is_commented_once(kind: str) -> None:
    """A key that is not in a repeated list item has a comment behind it, or on the line before."""
    lines = template(kind).split("rationale:")[0].splitlines()
    commented = {
        line.strip().removeprefix("- ").removeprefix("# ").partition(":")[0]
        for before, line in zip(["", *lines], lines, strict=False)
        if ":" in line and ("  # " in line or before.strip().startswith("# "))
    }
    assert set(keys_at(())) - {"rationale"} <= commented
    assert {"sigma", "epsilon", "threshold", "days", "source", "noiseSigma"} <= commented


def test_lines_fit_a_screen() -> None:
    assert max(len(line) for kind in KINDS for line in template(kind).splitlines()) <= 120


def test_another_kind_is_refused_with_the_nearest_one() -> None:
    with pytest.raises(SpecificationError, match="expected digits or breast-cancer or images or table, got 'digit'"):
        template("digit")
