"""init, check and schema."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
import yaml

from tests.command_line import CommandLine


@pytest.mark.parametrize("template", ["digits", "breast-cancer", "images", "table"])
def test_what_init_writes_passes_check(command_line: CommandLine, tmp_path: Path, template: str) -> None:
    path = tmp_path / "spec.yaml"
    assert command_line("init", "--for", template, "--out", path).status == 0
    found = command_line("check", path)
    assert (found.status, "valid, 0 warning(s); canonical SHA-256" in found.out) == (0, True), found


def test_init_prints_where_no_file_is_named(command_line: CommandLine) -> None:
    assert yaml.safe_load(command_line("init").out)["name"] == "digits"


def test_init_never_overwrites(command_line: CommandLine, tmp_path: Path) -> None:
    path = tmp_path / "spec.yaml"
    path.write_text("mine")
    found = command_line("init", "--out", path)
    assert (found.status, path.read_text()) == (2, "mine")
    assert "which exists; name another --out" in found.err


def test_check_names_every_problem_with_its_line(command_line: CommandLine, tmp_path: Path) -> None:
    path = tmp_path / "spec.yaml"
    text = command_line("init").out.replace("epsilon: 0.1 ", "epsilonn: 0.1 ").replace("days: 90", "days: ninety")
    path.write_text(text)
    found = command_line("check", path)
    lines = [number for number, line in enumerate(text.splitlines(), 1) if "epsilonn" in line or "ninety" in line]
    assert found.status == 2
    for line in lines:
        assert f"spec.yaml:{line}:" in found.err
    assert "did you mean 'epsilon'" in found.err


@pytest.mark.parametrize("document", ["specification", "certificate", "run-record"])
def test_schemas_are_valid_json_schemas(command_line: CommandLine, document: str) -> None:
    jsonschema.Draft202012Validator.check_schema(json.loads(command_line("schema", document).out))
