"""Random flips of binary and categorical rows by integer thresholds on Philox words: the same on every machine.

Shapes: N draws, D features of one row. A word's upper 53 bits are a uniform whole number below 2^53, and a flip of
probability t / 2^53 happens below t: the noise has exactly the probabilities that discrete.py certifies.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from robustcert.errors import InputError, expected
from robustcert.smoothing.discrete import BinaryFlips, CategoryFlips
from robustcert.smoothing.noise import Stream
from robustcert.smoothing.philox_words import draw_words

DROPPED_BITS = np.uint64(11)


def flipped_bits(
    x_D: NDArray[np.integer],
    *,
    noise: BinaryFlips,
    key0: int,
    sample_id: int,
    stream: Stream,
    first_draw: int,
    draws: int,
) -> NDArray[np.int64]:
    """Noisy copies int64 (N, D) of a row of 0 and 1."""
    _require_values(x_D, 2)
    drawn_ND = _uniform(key0, sample_id=sample_id, stream=stream, first_draw=first_draw, draws=draws, D=len(x_D))
    threshold_D = np.where(x_D == 0, noise.add, noise.delete).astype(np.int64)
    return np.where(drawn_ND < threshold_D, 1 - x_D, x_D).astype(np.int64)


def flipped_categories(
    x_D: NDArray[np.integer],
    *,
    noise: CategoryFlips,
    key0: int,
    sample_id: int,
    stream: Stream,
    first_draw: int,
    draws: int,
) -> NDArray[np.int64]:
    """Noisy copies int64 (N, D) of a row of 0 ... K - 1: part j of 2^53 turns the value to (x + 1 + j) mod K."""
    _require_values(x_D, noise.categories)
    drawn_ND = _uniform(key0, sample_id=sample_id, stream=stream, first_draw=first_draw, draws=draws, D=len(x_D))
    step_ND = drawn_ND // noise.other + 1
    kept_ND = step_ND >= noise.categories
    return np.where(kept_ND, x_D, (x_D + step_ND) % noise.categories).astype(np.int64)


def _uniform(key0: int, *, sample_id: int, stream: Stream, first_draw: int, draws: int, D: int) -> NDArray[np.int64]:
    """Whole numbers 0 ... 2^53 - 1, int64 (N, D)."""
    words_ND = draw_words(key0, sample_id=sample_id, stream=stream, first_draw=first_draw, draws=draws, coordinates=D)
    return (words_ND >> DROPPED_BITS).astype(np.int64)


def _require_values(x_D: NDArray[np.integer], categories: int) -> None:
    fits = np.issubdtype(x_D.dtype, np.integer) and x_D.ndim == 1 and len(x_D)
    if not fits or x_D.min() < 0 or x_D.max() >= categories:
        what = f"a row of integers 0 to {categories - 1}"
        raise InputError(expected(what, got=f"{x_D.dtype} {x_D.shape}", remedy="number the values from 0"))
