"""Votes of a base classifier on noisy copies of one sample, counted so that every run counts the same.

Shapes: B = 256 rows of a batch, N draws, K classes, *shape = (C, H, W) or (D,) of one sample.

Batches are always 256 rows, the last one filled up with zeros, in float32, on one thread of the CPU or, where the
module lies there, on a GPU. Measured on the CPU: the logits then depend neither on a row's place nor on the other rows.
Noise is made on the CPU, so that every device is given the same inputs. What may still differ between platforms is the
last bits of a logit, so a vote whose two best logits are closer than FRAGILE_GAP is fragile: it counts for no class and
as a failure of the candidate. Noisy inputs are never clipped; whatever the model does to them is part of the model.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from robustcert.errors import InputError, ModelError, ValidityError, expected
from robustcert.models.canonical_execution import canonical_execution
from robustcert.models.execution_device import device_of
from robustcert.smoothing.noise import Stream, integer_noise

BATCH = 256
FRAGILE_GAP = 1e-4
NOISE_BLOCK_WORDS = 1 << 15  # noise is made in pieces that fit in the processor's cache


@dataclass(frozen=True, kw_only=True)
class GridNoise:
    """Noise of one certification: `sigma_steps` is its standard deviation in steps of the grid, of `unit` input units.

    Both float64 (*shape). A coordinate with 0 steps is left alone.
    """

    key0: int
    sigma_steps: NDArray[np.float64]
    unit: NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Votes:
    """`counts` per class and `fragile` votes of all `draws` of one stream of one sample, from draw 0 on."""

    sample_id: int
    stream: Stream
    draws: int
    counts: tuple[int, ...]
    fragile: int

    def __post_init__(self) -> None:
        if sum(self.counts) + self.fragile != self.draws:
            got = f"{sum(self.counts)} votes and {self.fragile} fragile ones"
            raise ValidityError(expected(f"{self.draws} votes", got=got, remedy="count every draw once"))

    def winner(self) -> int:
        """The class of most votes; of several, the first."""
        return int(np.argmax(self.counts))


def count_votes(
    module: nn.Module,
    x_int: NDArray[np.integer],
    *,
    noise: GridNoise,
    sample_id: int,
    stream: Stream,
    draws: int,
    n_classes: int,
) -> Votes:
    """Votes of `module` on the first `draws` noisy copies of grid point x_int (*shape).

    Raises ModelError for a module in training mode or with other than (B, K) logits, InputError for x off the grid.
    """
    refuse_training_mode(module)
    tally = np.zeros(n_classes + 1, dtype=np.int64)
    with canonical_execution(), torch.inference_mode():
        for first in range(0, draws, BATCH):
            size = min(BATCH, draws - first)
            x_B = noisy_inputs(x_int, noise=noise, sample_id=sample_id, stream=stream, first_draw=first, draws=size)
            logits_BK = logits_of(module, torch.from_numpy(x_B), n_classes=n_classes)
            tally += _tally(logits_BK[:size], n_classes=n_classes)
    *counts, fragile = tally.tolist()
    return Votes(sample_id=sample_id, stream=stream, draws=draws, counts=tuple(counts), fragile=fragile)


def noisy_inputs(
    x_int: NDArray[np.integer], *, noise: GridNoise, sample_id: int, stream: Stream, first_draw: int, draws: int
) -> NDArray[np.float32]:
    """float32((x_int + noise) * unit) of up to 256 draws, the rest of the (B, *shape) zero."""
    if not np.issubdtype(x_int.dtype, np.integer):
        raise InputError(expected("integer grid coordinates", got=x_int.dtype, remedy="pass x_int, not x"))
    x_D, steps_D, unit_D = x_int.ravel(), noise.sigma_steps.ravel(), noise.unit.ravel()
    x_BD = np.zeros((BATCH, x_int.size), dtype=np.float32)
    rows = max(1, NOISE_BLOCK_WORDS // x_int.size)
    for start in range(0, draws, rows):
        size = min(rows, draws - start)
        noise_ND = integer_noise(
            noise.key0,
            sample_id=sample_id,
            stream=stream,
            first_draw=first_draw + start,
            draws=size,
            sigma_steps=steps_D,
        )
        x_BD[start : start + size] = (x_D + noise_ND) * unit_D
    return x_BD.reshape(BATCH, *x_int.shape)


def refuse_training_mode(module: nn.Module) -> None:
    """ModelError when any part of `module` is in training mode: dropout and batch statistics void the certificate."""
    training = next((name or "the model" for name, part in module.named_modules() if part.training), None)
    if training is not None:
        raise ModelError(expected("a model in eval mode", got=f"{training} in training mode", remedy="call .eval()"))


def logits_of(module: nn.Module, x_B: Tensor, *, n_classes: int) -> Tensor:
    """logits_BK on the CPU, of a module that may lie on a GPU; ModelError for another shape."""
    logits = module(x_B.to(device_of(module)))
    if logits.shape != (BATCH, n_classes):
        remedy = "return one row of logits per input, one column per class"
        raise ModelError(expected(f"logits {(BATCH, n_classes)}", got=tuple(logits.shape), remedy=remedy))
    return cast(Tensor, logits.cpu())


def _tally(logits_NK: Tensor, *, n_classes: int) -> NDArray[np.int64]:
    """Votes per class, then fragile ones; NaN is fragile, since no gap with it is wide enough."""
    best_N2, class_N2 = logits_NK.topk(2, dim=1)
    clear_N = best_N2[:, 0] - best_N2[:, 1] >= FRAGILE_GAP
    vote_N = torch.where(clear_N, class_N2[:, 0], n_classes)
    return np.bincount(vote_N.numpy(), minlength=n_classes + 1)
