"""The plan as a step: what the store holds already costs nothing, and the plan is the same every time."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from robustcert.errors import InputError
from robustcert.steps.certification import certify_shard
from robustcert.steps.certification_plan import plan_certification
from tests.chain import Chain, small_specification

DRAWS = 32 + 512


def plan(chain: Chain, folder: Path, *, shards: int, store: str = "store", run_token: str = "") -> dict[str, Any]:
    names = plan_certification(
        specification=small_specification(),
        store=str(folder / store),
        run_token=run_token,
        shards=shards,
        dataset=chain.bundle / "dataset.safetensors",
        model=chain.bundle / "model.safetensors",
        plan=folder / "plan",
    )
    return {**json.loads((folder / "plan").read_text()), "names": names}


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of three samples: 16 samples in six blocks, the last of one."""
    monkeypatch.setattr("robustcert.data.planned_samples.DRAWS_PER_BLOCK", 3 * DRAWS)


@pytest.mark.usefixtures("small_blocks")
def test_blocks_do_not_depend_on_the_number_of_shards(chain: Chain, tmp_path: Path) -> None:
    one, four, many = (plan(chain, tmp_path, shards=shards) for shards in (1, 4, 99))
    assert one["blocks"] == four["blocks"] == many["blocks"]
    assert [len(block["samples"]) for block in one["blocks"]] == [3, 3, 3, 3, 3, 1]
    assert [block["cost"] for block in one["blocks"]] == [3 * DRAWS] * 5 + [DRAWS]
    assert (one["names"], many["names"][-1]) == (["1/1"], "6/6")
    assert four["shards"] == [[0, 4], [1, 5], [2], [3]]


def test_a_plan_is_the_same_every_time(chain: Chain, tmp_path: Path) -> None:
    plan(chain, tmp_path, shards=3)
    first = (tmp_path / "plan").read_bytes()
    plan(chain, tmp_path, shards=3)
    assert (tmp_path / "plan").read_bytes() == first


@pytest.mark.usefixtures("small_blocks")
def test_blocks_that_the_store_holds_cost_nothing_but_under_another_token(chain: Chain, tmp_path: Path) -> None:
    plan(chain, tmp_path, shards=3)
    certify_shard(
        specification=small_specification(),
        store=str(tmp_path / "store"),
        run_token="",
        shard="3/3",
        workers=1,
        dataset=chain.bundle / "dataset.safetensors",
        model=chain.bundle / "model.safetensors",
        plan=tmp_path / "plan",
        evidence=tmp_path / "evidence",
        record=tmp_path / "record",
    )
    whole = [3 * DRAWS] * 5 + [DRAWS]
    again = plan(chain, tmp_path, shards=2)
    assert [block["cost"] for block in again["blocks"]] == [whole[0], whole[1], 0, whole[3], whole[4], 0]
    fresh = plan(chain, tmp_path, shards=2, run_token="another")
    assert [block["cost"] for block in fresh["blocks"]] == whole


def test_progress_says_what_was_planned(chain: Chain, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plan(chain, tmp_path, shards=1)
    assert "::progress certification_plan 1/1 blocks: 1, already done: 0, shards: 1\n" in capsys.readouterr().out


def test_too_few_shards_are_refused_in_one_line(
    chain: Chain, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(InputError, match=r"^expected at least 1 shard, got 0; ask for more$"):
        plan(chain, tmp_path, shards=0)
    assert capsys.readouterr().err == "::failure certification_plan expected at least 1 shard, got 0; ask for more\n"
