"""Which samples a claim is about, fixed by the specification before anything runs.

Samples of the test split are ordered by SHA-256 of (seed, sample id) and the first ones taken, so that the choice
depends on neither row order nor shard count, and a verifier repeats it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from robustcert.errors import DataError, expected


def planned_samples(test_ids: Sequence[int], *, samples: int | None, seed: int) -> list[int]:
    """Ascending ids of the `samples` chosen test samples (all where None); DataError when there are too few.

    >>> planned_samples([5, 1, 9], samples=None, seed=0)
    [1, 5, 9]
    """
    if samples is None:
        return sorted(test_ids)
    if samples > len(test_ids):
        raise DataError(expected(f"at least {samples} test samples", got=len(test_ids), remedy="lower 'samples'"))
    return sorted(sorted(test_ids, key=lambda sample: _order(seed, sample))[:samples])


def shard_of(planned: Sequence[int], shard: str) -> list[int]:
    """The samples of shard `i/k`: every k-th, from the i-th on; DataError for anything but 1 <= i <= k.

    >>> shard_of([1, 5, 9, 12], "2/3")
    [5]
    """
    index, _, count = shard.partition("/")
    if not (index.isdecimal() and count.isdecimal() and 1 <= int(index) <= int(count)):
        raise DataError(expected("a shard such as 1/3", got=repr(shard), remedy="number shards from 1 to their count"))
    return list(planned[int(index) - 1 :: int(count)])


def _order(seed: int, sample: int) -> bytes:
    return hashlib.sha256(f"{seed}:{sample}".encode()).digest()
