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
from robustcert.smoothing.decisions import looks_of
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


@pytest.mark.parametrize(
    "method",
    [
        {},
        {"candidate": "label"},
        {"method": "group-sequential", "noise": "laplace"},
        {"method": "adaptive-pilot", "candidate": "label"},
        {"method": "group-sequential", "precision": "bfloat16"},
    ],
    ids=lambda method: "-".join(map(str, method.values())) or "fixed-n",
)
def test_recorded_rows_of_every_method_are_repeated_with_the_draws_that_they_have(
    mlp_files: tuple[Path, Path, Dataset], make_certification: Callable[..., Certification], method: dict[str, Any]
) -> None:
    model, dataset = load_model(mlp_files[0]), mlp_files[2].rows(range(100, 106))
    certification = make_certification(n=2000, **method)
    for row in certify(model, dataset, certification=certification, key0=5):
        wanted: dict[str, Any] = {"certification": certification, "key0": 5}
        assert replay_sample(model, dataset, row["sample"], **wanted) == row
        assert replay_sample(model, dataset, row["sample"], **wanted, recorded=row) == row


def test_a_recorded_row_that_stopped_elsewhere_is_compared_draw_for_draw(
    mlp_files: tuple[Path, Path, Dataset], make_certification: Callable[..., Certification]
) -> None:
    """As where a fragile vote made another machine go on for three more looks: its votes are those of this one."""
    model, dataset = load_model(mlp_files[0]), mlp_files[2]
    certification = make_certification(n=2000, method="group-sequential")
    (row,) = certify(model, dataset.rows([100]), certification=certification, key0=5)
    further = len(row["path"]) + 3
    longer = row | {"n": looks_of(certification)[further - 1], "path": [0] * further}
    again = replay_sample(model, dataset, 100, certification=certification, key0=5, recorded=longer)
    assert sum(votes for _, votes in again["counts"]) + again["fragile"] == longer["n"]
    assert again["path"][: len(row["path"])] == row["path"]
    assert again["path"][-1] == longer["n"] - dict(map(tuple, again["counts"])).get(row["candidate"], 0)


def test_a_path_moves_by_fragile_votes_and_no_further() -> None:
    recorded = RECORDED | {"path": [3, 12, 45]}
    paths = (([3, 12, 45], True), ([0, 8, 40], True), ([3, 17, 45], True), ([3, 12, 51], False), ([3, 6, 45], False))
    for path, agrees in (*paths, ([3, 12], False)):
        assert (rows_agree(recorded, recorded | {"path": path}, bit_exact=False) is None) == agrees
    assert "recorded path [3, 12, 45]" in str(rows_agree(recorded, recorded | {"path": [3]}, bit_exact=False))


def test_failures_at_a_look_that_were_left_out_are_not_explained_by_fragile_votes_that_were_added_later() -> None:
    """A forger of another machine's row: 20 votes for the candidate, told as fragile, would buy 20 failures sooner."""
    recorded = RECORDED | {"counts": [[0, 40], [1, 940]], "fragile": 20, "path": [10, 60]}
    honest = RECORDED | {"counts": [[0, 40], [1, 960]], "fragile": 0, "path": [30, 40]}
    assert "recorded path [10, 60]" in str(rows_agree(recorded, honest, bit_exact=False))
    assert rows_agree(recorded | {"path": [50, 60]}, honest, bit_exact=False) is None


@pytest.mark.parametrize(("votes", "fragile"), [("counts", "fragile"), ("selection", "selectionFragile")])
def test_a_model_whose_every_vote_is_fragile_explains_no_votes(votes: str, fragile: str) -> None:
    """Logits times 1e-9: any votes at all could be recorded, on a machine that nobody has, as clear ones."""
    recorded = RECORDED | {"fragile": 0, "counts": [[1, 1000]]}
    forged = recorded | {votes: [], fragile: sum(count for _, count in recorded[votes])}
    assert f"recorded {fragile} 0, repeated" in str(rows_agree(recorded, forged, bit_exact=False))
    few = recorded | {"counts": [[1, 995]], "fragile": 5}
    assert rows_agree(recorded, few, bit_exact=False) is None


def test_a_pilot_that_went_on_after_its_end_is_found(
    mlp_files: tuple[Path, Path, Dataset], make_certification: Callable[..., Certification]
) -> None:
    """Each size plans another main sample: whoever may choose among them chooses the largest radius."""
    model, dataset = load_model(mlp_files[0]), mlp_files[2]
    certification = make_certification(n=1000, method="adaptive-pilot")
    wanted: dict[str, Any] = {"certification": certification, "key0": 5}
    (row,) = certify(model, dataset.rows([100]), **wanted)
    assert row["n0"] == 100
    for bit_exact in (True, False):
        again = replay_sample(model, dataset, 100, **wanted, recorded=row | {"n0": 150})
        assert sum(count for _, count in again["selection"]) + again["selectionFragile"] == 150
        reason = rows_agree(again | {"n0": 150}, again, bit_exact=bit_exact)
        assert reason == "sample 100: recorded n0 150, repeated 100"
