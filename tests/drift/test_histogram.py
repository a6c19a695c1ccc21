"""Counts in cells: equal to numpy's whatever the batches, ties and nulls; memory that does not grow with rows."""

from __future__ import annotations

import tracemalloc
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from robustcert.drift.histogram import (
    MOST_UNSEEN,
    Categories,
    ColumnCounts,
    NumberBins,
    categories,
    category_counts,
    number_bins,
)
from robustcert.errors import DataError

RNG = np.random.default_rng(0)
NORMAL = RNG.normal(size=20_000)


def counted(cells: NumberBins | Categories, *batches: object) -> ColumnCounts:
    counts = ColumnCounts(cells=cells)
    for batch in batches:
        counts.add(np.asarray(batch))
    return counts


def test_cells_hold_about_equal_parts_of_the_reference() -> None:
    cells = number_bins(NORMAL, bins=100)
    inner = counted(cells, NORMAL).counts[1:-1]
    assert len(cells) == 103  # 100 between quantiles, one for the largest number itself, one below and one above
    assert inner[:-1].min() >= 190
    assert inner[:-1].max() <= 210
    assert counted(cells, NORMAL).counts[[0, -1]].tolist() == [0, 0]


@pytest.mark.parametrize("bins", [2, 10, 1024])
def test_counts_are_those_of_numpy_histogram(bins: int) -> None:
    cells, window = number_bins(NORMAL, bins=bins), RNG.normal(0.3, 1.5, size=5_000)
    edges = np.concatenate([[-np.inf], cells.edges_E, [np.inf]])
    assert counted(cells, window).counts.tolist() == np.histogram(window, edges)[0].tolist()


@given(st.lists(st.lists(st.one_of(st.floats(), st.sampled_from([0.0, 1.0])), max_size=20), max_size=5))
def test_batches_in_any_order_and_merged_counts_are_the_same(batches: list[list[float]]) -> None:
    cells = number_bins(NORMAL, bins=16)
    whole = counted(cells, [value for batch in batches for value in batch])
    parts = [counted(cells, batch) for batch in reversed(batches)]
    merged = ColumnCounts(cells=cells)
    for part in parts:
        merged.merge(part)
    assert merged.counts.tolist() == whole.counts.tolist()
    assert (merged.n, merged.nulls) == (whole.n, whole.nulls)
    assert merged.n + merged.nulls == sum(map(len, batches))
    assert merged.nulls == sum(bool(np.isnan(value)) for batch in batches for value in batch)


def test_what_lies_outside_the_reference_has_cells_of_its_own() -> None:
    counts = counted(number_bins([1.0, 2.0, 3.0]), [-np.inf, 0.0, 1.0, 3.0, 3.1, np.inf]).counts
    assert (counts[0], counts[-1], counts.sum()) == (2, 2, 6)


def test_few_different_values_are_each_a_cell_and_numbers_between_them_are_seen() -> None:
    counts = counted(number_bins([0.0, 1.0, 1.0, 5.0]), [0.0, 0.5, 1.0, 1.0, 5.0])
    assert counts.counts.tolist() == [0, 1, 1, 2, 0, 1, 0]


def test_a_value_that_is_repeated_often_is_a_cell_among_many_others() -> None:
    sample = np.concatenate([np.zeros(5_000), NORMAL])
    cells = number_bins(sample, bins=64)
    assert counted(cells, [0.0] * 7 + [1e-12, -1e-12]).counts.max() == 7


def test_a_constant_column_has_one_cell_between_two_empty_ones() -> None:
    assert counted(number_bins([4.0] * 10), [4.0, 4.0, 3.9, 4.1]).counts.tolist() == [1, 2, 1]


def test_a_column_of_nulls_has_one_cell_for_anything() -> None:
    counts = counted(number_bins([np.nan, np.nan, np.inf]), [1.0, np.nan])
    assert (counts.counts.tolist(), counts.nulls) == ([1], 1)


@pytest.mark.parametrize("kind", [np.float32, np.int64, np.uint8, np.bool_, object])
def test_numbers_of_any_type_are_counted(kind: type) -> None:
    assert counted(number_bins([0, 1]), np.array([1, 0, 1], dtype=kind)).counts.tolist() == [0, 1, 0, 2, 0]


