"""Evaluation as a step: attacked samples are the registered ones, and the checks stand beside the evidence."""

from __future__ import annotations

import json

import pyarrow.parquet as pq

from tests.chain import Chain


def test_every_threat_epsilon_and_attack_has_a_row_for_every_sample(chain: Chain) -> None:
    rows = [row for row in pq.read_table(chain.bundle / "evaluation.parquet").to_pylist() if row["attack"] != "clean"]
    groups: dict[tuple[str, str, str], set[int]] = {}
    for row in rows:
        groups.setdefault((row["threat"], row["epsilon"], row["attack"]), set()).add(row["sample"])
    assert len(groups) == 2 * 2 * 2
    assert {len(samples) for samples in groups.values()} == {24}
    assert len({frozenset(samples) for samples in groups.values()}) == 1


def test_checks_and_budgets_are_written_beside_it(chain: Chain) -> None:
    found = json.loads((chain.bundle / "validity.json").read_text())
    assert all(check["passed"] for check in found["checks"])
    assert {budget["threat"] for budget in found["budgets"]} == {"linf-0.1", "l2-0.5"}
    assert all(budget["gradients"] > 0 for budget in found["budgets"])
