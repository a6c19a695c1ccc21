"""Pieces of draws, and tallies that refuse what does not add up."""

from __future__ import annotations

import pytest

from robustcert.errors import ValidityError
from robustcert.smoothing.noise import Stream
from robustcert.smoothing.tallies import Piece, Tally, rest, tally_of


def test_a_piece_is_cut_from_its_end() -> None:
    piece = Piece(stream=Stream.PILOT, first=10, draws=5)
    assert piece.cut(3) == Piece(stream=Stream.PILOT, first=10, draws=3)
    assert piece.cut(9) == piece


def test_the_rest_begins_where_the_draws_ended() -> None:
    assert list(rest(Stream.ESTIMATION, 40, 100)) == [Piece(stream=Stream.ESTIMATION, first=40, draws=60)]
    assert list(rest(Stream.ESTIMATION, 100, 100)) == []


def test_votes_add_up_class_by_class() -> None:
    tally = Tally(counts=[0, 0])
    tally.add([3, 5], 2, draws=10)
    tally.add([1, 0], 0, draws=1)
    assert (tally.counts, tally.fragile, tally.draws) == ([4, 5], 2, 11)


@pytest.mark.parametrize(
    ("counts", "fragile"), [([3, 5], 1), ([3, 8], 0), ([3, 5, 2], 0), ([12, -2], 0), ([12, 0], -2)]
)
def test_votes_that_are_not_each_counted_once_are_refused(counts: list[int], fragile: int) -> None:
    with pytest.raises(ValidityError, match=r"expected 10 votes, got .*; count every draw once"):
        Tally(counts=[0, 0]).add(counts, fragile, draws=10)


def test_a_tally_comes_back_from_json_and_nonsense_does_not() -> None:
    assert tally_of([[[1, 5], [2, 3]], 2], n_classes=4) == Tally(counts=[0, 5, 3, 0], fragile=2, draws=10)
    for nonsense in ([[[4, 5]], 0], [[[1, 5]]], None, [[[1, "x"]], 0]):
        with pytest.raises((LookupError, TypeError, ValueError)):
            tally_of(nonsense, n_classes=4)
    with pytest.raises(ValidityError, match="expected 4 votes"):
        tally_of([[[1, -1]], 5], n_classes=4)
