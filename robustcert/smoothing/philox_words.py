"""Raw Philox words for noise that is no number per coordinate: subsets, flips, orders; streams as those of the grid.

Salmon et al. (2011); key (key0, sample id), counter (block, 0, 0, stream), as robustcert/smoothing/noise.py has it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from robustcert.smoothing.noise import WORDS_PER_BLOCK, Stream, refuse_counters


def draw_words(
    key0: int, *, sample_id: int, stream: Stream, first_draw: int, draws: int, coordinates: int
) -> NDArray[np.uint64]:
    """A 64-bit word per coordinate of draws `first_draw` ... : uint64 (draws, coordinates); a draw owns its blocks."""
    blocks = -(-coordinates // WORDS_PER_BLOCK)
    refuse_counters(key0, sample_id=sample_id, first_block=first_draw * blocks, blocks=draws * blocks)
    key = np.array([key0, sample_id], dtype=np.uint64)
    counter = np.array([first_draw * blocks, 0, 0, Stream(stream)], dtype=np.uint64)
    words: NDArray[np.uint64] = np.random.Philox(key=key, counter=counter).random_raw(draws * blocks * WORDS_PER_BLOCK)
    return words.reshape(draws, blocks * WORDS_PER_BLOCK)[:, :coordinates]
