"""Oracle: what is written on the CPU. The CPU stands in for a GPU: `noisy_batch` serves both."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from robustcert.smoothing.device_inputs import DeviceInputs
from robustcert.smoothing.noise import Stream
from robustcert.smoothing.noisy_inputs import Copies, GridNoise, NoisyInputs

WANTED = [
    Copies(place=1, sample_id=7, stream=Stream.ESTIMATION, first=3, draws=1),
    Copies(place=0, sample_id=9, stream=Stream.ESTIMATION, first=0, draws=100),
    Copies(place=1, sample_id=7, stream=Stream.SELECTION, first=3, draws=90),
    Copies(place=2, sample_id=2**63 - 1, stream=Stream.ESTIMATION, first=41, draws=60),
]


def test_a_batch_of_several_streams_and_samples_is_that_of_the_cpu() -> None:
    x_int = np.random.default_rng(0).integers(-500, 5000, (3, 1, 4, 5)).astype(np.int32)
    shape = x_int.shape[1:]
    for kind in ("gaussian", "uniform", "laplace"):
        noise = GridNoise(key0=5, sigma_steps=np.full(shape, 900.5), unit=np.full(shape, 1 / 4080), kind=kind)
        out = np.zeros((256, 20), dtype=np.float32)
        rows = NoisyInputs(x_int, noise).write(out, WANTED)
        found = DeviceInputs(x_int, noise, device=torch.device("cpu")).batch(WANTED, rows=256)
        assert rows == 251
        assert found.shape == (256, 20)
        assert np.array_equal(found.numpy(), out)


def test_ids_of_64_bits_are_left_to_the_cpu() -> None:
    noise = GridNoise(key0=5, sigma_steps=np.ones(3), unit=np.ones(3))
    inputs = DeviceInputs(np.zeros((3, 3), dtype=np.int32), noise, device=torch.device("cpu"))
    assert inputs.can(WANTED)
    assert not inputs.can([*WANTED, replace(WANTED[0], sample_id=2**63)])
