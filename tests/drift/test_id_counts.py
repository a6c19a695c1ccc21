"""Repeated ids are counted exactly while there are few, without bias when there are many; Counter is the oracle."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pyarrow as pa
import pytest

from robustcert.drift.id_counts import IdCounts, text_hashes


def test_equal_texts_have_equal_hashes_wherever_they_stand() -> None:
    texts = pa.array(["a", "", "ab", "ba", None, "a", "aa", "ünïcode", "ab"])
    hashes = text_hashes(texts)
    assert len(set(hashes.tolist())) == 6, "a, nothing, ab, ba, aa and ünïcode"
    assert hashes[0] == hashes[5]
    assert text_hashes(texts.slice(5, 3)).tolist() == hashes[5:8].tolist()
    assert text_hashes(texts.slice(3, 0)).tolist() == []


def test_many_ids_do_not_collide_and_fill_all_partitions_evenly() -> None:
    hashes = text_hashes(pa.array([f"event-{number:08d}" for number in range(200_000)]))
    assert len(np.unique(hashes)) == 200_000
    counts = np.bincount((hashes >> np.uint64(58)).astype(np.int64), minlength=64)
    # 64 cells of 3,125 expected: chi-square below its 1 - 1e-6 quantile, 128 for 63 degrees of freedom.
    assert np.sum((counts - 3_125) ** 2 / 3_125) < 128


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_repeats_are_counted_exactly_while_they_fit(size: int) -> None:
    ids = [f"id-{number % 700}" for number in range(1000)]
    counts = IdCounts()
    for start in range(0, 1000, size):
        counts.add(pa.array([*ids[start : start + size], None]))
    found = counts.repeats()
    assert (found.repeated, found.of, found.exact) == (1000 - len(Counter(ids)), 1000, True)


def test_beyond_that_the_share_is_estimated_without_bias() -> None:
    """40,000 rows, each tenth id twice: the share of repeats is 1/11; 1,000 ids are kept."""
    ids = [f"{number}" for number in range(40_000)] + [f"{number}" for number in range(0, 40_000, 10)]
    order = np.random.default_rng(3).permutation(len(ids))
    counts = IdCounts(most=1000)
    for start in range(0, len(ids), 500):
        counts.add(pa.array([ids[place] for place in order[start : start + 500]]))
    found = counts.repeats()
    assert not found.exact
    assert 400 < found.of <= 1200
    # Binomial with 500 or more draws: 4.5 standard errors, false alarm 7e-6 (the seed is fixed anyway).
    assert abs(found.share - 1 / 11) < 4.5 * np.sqrt(1 / 11 * 10 / 11 / found.of)


def test_no_ids_repeat_nothing() -> None:
    assert IdCounts().repeats().share == 0
