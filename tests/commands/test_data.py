"""check-data: findings, exit status and metrics."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from prometheus_client.parser import text_string_to_metric_families

from tests.chain import small_specification
from tests.command_line import CommandLine


def test_the_built_in_digits_hold_their_contract_and_metrics_are_written(
    command_line: CommandLine, tmp_path: Path
) -> None:
    (tmp_path / "spec.yaml").write_text(small_specification())
    found = command_line("check-data", tmp_path / "spec.yaml", "--metrics", tmp_path / "data.prom")
    assert (found.status, "builtin:digits: contract holds" in found.out) == (0, True), found
    families = list(text_string_to_metric_families((tmp_path / "data.prom").read_text()))
    assert families
    assert all(family.name.startswith("robustcert_data_") for family in families)


def test_broken_data_are_exit_2_with_every_finding(command_line: CommandLine, tmp_path: Path) -> None:
    x = np.full((20, 1, 2, 2), 300, dtype=np.int64)
    np.savez(tmp_path / "own.npz", x=x, y=np.arange(20) % 2)
    contract = {"kind": "image", "shape": [1, 2, 2], "range": [0, 255], "divideBy": 255, "classes": ["a", "b"]}
    provenance = {"source": "made by hand", "licence": "CC0-1.0", "collectedAt": "2026"}
    data = {"source": "own.npz", "contract": contract, "provenance": provenance}
    (tmp_path / "spec.yaml").write_text(small_specification(data=data))
    found = command_line("check-data", tmp_path / "spec.yaml")
    assert found.status == 2
    assert "error: ranges" in found.out
    assert "to hold its contract, got" in found.err
