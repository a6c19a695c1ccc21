"""Oracles: Random123's known answers, Philox in Python integers; the bits of numpy's path."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from robustcert.smoothing import logarithm, normal_quantile, torch_noise
from robustcert.smoothing.noise import QUANTILES
from robustcert.smoothing.noise_kinds import NoiseName
from tests.smoothing.philox_in_python import KNOWN_ANSWERS, MASK, philox_in_python


@pytest.mark.parametrize(("counter", "key", "answer"), KNOWN_ANSWERS)
def test_philox_gives_the_known_answers(
    counter: tuple[int, ...], key: tuple[int, int], answer: tuple[int, ...]
) -> None:
    words = torch_noise.philox([_word(c) for c in counter], [_word(k) for k in key])
    assert tuple(int(word) & MASK for word in words) == answer


@pytest.mark.parametrize("stream", [0, 3])
def test_words_of_rows_are_those_of_philox_in_python_integers(stream: int) -> None:
    ids, draws, key0 = [0, 7, 2**62, 7], [0, 3, 2**40, 4], 0xFEDCBA9876543210
    words = torch_noise.words_of_rows(
        key0=key0, sample_ids_R=torch.tensor(ids), draws_R=torch.tensor(draws), stream=stream, blocks=3
    )
    expected = [
        [word for block in (1, 2, 3) for word in philox_in_python((draw * 3 + block, 0, 0, stream), (key0, sample))]
        for sample, draw in zip(ids, draws, strict=True)
    ]
    assert [[word & MASK for word in row] for row in words.tolist()] == expected


def test_logarithms_have_the_bits_of_numpys_path() -> None:
    x = np.concatenate([np.geomspace(2.0**-54, 8, 50_001), 1 + np.array([-1, 1]) * 2.0**-52])
    assert torch_noise.natural_logarithm(torch.from_numpy(x)).numpy().tobytes() == (
        logarithm.natural_logarithm(x).tobytes()
    )


def test_square_roots_are_correctly_rounded_where_torchs_are_not() -> None:
    """The C library's and numpy's are, on every processor; a million numbers over the range of -log p and beyond."""
    x = np.random.default_rng(2).uniform(0.5, 40, 1_000_000)
    corrected = torch_noise.square_root(torch.from_numpy(x)).numpy()
    assert corrected.tobytes() == np.sqrt(x).tobytes()
    assert corrected[:50_000].tolist() == [math.sqrt(value) for value in x[:50_000]]


@pytest.mark.parametrize("kind", ["gaussian", "uniform", "laplace"])
def test_quantiles_have_the_bits_of_numpys_path_in_every_region(kind: NoiseName) -> None:
    """40,000 words of all sizes: 9 in 10 lie in the tails, some at every border, a tenth beyond r = 5."""
    generator = np.random.default_rng(1)
    first_bits = (2 ** generator.uniform(0, 53, 20_000)).astype(np.uint64)
    words = np.concatenate([first_bits << np.uint64(11), ~(first_bits << np.uint64(11))])
    given = torch.from_numpy(words.view(np.int64).copy())
    expected = QUANTILES[kind](normal_quantile.centred_uniforms(words, np.empty(words.size)))
    assert torch_noise.standard_noise(given, kind=kind).numpy().tobytes() == expected.tobytes()


def _word(value: int) -> torch.Tensor:
    return torch.tensor([torch_noise.signed(value)])
