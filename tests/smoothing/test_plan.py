"""Plans of a certification. Oracles: Graham's bound on the makespan, sets of samples, every assignment tried."""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from robustcert.errors import DataError, InputError
from robustcert.smoothing.plan import CertificationPlan, PlanSubject, assigned, make_plan, read_plan

SUBJECT = PlanSubject(specification_sha256="1" * 64, dataset_sha256="2" * 64, model_sha256="3" * 64)
BLOCKS = [(1, 4), (5, 9), (12, 13), (20,)]
PLANNED = [1, 4, 5, 9, 12, 13, 20]


def plan(*, shards: int = 2, costs: tuple[int, ...] = (20, 20, 20, 10)) -> CertificationPlan:
    return make_plan(SUBJECT, BLOCKS, costs=costs, shards=shards)


def written(folder: Path, *, change: Any = None) -> Path:
    document = json.loads(plan().model_dump_json(by_alias=True))
    if change is not None:
        change(document)
    (folder / "plan.json").write_text(json.dumps(document))
    return folder / "plan.json"


def test_a_plan_comes_back_as_it_was_made(tmp_path: Path) -> None:
    found = read_plan(written(tmp_path), subject=SUBJECT, planned=PLANNED)
    assert found == plan()
    assert found.shard_names == ["1/2", "2/2"]
    assert found.blocks_of("1/2") == [(1, 4), (12, 13)]
    assert found.blocks_of("2/2") == [(5, 9), (20,)]


def test_unknown_fields_are_ignored_and_unknown_versions_refused(tmp_path: Path) -> None:
    more = written(tmp_path, change=lambda document: document.update(later=1))
    assert read_plan(more, subject=SUBJECT, planned=PLANNED) == plan()
    other = written(tmp_path, change=lambda document: document.update(schemaVersion="2"))
    with pytest.raises(DataError, match=r"^expected a certification plan in plan.json, got something else"):
        read_plan(other, subject=SUBJECT, planned=PLANNED)


@pytest.mark.parametrize("data", [b"", b"not JSON", b"[]", b"{}", b"\xff\xfe", b'{"schemaVersion":"1"}'])
def test_what_is_no_plan_is_refused_in_one_line(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "plan.json").write_bytes(data)
    with pytest.raises(DataError, match=r"^expected a certification plan in plan.json, got .*plan again$") as error:
        read_plan(tmp_path / "plan.json", subject=SUBJECT, planned=PLANNED)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("part", ["specification", "dataset", "model"])
def test_a_plan_for_something_else_is_refused(tmp_path: Path, part: str) -> None:
    path = written(tmp_path, change=lambda document: document["subject"].update({f"{part}Sha256": "4" * 64}))
    with pytest.raises(DataError, match=f"^expected a plan for this .*, got a plan for another {part}; use the run"):
        read_plan(path, subject=SUBJECT, planned=PLANNED)


def drop_a_sample(document: dict[str, Any]) -> None:
    document["blocks"][0]["samples"].remove(4)


def add_a_sample(document: dict[str, Any]) -> None:
    document["blocks"][3]["samples"].append(21)


def double_a_sample(document: dict[str, Any]) -> None:
    document["blocks"][1]["samples"].append(12)


def exchange_blocks(document: dict[str, Any]) -> None:
    document["blocks"].reverse()


def drop_a_block(document: dict[str, Any]) -> None:
    document["shards"][0].pop()


def double_a_block(document: dict[str, Any]) -> None:
    document["shards"][1].append(0)


def invent_a_block(document: dict[str, Any]) -> None:
    document["shards"][1].append(4)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (drop_a_sample, r"each planned sample once in the plan, got missing \[4\], foreign \[\], double \[\]"),
        (add_a_sample, r"each planned sample once in the plan, got missing \[\], foreign \[21\], double \[\]"),
        (double_a_sample, r"each planned sample once in the plan, got missing \[\], foreign \[\], double \[12\]"),
        (exchange_blocks, "ascending samples in the plan, got another order"),
        (drop_a_block, r"each block once in the plan, got missing \[2\], foreign \[\], double \[\]"),
        (double_a_block, r"each block once in the plan, got missing \[\], foreign \[\], double \[0\]"),
        (invent_a_block, r"each block once in the plan, got missing \[\], foreign \[4\], double \[\]"),
    ],
)
def test_every_planned_sample_is_in_one_shard_or_the_plan_is_refused(tmp_path: Path, change: Any, message: str) -> None:
    with pytest.raises(DataError, match=f"^expected {message}; run certification_plan again$"):
        read_plan(written(tmp_path, change=change), subject=SUBJECT, planned=PLANNED)


@pytest.mark.parametrize("shard", ["", "1", "0/2", "3/2", "1/3", "01/2", "a/b", "1/2/2", "-1/2"])
def test_the_name_of_no_shard_is_refused(shard: str) -> None:
    with pytest.raises(DataError, match=rf"^expected one of the plan's shards, 1/2 to 2/2, got '{shard}'; use"):
        plan().blocks_of(shard)


@pytest.mark.parametrize("shards", [0, -3])
def test_fewer_than_one_shard_is_refused(shards: int) -> None:
    with pytest.raises(InputError, match=f"^expected at least 1 shard, got {shards}; ask for more$"):
        plan(shards=shards)


def test_there_are_no_more_shards_than_blocks_and_at_least_one() -> None:
    assert plan(shards=99).shard_names == ["1/4", "2/4", "3/4", "4/4"]
    nothing = make_plan(SUBJECT, [], costs=[], shards=5)
    assert (nothing.shard_names, nothing.blocks_of("1/1")) == (["1/1"], [])


COSTS = st.lists(st.integers(0, 9), max_size=7)


@settings(max_examples=60, deadline=None)
@given(COSTS, st.integers(1, 3))
def test_the_longest_shard_keeps_grahams_bound(costs: list[int], shards: int) -> None:
    found = assigned(costs, shards=shards)
    assert sorted(place for shard in found for place in shard) == list(range(len(costs)))
    longest = max(sum(costs[place] for place in shard) for shard in found)
    best = min(
        max(sum(cost for cost, to in zip(costs, dealt, strict=True) if to == shard) for shard in range(shards))
        for dealt in product(range(shards), repeat=len(costs))
    )
    assert 3 * shards * longest <= (4 * shards - 1) * best
    assert all(found) or len(costs) < shards


def test_finished_blocks_are_dealt_out_too_and_leave_no_shard_empty() -> None:
    assert assigned([0, 0, 0, 7], shards=4) == ((3,), (0,), (1,), (2,))
