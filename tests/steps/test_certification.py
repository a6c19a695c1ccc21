"""Certification as a step: the same rows for any number of shards and workers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from robustcert.steps.certification import certify_shard
from tests.chain import Chain, small_specification


def rows(chain: Chain, folder: Path, *, shards: int, workers: int = 1) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for index in range(1, shards + 1):
        certify_shard(
            specification=small_specification(),
            store=str(folder / f"store{shards}{workers}"),
            run_token="",
            shard=f"{index}/{shards}",
            workers=workers,
            dataset=chain.bundle / "dataset.safetensors",
            model=chain.bundle / "model.safetensors",
            evidence=folder / "evidence",
            record=folder / "record",
        )
        found.extend(pq.read_table(folder / "evidence").to_pylist())
    return sorted(found, key=lambda row: row["sample"])


@pytest.mark.parametrize(("shards", "workers"), [(1, 1), (1, 2), (3, 1), (5, 1)])
def test_shards_and_workers_change_nothing(chain: Chain, tmp_path: Path, shards: int, workers: int) -> None:
    recorded = pq.read_table(chain.bundle / "certification.parquet").to_pylist()
    assert rows(chain, tmp_path, shards=shards, workers=workers) == recorded
