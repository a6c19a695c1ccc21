"""Oracle: rows altered by hand within, and beyond, what fragile votes can explain."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from robustcert.data.dataset import Dataset
from robustcert.errors import DataError
from robustcert.models.files import load_model
from robustcert.smoothing.certify import certify
from robustcert.smoothing.replay import replay_sample, rows_agree
from robustcert.specification import Certification

RECORDED: dict[str, Any] = {
    "sample": 17,
    "input": "ab" * 32,
    "label": 1,
    "candidate": 1,
    "n0": 100,
    "selection": [[0, 10], [1, 90]],
    "selectionFragile": 0,
    "n": 1000,
    "counts": [[0, 40], [1, 955]],
    "fragile": 5,
    "decision": "certified",
    "radius": "0.700000",
}


def test_a_replayed_sample_is_its_recorded_row(
    mlp_files: tuple[Path, Path, Dataset], make_certification: Callable[..., Certification]
) -> None:
    model, dataset, certification = load_model(mlp_files[0]), mlp_files[2], make_certification(n=300)
    rows = certify(model, dataset, certification=certification, key0=5)
    for row in rows[::10]:
        replayed = replay_sample(model, dataset, row["sample"], certification=certification, key0=5)
        assert replayed == row
        assert rows_agree(row, replayed, bit_exact=True) is None
    other = replay_sample(model, dataset, rows[0]["sample"], certification=certification, key0=6)
    assert "sample 100: recorded counts" in str(rows_agree(rows[0], other, bit_exact=True))
    with pytest.raises(DataError, match="unknown id 99"):
        replay_sample(model, dataset, 99, certification=certification, key0=5)


@pytest.mark.parametrize("name", sorted(RECORDED))
def test_bit_exact_rows_agree_in_every_field(name: str) -> None:
    changed = RECORDED | {name: [[0, 41], [1, 954]] if isinstance(RECORDED[name], list) else "other"}
    assert rows_agree(RECORDED, dict(RECORDED), bit_exact=True) is None
    assert f"sample {RECORDED['sample']}: recorded {name} " in str(rows_agree(RECORDED, changed, bit_exact=True))
    assert rows_agree({**RECORDED, "more": 1}, RECORDED, bit_exact=True) is not None


@pytest.mark.parametrize("name", ["sample", "input", "label", "n0", "n"])
def test_facts_must_be_equal_on_any_machine(name: str) -> None:
    assert f"recorded {name} " in str(rows_agree(RECORDED, RECORDED | {name: 3}, bit_exact=False))


@pytest.mark.parametrize(
    ("counts", "fragile"),
    [
        ([[0, 40], [1, 955]], 5),
        ([[0, 40], [1, 960]], 0),
        ([[0, 45], [1, 955]], 0),
        ([[0, 40], [1, 955], [2, 5]], 0),
        ([[0, 38], [1, 950]], 12),
        ([[0, 42], [1, 953]], 5),
    ],
)
def test_votes_that_were_or_became_fragile_explain_a_difference(counts: list[list[int]], fragile: int) -> None:
    replayed = RECORDED | {"counts": counts, "fragile": fragile}
    assert rows_agree(RECORDED, replayed, bit_exact=False) is None
    assert rows_agree(RECORDED, replayed, bit_exact=True) is None or replayed != RECORDED


@pytest.mark.parametrize(
    ("counts", "fragile", "reason"),
    [
        ([[0, 46], [1, 954]], 0, "counts gained 6, more than the 5 fragile votes recorded"),
        ([[0, 43], [1, 952], [2, 4]], 1, "counts gained 7, more than the 5 fragile votes recorded"),
        ([[0, 44], [1, 954]], 0, "counts lost 1, more than the 0 fragile votes repeated"),
        ([[1, 960]], 30, "counts lost 40, more than the 30 fragile votes repeated"),
    ],
)
def test_a_difference_that_fragile_votes_cannot_explain_is_named(
    counts: list[list[int]], fragile: int, reason: str
) -> None:
    replayed = RECORDED | {"counts": counts, "fragile": fragile}
    assert rows_agree(RECORDED, replayed, bit_exact=False) == f"sample 17: recorded {reason}"


def test_selection_votes_are_held_to_the_same_rule() -> None:
    replayed = RECORDED | {"selection": [[0, 11], [1, 89]]}
    assert "selection gained 1, more than the 0" in str(rows_agree(RECORDED, replayed, bit_exact=False))


def test_recorded_votes_that_are_no_count_are_named() -> None:
    for counts in ([[0, 40], [0, 0], [1, 955]], [[0, -5], [1, 1000]]):
        recorded = RECORDED | {"counts": counts}
        assert "expected each class once" in str(rows_agree(recorded, RECORDED, bit_exact=False))
