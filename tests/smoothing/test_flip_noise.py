"""Flips have the probabilities that are certified, and are the same in any pieces."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from scipy.stats import binom, chisquare

from robustcert.errors import InputError
from robustcert.smoothing.discrete import PARTS, CategoryFlips, binary_flips, category_flips
from robustcert.smoothing.flip_noise import flipped_bits, flipped_categories
from robustcert.smoothing.noise import Stream
from robustcert.smoothing.philox_words import draw_words

ORDER: Any = {"key0": 5, "sample_id": 2, "stream": Stream.ESTIMATION}


def test_bits_are_added_and_deleted_with_their_probabilities() -> None:
    """Both counts within the 1e-9 ends of their binomial distributions."""
    x, noise = np.array([0, 1] * 50), binary_flips(add=0.01, delete=0.6)
    copies = flipped_bits(x, noise=noise, **ORDER, first_draw=0, draws=2000)
    added, deleted = int(copies[:, x == 0].sum()), int((1 - copies[:, x == 1]).sum())
    for count, p in ((added, 0.01), (deleted, 0.6)):
        assert binom.ppf(1e-9, 100_000, p) < count < binom.isf(1e-9, 100_000, p)


def test_bits_flip_where_the_exact_probability_of_their_word_says() -> None:
    x, noise = np.array([0, 1, 1, 0, 1]), binary_flips(add=0.25, delete=0.5)
    words = draw_words(**ORDER, first_draw=40, draws=3, coordinates=5)
    flips = [
        [
            Fraction(int(w) >> 11, PARTS) < (Fraction(1, 2) if bit else Fraction(1, 4))
            for w, bit in zip(row, x, strict=True)
        ]
        for row in words
    ]
    copies = flipped_bits(x, noise=noise, **ORDER, first_draw=40, draws=3)
    assert ((copies != x) == np.array(flips)).all()


def test_categories_are_kept_or_spread_evenly() -> None:
    noise, x = category_flips(categories=4, keep=0.7), np.array([0, 1, 2, 3] * 10)
    copies = flipped_categories(x, noise=noise, **ORDER, first_draw=0, draws=2000)
    steps = np.bincount(((copies - x) % 4).ravel(), minlength=4)
    assert chisquare(steps, [0.7 * 80_000, *[0.1 * 80_000] * 3]).pvalue > 1e-6


def test_pieces_of_draws_are_the_draws() -> None:
    x, noise = np.array([0, 1, 2, 2, 1]), CategoryFlips(categories=3, other=PARTS // 5)
    whole = flipped_categories(x, noise=noise, **ORDER, first_draw=0, draws=20)
    pieces = [flipped_categories(x, noise=noise, **ORDER, first_draw=at, draws=5) for at in (0, 5, 10, 15)]
    assert np.array_equal(np.concatenate(pieces), whole)


def test_values_outside_the_categories_are_refused() -> None:
    noise = category_flips(categories=3, keep=0.5)
    with pytest.raises(InputError, match="expected a row of integers 0 to 2"):
        flipped_categories(np.array([0, 3]), noise=noise, **ORDER, first_draw=0, draws=1)
    with pytest.raises(InputError, match="expected a row of integers 0 to 1"):
        flipped_bits(np.array([0.0, 1.0]), noise=binary_flips(add=0.1, delete=0.1), **ORDER, first_draw=0, draws=1)
