"""Nobody outside can make a time series: values are checked and capped."""

from __future__ import annotations

import pytest

from robustcert.drift.stream.labels import Segments, class_labels, usable


@pytest.mark.parametrize("value", ["a", "clinic 7", "eu-west/1", "A.b_c+d", "x" * 63])
def test_plain_names_are_usable(value: str) -> None:
    assert usable(value)


@pytest.mark.parametrize("value", ["", " a", "a\n", 'a"', "a{b}", "\u00e9", "x" * 64, "-a", "a\\b"])
def test_anything_else_is_not(value: str) -> None:
    assert not usable(value)


def test_classes_keep_their_names_where_they_can_and_their_numbers_where_not() -> None:
    assert class_labels(("benign", "b\u00f6sartig", 'x"')) == ("benign", "1", "2")


def test_classes_beyond_fifty_are_other() -> None:
    labels = class_labels([f"c{number}" for number in range(1000)])
    assert len(set(labels)) == 51
    assert labels[49:51] == ("c49", "other")


def test_twenty_segments_keep_their_names() -> None:
    segments = Segments()
    assert [segments.label(f"s{number}") for number in range(22)] == [f"s{n}" for n in range(20)] + ["other"] * 2
    assert segments.label("s3") == "s3"
    assert Segments().label("two\nlines") == "other"


def test_segments_that_are_fixed_leave_no_room_for_others() -> None:
    segments = Segments(["a", "b"])
    assert [segments.label(name) for name in "abc"] == ["a", "b", "other"]
