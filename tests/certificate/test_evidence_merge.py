"""Merging shards. Oracles: `write_rows` of all rows at once, sets of samples, pyarrow as reader."""

from __future__ import annotations

import hashlib
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from robustcert.certificate import evidence_merge
from robustcert.certificate.evidence import CERTIFICATION_SCHEMA, EVALUATION_SCHEMA, ROWS_PER_GROUP, write_rows
from robustcert.certificate.evidence_merge import merge_certification
from robustcert.errors import DataError


def votes_row(sample: int) -> dict[str, Any]:
    """A row whose votes have as many classes as the sample's last digit says."""
    counts = [[label, sample + label] for label in range(sample % 4)]
    row = {"sample": sample, "input": hashlib.sha256(str(sample).encode()).hexdigest(), "label": sample % 7}
    row |= {"candidate": 1, "n0": 10, "selection": counts[:1], "selectionFragile": 0, "n": 100, "counts": counts}
    return row | {"fragile": 1, "decision": "certified", "radius": f"0.{sample:06d}"}


def shard(folder: Path, name: str, samples: list[int]) -> Path:
    write_rows([votes_row(sample) for sample in samples], folder / name, schema=CERTIFICATION_SCHEMA)
    return folder / name


def test_shards_in_any_order_give_the_bytes_of_all_rows_at_once(tmp_path: Path) -> None:
    parts = {"a": [1, 9], "b": [4], "empty": [], "whole": [1, 4, 9]}
    a, b, empty, whole = (shard(tmp_path, name, samples) for name, samples in parts.items())
    for target, paths in (("ab", [a, empty, b]), ("ba", [b, a]), ("one", [whole])):
        merge_certification(paths, tmp_path / target, sample_ids=[4, 9, 1])
        assert (tmp_path / target).read_bytes() == whole.read_bytes()
    assert [row["sample"] for row in pq.read_table(tmp_path / "ab").to_pylist()] == [1, 4, 9]


@pytest.mark.parametrize("count", [ROWS_PER_GROUP, 2 * ROWS_PER_GROUP + 1])
def test_many_interleaved_rows_give_the_bytes_of_all_rows_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    monkeypatch.setattr(evidence_merge, "ROWS_HELD", 3 * 256)
    dealt = np.random.Generator(np.random.Philox(1)).integers(0, 3, count // 6 + 1).repeat(6)[:count]
    paths = [shard(tmp_path, f"shard{part}", np.flatnonzero(dealt == part).tolist()) for part in range(3)]
    whole = shard(tmp_path, "whole", list(range(count)))
    merge_certification(paths, tmp_path / "merged", sample_ids=np.arange(count))
    assert (tmp_path / "merged").read_bytes() == whole.read_bytes()


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.lists(st.integers(0, 30), max_size=12).map(sorted), max_size=4),
    st.lists(st.integers(0, 30), unique=True, max_size=20),
)
def test_what_is_missing_foreign_or_double_is_named_for_any_shards(
    tmp_path_factory: pytest.TempPathFactory, parts: list[list[int]], planned: list[int]
) -> None:
    folder = tmp_path_factory.mktemp("shards")
    paths = [shard(folder, str(number), samples) for number, samples in enumerate(parts)]
    found = sorted(sample for part in parts for sample in part)
    missing, foreign = sorted({*planned} - {*found})[:5], sorted({*found} - {*planned})[:5]
    double = sorted({sample for sample in found if found.count(sample) > 1})[:5]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(evidence_merge, "FEWEST_ROWS", 2)
        patch.setattr(evidence_merge, "ROWS_HELD", 2)
        if missing or foreign or double:
            with pytest.raises(DataError) as error:
                merge_certification(paths, folder / "target", sample_ids=planned)
            got = f"samples missing {missing}, foreign {foreign}, double {double}"
            assert str(error.value) == f"expected one row for each planned sample, got {got}; rerun the shards"
            assert not (folder / "target").exists()
        else:
            merge_certification(paths, folder / "target", sample_ids=planned)
            assert pq.read_table(folder / "target")["sample"].to_pylist() == sorted(planned)


def test_a_shard_that_is_not_sorted_is_refused(tmp_path: Path) -> None:
    paths = [shard(tmp_path, "a", [1, 9, 4]), shard(tmp_path, "b", [2])]
    with pytest.raises(DataError, match=r"^expected ascending samples in a, got sample 4 after 9; rerun the shard$"):
        merge_certification(paths, tmp_path / "target", sample_ids=[1, 2, 4, 9])
    assert not (tmp_path / "target").exists()


def test_a_shard_that_is_not_sorted_from_batch_to_batch_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evidence_merge, "FEWEST_ROWS", 2)
    monkeypatch.setattr(evidence_merge, "ROWS_HELD", 2)
    with pytest.raises(DataError, match=r"^expected ascending samples in a, got sample 3 after 9; rerun the shard$"):
        merge_certification([shard(tmp_path, "a", [1, 9, 3, 4])], tmp_path / "target", sample_ids=[1, 3, 4, 9])


def test_a_table_of_other_columns_is_no_shard(tmp_path: Path) -> None:
    write_rows([], tmp_path / "evaluation", schema=EVALUATION_SCHEMA)
    with pytest.raises(DataError, match=r"^expected the columns .* in evaluation, got missing"):
        merge_certification([tmp_path / "evaluation"], tmp_path / "target", sample_ids=[])


def test_memory_does_not_grow_with_the_number_of_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """pyarrow counts its own bytes. Four times the rows, within a tenth of the memory."""
    monkeypatch.setattr(evidence_merge, "ROWS_HELD", 4 * 256)
    peaks = [peak_of_merging(tmp_path, count) for count in (20_000, 80_000)]
    assert peaks[1] < 1.1 * peaks[0]
    assert peaks[1] < 80_000 * 100, "a row takes about 250 bytes"


def peak_of_merging(folder: Path, count: int) -> int:
    samples = np.arange(count)
    paths = [folder / f"shard{part}-{count}" for part in range(4)]
    for part, path in enumerate(paths):
        pq.write_table(table_of(samples[samples // 6 % 4 == part]), path, row_group_size=ROWS_PER_GROUP)
    pool = pa.proxy_memory_pool(pa.default_memory_pool())
    before = pa.default_memory_pool()
    tracemalloc.start()
    pa.set_memory_pool(pool)
    try:
        merge_certification(paths, folder / "merged", sample_ids=samples)
        assert tracemalloc.get_traced_memory()[1] < 40 * count
    finally:
        pa.set_memory_pool(before)
        tracemalloc.stop()
    return int(pool.max_memory())


def table_of(samples: Any) -> pa.Table:
    """Rows that differ in their sample alone, made fast."""
    one = pa.Table.from_pylist([votes_row(3)], schema=CERTIFICATION_SCHEMA)
    many = one.take(pa.array(np.zeros(len(samples), dtype=np.int64)))
    return many.set_column(0, CERTIFICATION_SCHEMA.field(0), pa.array(samples)).cast(CERTIFICATION_SCHEMA)
