"""Which samples a claim is about, fixed by the specification before anything runs, and the blocks they are worked in.

Samples of the test split are ordered by SHA-256 of (seed, sample id) and the first ones taken, so that the choice
depends on neither row order nor shard count, and a verifier repeats it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from robustcert.errors import DataError, expected

DRAWS_PER_BLOCK = 1 << 16


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


def blocks_of(planned: Sequence[int], *, draws: int) -> list[tuple[int, ...]]:
    """Consecutive samples in blocks of about DRAWS_PER_BLOCK draws, `draws` for each sample; at least one sample each.

    >>> blocks_of([1, 5, 9, 12], draws=30_000)
    [(1, 5), (9, 12)]
    """
    size = max(1, DRAWS_PER_BLOCK // draws)
    return [tuple(planned[first : first + size]) for first in range(0, len(planned), size)]


def _order(seed: int, sample: int) -> bytes:
    return hashlib.sha256(f"{seed}:{sample}".encode()).digest()
