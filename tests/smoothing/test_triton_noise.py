"""The kernel's source, run program by program on a stand-in for triton. Oracles: numpy's path, Random123's answers.

The compiled kernel is compared with numpy's path by benchmarks/noise_agreement.py, on a GPU.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch

from robustcert.errors import InputError
from robustcert.smoothing import normal_quantile, triton_noise
from robustcert.smoothing.noise import QUANTILES, Stream, rows_of_noise
from robustcert.smoothing.noise_kinds import NoiseName
from tests.smoothing import triton_stand_in
from tests.smoothing.philox_in_python import KNOWN_ANSWERS, MASK, philox_in_python

KINDS: list[NoiseName] = ["gaussian", "uniform", "laplace"]


@pytest.fixture(autouse=True)
def stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(triton_noise, "tl", triton_stand_in)


def test_philox_gives_the_known_answer_of_zeros_and_python_integers() -> None:
    """The kernel's counters have two words of zero, as the first known answer has."""
    lanes = np.array([0, 1, MASK], dtype=np.uint64).view(triton_stand_in.Register)
    zero = triton_noise._philox(lanes, np.uint64(0) * lanes, np.uint64(0) * lanes, 0)
    assert tuple(int(word[0]) for word in zero) == KNOWN_ANSWERS[0][2]
    other = triton_noise._philox(lanes, lanes, lanes + np.uint64(5), 3)
    for lane, counter in enumerate((0, 1, MASK)):
        key = (counter, (counter + 5) & MASK)
        assert tuple(int(word[lane]) for word in other) == philox_in_python((counter, 0, 0, 3), key)


@pytest.mark.parametrize("kind", KINDS)
def test_quantiles_have_the_bits_of_numpys_path_in_every_region(kind: NoiseName) -> None:
    first_bits = (2 ** np.random.default_rng(1).uniform(0, 53, 10_000)).astype(np.uint64)
    words = np.concatenate([first_bits << np.uint64(11), ~(first_bits << np.uint64(11))])
    found = triton_noise._quantile(words.copy().view(triton_stand_in.Register), kind)
    expected = QUANTILES[kind](normal_quantile.centred_uniforms(words, np.empty(words.size)))
    assert np.asarray(found).tobytes() == expected.tobytes()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("rows", "width", "stride"), [(3, 1024, 0), (40, 30, 30), (7, 1, 1), (2, 1537, 1537)])
def test_programs_write_what_numpys_path_gives_and_nothing_else(
    kind: NoiseName, rows: int, width: int, stride: int
) -> None:
    """float32((x + noise) * unit), one sample shared by all rows (stride 0) or one a row; rows that share a program."""
    generator = np.random.default_rng(width)
    x = generator.integers(-4000, 4000, (rows if stride else 1, width), dtype=np.int32)
    ids, draws = generator.integers(0, 2**40, rows), generator.integers(0, 2**30, rows)
    steps, unit = np.geomspace(0.5, 3000, width), np.full(width, 1 / 4080)
    noise = rows_of_noise(MASK - 5, sample_ids_R=ids, draws_R=draws, stream=Stream.PILOT, sigma_steps=steps, kind=kind)
    out = np.full(rows * width + 8, 77, dtype=np.float32)
    arrays = (x.ravel(), stride, ids, draws, np.array([-6]), steps, unit)
    given = [triton_stand_in.Pointer(array) if isinstance(array, np.ndarray) else array for array in arrays]
    for number in range(-(-rows * -(-width // 4) // 64)):
        with triton_stand_in.program(number):
            triton_noise._noisy(triton_stand_in.Pointer(out), *given, rows, WIDTH=width, STREAM=1, KIND=kind, BLOCKS=64)
    assert out[: rows * width].tolist() == ((x + noise) * unit).astype(np.float32).ravel().tolist()
    assert out[rows * width :].tolist() == [77] * 8


def test_a_batch_too_large_to_number_is_refused() -> None:
    x_RD = torch.zeros(1, 1, dtype=torch.int32).expand(3, 1 << 29)
    with pytest.raises(InputError, match=r"at most 2\^30 words in a batch"):
        triton_noise.noisy_batch(
            x_RD,
            sample_ids_R=torch.zeros(3, dtype=torch.int64),
            draws_R=torch.arange(3),
            key0=0,
            stream=0,
            steps_D=torch.ones(1),
            unit_D=torch.ones(1),
            kind="gaussian",
            dtype=torch.float32,
        )