def test_none_among_numbers_is_null() -> None:
    assert counted(number_bins([0.0, 1.0]), np.array([1.0, None], dtype=object)).nulls == 1


def test_text_among_numbers_is_refused() -> None:
    with pytest.raises(DataError, match=r"expected a column of numbers, got .*'high'.*; count text as categories"):
        counted(number_bins([0.0]), ["high"])


def test_fewer_than_two_bins_are_refused() -> None:
    with pytest.raises(DataError, match="expected at least 2 bins, got 1"):
        number_bins([1.0], bins=1)


def test_counts_in_other_cells_do_not_merge() -> None:
    for other in (number_bins([2.0]), categories(["a"])):
        with pytest.raises(DataError, match="expected counts in the same cells"):
            counted(number_bins([1.0])).merge(ColumnCounts(cells=other))


def test_moments_leave_nulls_and_infinities_out() -> None:
    moments = counted(number_bins([0.0]), [1.0, np.nan, 3.0], [np.inf, -np.inf, 5.0]).moments
    assert (moments.count, moments.mean, moments.deviation) == (3, 3.0, 2.0)


def test_categories_are_counted_as_a_counter_does_and_new_ones_by_name() -> None:
    counts = counted(categories(["a", "b", "b"]), np.array(["b", None, "c", "a", "b", "c"], dtype=object))
    assert counts.cells == Categories(labels=("a", "b"))
    assert counts.counts.tolist() == [1, 2, 2]
    assert (counts.n, counts.nulls, counts.unseen) == (5, 1, Counter(c=2))


@pytest.mark.parametrize("values", [np.array([1, 2, 2]), np.array([1.0, np.nan, 2.0, 2.0]), [1, 2, 2, None]])
def test_a_code_reads_the_same_as_integer_and_as_float(values: list[int]) -> None:
    counts = ColumnCounts(cells=categories([1, 2])).add(values)
    assert counts.counts.tolist() == [1, 2, 0]


def test_only_the_most_frequent_labels_get_a_cell() -> None:
    assert categories(list("aaabbcd"), most=2).labels == ("a", "b")


def test_names_of_new_labels_are_kept_up_to_a_limit_and_all_are_counted() -> None:
    counts = counted(categories(["a"]), [f"new{number}" for number in range(3 * MOST_UNSEEN)])
    assert (len(counts.unseen), counts.n) == (MOST_UNSEEN, 3 * MOST_UNSEEN)


def test_merged_category_counts_hold_the_new_labels_of_both() -> None:
    cells = categories(["a"])
    merged = counted(cells, ["a", "x"]).merge(counted(cells, ["x", "y", None]))
    assert (merged.counts.tolist(), merged.unseen, merged.nulls) == ([1, 3], Counter(x=2, y=1), 1)


def test_both_samples_hold_every_label_of_either() -> None:
    cells = categories(["a", "b"])
    labels, a_K, b_K, rest = category_counts(counted(cells, ["a", "b", "b"]), counted(cells, ["b", "new", "new"]))
    assert labels == ("a", "b", "new")
    assert (a_K.tolist(), b_K.tolist(), rest) == ([1, 2, 0], [0, 1, 2], (0, 0))


def test_labels_without_a_kept_name_are_told_beside_the_cells() -> None:
    window = counted(categories(["a"]), ["a", *(f"new{number}" for number in range(MOST_UNSEEN + 5))])
    _, _, b_K, rest = category_counts(counted(categories(["a"]), ["a"]), window)
    assert (int(b_K.sum()), rest) == (1 + MOST_UNSEEN, (0, 5))


def test_memory_does_not_grow_with_rows() -> None:
    """Between the tenth batch and the hundredth, less than a hundredth of one batch is added."""
    counts, batch = ColumnCounts(cells=number_bins(NORMAL)), RNG.normal(size=10_000)
    for _ in range(10):
        counts.add(batch)
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for _ in range(90):
        counts.add(batch)
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert counts.n == 1_000_000
    assert grown < batch.nbytes / 100 + len(counts.counts) * 8
