"""Votes of a base classifier on noisy copies of samples, counted so that every run counts the same.

Shapes: B = 256 rows of a batch, P pieces of draws in it, K classes, *shape = (C, H, W) or (D,) of one sample.

Batches are always 256 rows, the last one filled up with zeros, on one thread of the CPU or, where the module lies
there, on a GPU, which then makes the noise as well. Measured on the CPU: the logits then depend neither on a row's
place nor on the other rows, so that draws of several samples share a batch. The noise is the same integers on every
device. What may still differ between platforms is the last bits of a logit, so a vote whose two best logits are closer
than FRAGILE_GAP is fragile: it counts for no class and as a failure of the candidate. Noisy inputs are never clipped;
whatever the model does to them is part of the model. In bfloat16 logits differ by more than the gap between platforms,
so that only an equal one repeats votes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from robustcert.errors import ModelError, ValidityError, expected
from robustcert.models.canonical_execution import canonical_execution
from robustcert.models.execution_device import device_of
from robustcert.models.precision import Precision, arithmetic, in_precision
from robustcert.smoothing.device_inputs import DeviceInputs
from robustcert.smoothing.noise import Stream
from robustcert.smoothing.noisy_inputs import Copies, GridNoise, NoisyInputs
from robustcert.smoothing.rounds import ROWS as BATCH
from robustcert.smoothing.rounds import Draws
from robustcert.smoothing.tallies import Piece

__all__ = ["BATCH", "FRAGILE_GAP", "GridNoise", "VoteCounter", "Votes", "count_votes", "refuse_training_mode"]

FRAGILE_GAP = 1e-4


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


class VoteCounter:
    """Counts votes of `module` on noisy copies of the grid points x_int (N, *shape). Holds one batch, written anew.

    Called in inference mode under `canonical_execution`, which are entered once for many batches.

    Raises ModelError for a module in training mode or with other than (B, K) logits, InputError for x off the grid.
    """

    def __init__(
        self,
        module: nn.Module,
        x_int: NDArray[np.integer],
        *,
        noise: GridNoise,
        n_classes: int,
        precision: Precision = "float32",
    ) -> None:
        refuse_training_mode(module)
        self.module = in_precision(module, precision)
        self.noise, self.n_classes = noise, n_classes
        self._x_int, self._precision, self._device = x_int, precision, device_of(module)
        self._inputs = NoisyInputs(x_int, noise)
        self._device_inputs = DeviceInputs(x_int, noise, device=self._device) if self._device.type == "cuda" else None
        self._batch_BD = np.zeros((BATCH, int(np.prod(x_int.shape[1:]))), dtype=np.float32)
        self._shape = (BATCH, *x_int.shape[1:])

    def count(self, drawn: Sequence[Draws]) -> NDArray[np.int64]:
        """Votes (P, K + 1) of at most B draws together, fragile ones in the last column."""
        assert torch.is_inference_mode_enabled(), "votes are counted in inference mode"
        assert torch.get_num_threads() == 1, "votes are counted under canonical_execution"
        vote_B = _votes(self.logits(self._noisy_copies(drawn)))
        sizes = [draws.piece.draws for draws in drawn]
        columns = self.n_classes + 1
        vote_B = vote_B[: sum(sizes)] + columns * np.repeat(np.arange(len(sizes)), sizes)
        votes: NDArray[np.int64] = np.bincount(vote_B, minlength=len(sizes) * columns).reshape(len(sizes), columns)
        return votes

    def sample(self, place: int) -> NDArray[np.integer]:
        """Grid point x_int (*shape) of the sample at `place`."""
        return cast(NDArray[np.integer], self._x_int[place])

    def logits(self, x_BX: Tensor) -> Tensor:
        """Logits (B, K) on the CPU, of a module that may lie on a GPU; ModelError for another shape."""
        with arithmetic(self._device, self._precision):
            logits = self.module(x_BX.to(self._device))
        if logits.shape != (BATCH, self.n_classes):
            remedy = "return one row of logits per input, one column per class"
            what = f"logits {(BATCH, self.n_classes)}"
            raise ModelError(expected(what, got=tuple(logits.shape), remedy=remedy))
        return cast(Tensor, logits.cpu())

    def _noisy_copies(self, drawn: Sequence[Draws]) -> Tensor:
        """Below them are rows of zeros."""
        copies = [
            Copies(
                place=draws.place,
                sample_id=draws.sample_id,
                stream=draws.piece.stream,
                first=draws.piece.first,
                draws=draws.piece.draws,
            )
            for draws in drawn
        ]
        if self._device_inputs is not None and self._device_inputs.can(copies):
            return self._device_inputs.batch(copies, rows=BATCH).reshape(self._shape)
        self._batch_BD[self._inputs.write(self._batch_BD, copies) :] = 0
        return torch.from_numpy(self._batch_BD).reshape(self._shape)


def count_votes(
    module: nn.Module,
    x_int: NDArray[np.integer],
    *,
    noise: GridNoise,
    sample_id: int,
    stream: Stream,
    draws: int,
    n_classes: int,
    precision: Precision = "float32",
) -> Votes:
    """Votes of `module` on the first `draws` noisy copies of grid point x_int (*shape). Raises: as `VoteCounter`."""
    counter = VoteCounter(module, x_int[None], noise=noise, n_classes=n_classes, precision=precision)
    tally = np.zeros(n_classes + 1, dtype=np.int64)
    with canonical_execution(), torch.inference_mode():
        for first in range(0, draws, BATCH):
            piece = Piece(stream=stream, first=first, draws=min(BATCH, draws - first))
            tally += counter.count([Draws(place=0, sample_id=sample_id, piece=piece)])[0]
    *counts, fragile = tally.tolist()
    return Votes(sample_id=sample_id, stream=stream, draws=draws, counts=tuple(counts), fragile=fragile)


def refuse_training_mode(module: nn.Module) -> None:
    """ModelError when any part of `module` is in training mode: dropout and batch statistics void the certificate."""
    training = next((name or "the model" for name, part in module.named_modules() if part.training), None)
    if training is not None:
        raise ModelError(expected("a model in eval mode", got=f"{training} in training mode", remedy="call .eval()"))


def _votes(logits_BK: Tensor) -> NDArray[np.int64]:
    """The class of each row, K for a fragile vote; NaN is fragile, since no gap with it is wide enough."""
    best_B2, class_B2 = logits_BK.float().topk(2, dim=1)
    clear_B = best_B2[:, 0] - best_B2[:, 1] >= FRAGILE_GAP
    return cast(NDArray[np.int64], torch.where(clear_B, class_B2[:, 0], logits_BK.shape[1]).numpy())
