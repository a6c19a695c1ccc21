"""Words of subsets, flips and orders: the generator's own blocks, in any pieces."""

from __future__ import annotations

import numpy as np
import pytest

from robustcert.errors import InputError
from robustcert.smoothing.noise import Stream, integer_noise
from robustcert.smoothing.philox_words import draw_words

KEY = 0x0123456789ABCDEF


def test_words_are_those_that_the_grid_noise_of_the_specification_is_made_from() -> None:
    """The vector of 8.2, through the quantile transform of the specification."""
    from scipy.special import ndtri

    words = draw_words(KEY, sample_id=7, stream=Stream.ESTIMATION, first_draw=3, draws=1, coordinates=6)
    z = ndtri(((words[0] >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53)
    assert np.rint(z * 0.5 * 4080).astype(int).tolist() == [497, -1882, -1257, -1190, -2578, 3815]
    own = integer_noise(KEY, sample_id=7, stream=Stream.ESTIMATION, first_draw=3, draws=1, sigma_steps=np.full(6, 2040))
    assert own.tolist() == [[497, -1882, -1257, -1190, -2578, 3815]]


def test_draws_are_the_same_in_any_pieces() -> None:
    def drawn(first: int, draws: int) -> list[list[int]]:
        words = draw_words(KEY, sample_id=1, stream=Stream.ESTIMATION, first_draw=first, draws=draws, coordinates=5)
        return words.tolist()

    assert [row for first in (0, 2, 4, 6, 8) for row in drawn(first, 2)] == drawn(0, 10)


def test_streams_and_samples_differ() -> None:
    drawn = {
        tuple(draw_words(KEY, sample_id=sample, stream=stream, first_draw=0, draws=1, coordinates=4)[0].tolist())
        for sample in (0, 1)
        for stream in (Stream.SELECTION, Stream.PILOT)
    }
    assert len(drawn) == 4


def test_a_sample_id_that_is_no_word_is_refused() -> None:
    with pytest.raises(InputError, match=r"expected key and sample id in 0 \.\.\. 2\^64 - 1"):
        draw_words(KEY, sample_id=-1, stream=Stream.PILOT, first_draw=0, draws=1, coordinates=1)
