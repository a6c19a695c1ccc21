"""Segments are counted in bounded memory, shown up to a cap, and tested exactly; Counter and scipy are the oracles."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pyarrow as pa
from scipy.stats import binomtest

from robustcert.drift.segments import OTHER, SegmentCounter, SegmentNames, SegmentTable, capped, judge_segments


def counted(segments: list[str | None], correct: list[bool], *, most: int = 10_000, size: int = 10) -> SegmentTable:
    names, counter = SegmentNames(most=most), SegmentCounter()
    for start in range(0, len(segments), size):
        codes = names.codes(pa.array(segments[start : start + size], pa.string()), rows=size)
        counter.add(codes)
        right = np.array(correct[start : start + size])
        counter.add_judged(codes, right)
    return counter.table(names)


def test_rows_and_answers_are_counted_by_segment() -> None:
    segments = [f"site-{number % 7}" for number in range(700)]
    correct = [number % 3 == 0 for number in range(700)]
    table = counted(segments, correct)
    assert dict(zip(table.names, table.rows.tolist(), strict=True)) == {OTHER: 0, **Counter(segments)}
    right = Counter(name for name, is_right in zip(segments, correct, strict=True) if is_right)
    assert dict(zip(table.names, table.correct.tolist(), strict=True)) == {OTHER: 0, **right}
    assert table.of.tolist() == table.rows.tolist()


def test_strange_names_missing_ones_and_those_beyond_the_cap_are_other() -> None:
    table = counted(["a", None, "b\nc", "x" * 65, "b", "c", "d", "a", "other", ""], [True] * 10, most=3)
    assert table.names == (OTHER, "a", "b", "c")
    assert table.rows.tolist() == [6, 2, 1, 1]


def test_a_window_without_segments_has_only_other() -> None:
    names = SegmentNames()
    assert names.codes(None, rows=3).tolist() == [0, 0, 0]
    assert names.names == (OTHER,)


def test_a_million_names_take_no_more_memory_than_the_cap() -> None:
    names = SegmentNames(most=50)
    for start in range(0, 100_000, 10_000):
        codes = names.codes(pa.array([f"user-{number}" for number in range(start, start + 10_000)]), rows=10_000)
        assert codes.max() <= 50
    assert len(names.names) == 51


def test_the_largest_segments_are_shown_and_the_rest_is_other() -> None:
    table = SegmentTable(
        names=(OTHER, "a", "b", "c", "d"),
        rows=np.array([4, 10, 30, 10, 1]),
        correct=np.array([1, 5, 6, 7, 1]),
        of=np.array([2, 9, 9, 9, 1]),
    )
    shown = capped(table, most=2)
    assert shown.names == ("b", "a", OTHER)
    assert (shown.rows.tolist(), shown.correct.tolist(), shown.of.tolist()) == ([30, 10, 15], [6, 5, 9], [9, 9, 12])
    whole = capped(table, most=10)
    assert whole.names == ("b", "a", "c", "d", OTHER)
    assert whole.rows.sum() == table.rows.sum()


def test_a_segment_is_drifted_where_the_exact_test_says_so_after_holm() -> None:
    table = SegmentTable(
        names=(OTHER, "good", "bad", "unlabelled", "unlucky"),
        rows=np.array([0, 400, 300, 200, 100]),
        correct=np.array([0, 380, 240, 0, 90]),
        of=np.array([0, 400, 300, 0, 100]),
    )
    p_bad, p_unlucky = (binomtest(right, of, 0.94, alternative="less").pvalue for right, of in ((240, 300), (90, 100)))
    assert p_bad * 3 < 0.05 < p_unlucky, "the three with labels share alpha"
    found = {segment.segment: segment for segment in judge_segments(table, certified_lower=0.94, alpha=0.05)}
    assert [name for name, segment in found.items() if segment.drifted] == ["bad"]
    assert (found["unlabelled"].correct, found["unlabelled"].of, found["unlabelled"].drifted) == (None, None, False)
    assert (found["bad"].correct, found["bad"].of, found["bad"].rows) == (240, 300, 300)


def test_clean_segments_raise_a_false_alarm_at_most_as_often_as_alpha() -> None:
    """500 windows of 5 segments at exactly the certified accuracy; at alpha 0.05 at most 45 alarms (binomial, 1e-4)."""
    rng = np.random.default_rng(7)
    of = np.array([0, 200, 150, 100, 80, 60])
    alarms = 0
    for _ in range(500):
        names = (OTHER, *"abcde")
        table = SegmentTable(names=names, rows=of, correct=rng.binomial(of, 0.9), of=of)
        alarms += any(segment.drifted for segment in judge_segments(table, certified_lower=0.9, alpha=0.05))
    assert 0 < alarms <= 45
