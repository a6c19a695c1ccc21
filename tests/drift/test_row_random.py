"""Numbers of a row are uniform, independent across rows, columns and purposes, and the same in any batch."""

from __future__ import annotations

import numpy as np
from scipy.stats import kstest

from robustcert.drift.row_random import mixed, normals, uniforms

ROWS = np.arange(100_000, dtype=np.int64)


def test_uniforms_and_normals_follow_their_laws() -> None:
    assert kstest(uniforms(1, "a", ROWS), "uniform").pvalue > 1e-4
    assert kstest(normals(1, "a", ROWS), "norm").pvalue > 1e-4


def test_streams_are_uncorrelated() -> None:
    """100,000 pairs: a correlation beyond 4.5 standard errors has probability 7e-6 each."""
    streams = [
        normals(1, "a", ROWS), normals(2, "a", ROWS), normals(1, "b", ROWS), normals(1, "a", ROWS, column=1),
        normals(1, "a", ROWS + 1),
    ]  # fmt: skip
    correlations = np.corrcoef(streams)[np.triu_indices(5, 1)]
    assert np.abs(correlations).max() < 4.5 / np.sqrt(len(ROWS))


def test_numbers_belong_to_rows_and_not_to_batches() -> None:
    whole = uniforms(7, "x", ROWS[:100])
    assert np.array_equal(np.concatenate([uniforms(7, "x", ROWS[:30]), uniforms(7, "x", ROWS[30:100])]), whole)
    assert np.array_equal(uniforms(7, "x", ROWS[:100][::-1]), whole[::-1])
    assert 0 < whole.min() <= whole.max() < 1


def test_the_finaliser_is_that_of_splitmix64() -> None:
    """The generator's published first outputs for seed 1234567."""
    state = (np.uint64(1234567) + np.arange(1, 4, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)).astype(np.uint64)
    assert mixed(state).tolist() == [6457827717110365317, 3203168211198807973, 9817491932198370423]
