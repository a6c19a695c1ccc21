"""A missing optional dependency is answered by the extra that brings it."""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

import pytest

from robustcert.errors import InputError
from robustcert.extras import EXTRA_OF, require_modules
from tests.command_line import CommandLine

DISTRIBUTION_OF = {"sklearn": "scikit-learn", "PIL": "pillow", "prometheus_client": "prometheus-client"}


def test_every_module_is_brought_by_the_extra_that_is_named(root: Path) -> None:
    extras = tomllib.loads((root / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    for module, extra in EXTRA_OF.items():
        assert any(line.startswith(DISTRIBUTION_OF.get(module, module)) for line in extras[extra]), module


def test_installed_modules_pass_and_a_missing_one_is_named() -> None:
    require_modules("torch", "kfp")
    with pytest.raises(InputError, match=r"expected the package 'no_such_module', got none; install it with: pip"):
        require_modules("torch", "no_such_module")


def test_a_command_that_lacks_a_package_says_how_to_install_it(
    command_line: CommandLine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "spec.yaml").write_text(command_line("init").out)
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    found = command_line("check-data", tmp_path / "spec.yaml")
    assert (found.status, found.err.count("\n")) == (2, 1)
    assert "pip install 'robustcert[torch]'" in found.err
