import hashlib

import pytest

from robustcert.data.planned_samples import planned_samples, shard_of
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


@pytest.mark.parametrize("count", [1, 3, 7, 60, 61])
def test_shards_share_the_samples_out_without_loss_or_repetition(count: int) -> None:
    shards = [shard_of(IDS, f"{number}/{count}") for number in range(1, count + 1)]
    assert sorted(sample for shard in shards for sample in shard) == IDS
    assert max(map(len, shards)) - min(map(len, shards)) <= 1


@pytest.mark.parametrize("shard", ["", "1", "0/3", "4/3", "-1/3", "1/0", "a/b", "1/2/3"])
def test_anything_but_a_shard_is_refused(shard: str) -> None:
    with pytest.raises(DataError, match=rf"^expected a shard such as 1/3, got '{shard}'; number shards from 1"):
        shard_of(IDS, shard)
