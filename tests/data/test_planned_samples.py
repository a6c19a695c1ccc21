import hashlib

import pytest

from robustcert.data.planned_samples import blocks_of, planned_samples
from robustcert.errors import DataError

IDS = list(range(100, 160))


def test_the_chosen_samples_are_the_first_by_hash_in_ascending_order() -> None:
    hashed = sorted(IDS, key=lambda sample: hashlib.sha256(f"7:{sample}".encode()).hexdigest())
    assert planned_samples(IDS, samples=9, seed=7) == sorted(hashed[:9])
    assert planned_samples(IDS[::-1], samples=9, seed=7) == sorted(hashed[:9])
    assert planned_samples(IDS, samples=9, seed=8) != sorted(hashed[:9])


def test_all_samples_are_planned_where_no_number_is_given() -> None:
    assert planned_samples(IDS[::-1], samples=None, seed=7) == IDS


def test_more_samples_than_there_are_are_refused() -> None:
    with pytest.raises(DataError, match=r"^expected at least 61 test samples, got 60; lower 'samples'$"):
        planned_samples(IDS, samples=61, seed=7)


@pytest.mark.parametrize(("draws", "size"), [(1, 60), (4096, 16), (4097, 15), (10_100, 6), (65_536, 1), (10**7, 1)])
def test_blocks_are_consecutive_samples_of_about_65536_draws(draws: int, size: int) -> None:
    blocks = blocks_of(IDS, draws=draws)
    assert [sample for block in blocks for sample in block] == IDS
    assert {len(block) for block in blocks[:-1]} <= {size}
    assert 1 <= len(blocks[-1]) <= size
    assert size == 1 or size * draws <= 65_536 < (size + 1) * draws or size == len(IDS)


def test_without_samples_there_are_no_blocks() -> None:
    assert blocks_of([], draws=10) == []
