"""Oracle: numpy's way of cutting an array, and sums by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from robustcert.training.world import ALONE, World
from tests.training.rank_work import TwoProcesses


@pytest.mark.parametrize("size", [1, 2, 3, 7])
@pytest.mark.parametrize("rows", [0, 1, 5, 6])
def test_slices_are_consecutive_cover_everything_and_differ_by_one_row_at_most(size: int, rows: int) -> None:
    slices = [World(rank=rank, size=size).mine(torch.arange(rows)).tolist() for rank in range(size)]
    assert slices == [part.tolist() for part in np.array_split(np.arange(rows), size)]
    assert max(map(len, slices)) - min(map(len, slices)) <= 1


def test_one_process_alone_sums_nothing_and_asks_nobody() -> None:
    value = torch.tensor([1.5])
    ALONE.add_up([value])
    ALONE.require_equal("00", what="weights", remedy="run again")
    assert value.tolist() == [1.5]
    assert ALONE.from_first(b"word") == b"word"


def test_sums_are_over_all_processes_and_the_same_in_each(two_processes: TwoProcesses) -> None:
    for found in two_processes.found:
        assert found.tensors["counts"].item() == 1 + 2
        assert found.tensors["matrix"].tolist() == [[1.0, 1.0], [1.0, 1.0]]


def test_all_are_told_what_the_first_says(two_processes: TwoProcesses) -> None:
    assert [found.told for found in two_processes.found] == ["first", "first"]


def test_every_process_learns_that_they_differ(two_processes: TwoProcesses) -> None:
    complaint = "expected the same weights in every process, got another in 1 of 2; run again"
    assert [found.complaint for found in two_processes.found] == [complaint, complaint]
