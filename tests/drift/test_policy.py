"""The policy is complete without a file, refuses what it does not know, and has one digest for one meaning."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import pytest

from robustcert.drift.policy import DriftPolicy, parse_policy, read_policy
from robustcert.errors import InputError


def test_a_file_without_keys_is_the_default_policy(tmp_path: Path) -> None:
    for text in ("", "# nothing changed\n", "alpha: 0.01\n"):
        (tmp_path / "policy.yaml").write_text(text)
        assert read_policy(tmp_path / "policy.yaml") == DriftPolicy()


def test_a_key_changes_its_value_and_the_digest_and_nothing_else() -> None:
    found = parse_policy("columns:\n  minimumEffect: 0.3\nminimumRows: 500\n")
    assert (found.columns.minimum_effect, found.minimum_rows) == (0.3, 500)
    assert found.columns.correction == DriftPolicy().columns.correction
    assert found.sha256 != DriftPolicy().sha256
    assert parse_policy("minimumRows: 500\ncolumns: {minimumEffect: 0.30}").sha256 == found.sha256


def test_the_digest_is_that_of_the_canonical_json_which_holds_no_float() -> None:
    document = DriftPolicy().document()
    assert document["alpha"] == "0.01"
    text = json.dumps(document, sort_keys=True, separators=(",", ":"))
    assert DriftPolicy().sha256 == hashlib.sha256(text.encode()).hexdigest()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("\nalhpa: 0.1", r"policy.yaml:2.*alhpa: Extra inputs"),
        ("alpha: 2", "alpha: Input should be less than or equal to 0.5"),
        ("columns:\n  correction: bonferroni", r"policy.yaml:2.*correction"),
        ("alpha: 0.0001", "at least 69999 samples.permutations"),
        ("samples: {outputs: 50}", "outputs of at least minimumRows"),
        ("samples: {evidence: 10001}", "less than or equal to 10000"),
        ("alpha: [", "policy.yaml:1: expected YAML"),
        ("- 1", "policy.yaml:1"),
    ],
)
def test_what_is_wrong_is_said_in_one_line_with_its_place(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=message) as refused:
        read_policy(path)
    assert "\n" not in str(refused.value)


def test_a_policy_that_is_not_there_or_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    for name in ("none.yaml", "binary"):
        with pytest.raises(InputError, match="unreadable"):
            read_policy(tmp_path / name)


def test_the_documentation_shows_the_defaults(root: Path) -> None:
    shown = re.search(r"```yaml\n(alpha:.*?)```", (root / "docs/drift.md").read_text(), re.DOTALL)
    assert shown is not None
    assert parse_policy(shown[1]) == DriftPolicy()
    written = {key for part in DriftPolicy().document().values() for key in (part if isinstance(part, dict) else ())}
    assert all(f"{key}:" in shown[1] for key in written | set(DriftPolicy().document()))


def test_every_field_says_what_it_is() -> None:
    schema = DriftPolicy.model_json_schema(by_alias=True)
    parts = [schema, *schema["$defs"].values()]
    described = [
        (part["title"], name) for part in parts for name, item in part["properties"].items() if "$ref" not in item
    ]
    undescribed = [
        (part["title"], name)
        for part in parts
        for name, item in part["properties"].items()
        if "$ref" not in item and "allOf" not in item and not item.get("description")
    ]
    assert len(described) > 20
    assert undescribed == []
