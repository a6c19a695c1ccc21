"""Noisy copies made where the model lies, for a GPU: grid points go there once a batch, noise never does.

Shapes: B rows of a batch, P pieces of draws in it, D coordinates, N samples. The same values as
`robustcert.smoothing.noisy_inputs` writes on the CPU.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from robustcert.smoothing.device_noise import noisy_batch
from robustcert.smoothing.noise import Stream
from robustcert.smoothing.noisy_inputs import Copies, GridNoise

LARGEST_ID = (1 << 63) - 1  # of those that a tensor can hold; an input's own digest may be larger


class DeviceInputs:
    """Noisy copies of the grid points x_int (N, *shape) on `device`."""

    def __init__(self, x_int: NDArray[np.integer], noise: GridNoise, *, device: torch.device) -> None:
        self._x_ND, self._noise, self._device = x_int.reshape(len(x_int), -1), noise, device
        self._steps_D = torch.from_numpy(noise.sigma_steps.ravel()).to(device)
        self._unit_D = torch.from_numpy(noise.unit.ravel()).to(device)

    def can(self, copies: Sequence[Copies]) -> bool:
        """Whether all sample ids fit into a tensor."""
        return all(wanted.sample_id <= LARGEST_ID for wanted in copies)

    def batch(self, copies: Sequence[Copies], *, rows: int) -> Tensor:
        """All the copies, in order, and rows of zeros below them: float32 (rows, D)."""
        parts = [self._of_stream(Stream(stream), list(some)) for stream, some in groupby(copies, lambda c: c.stream)]
        below = torch.zeros(rows - sum(map(len, parts)), len(self._unit_D), device=self._device)
        return torch.cat([*parts, below])

    def _of_stream(self, stream: Stream, copies: Sequence[Copies]) -> Tensor:
        sizes = [wanted.draws for wanted in copies]
        x_PD = torch.from_numpy(self._x_ND[[wanted.place for wanted in copies]].astype(np.int32)).to(self._device)
        numbers = [np.arange(wanted.first, wanted.first + wanted.draws) for wanted in copies]
        return noisy_batch(
            x_PD.repeat_interleave(torch.tensor(sizes, device=self._device), dim=0, output_size=sum(sizes)),
            sample_ids_R=torch.tensor([wanted.sample_id for wanted in copies]).repeat_interleave(torch.tensor(sizes)),
            draws_R=torch.from_numpy(np.concatenate(numbers)),
            key0=self._noise.key0,
            stream=stream,
            steps_D=self._steps_D,
            unit_D=self._unit_D,
            kind=self._noise.kind,
        )
